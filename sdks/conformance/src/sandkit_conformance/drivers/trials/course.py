"""The course a driver has to run: every trial, and every finding in words its author can act on."""

from __future__ import annotations

from attrs import frozen

from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.json_lines import JsonLinesDriver
from sandkit_conformance.drivers.process import running
from sandkit_conformance.drivers.protocol import Address, DriverError
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.trials.answering import ANSWERING
from sandkit_conformance.drivers.trials.server import scripted_server
from sandkit_conformance.drivers.trials.timing import TIMING
from sandkit_conformance.drivers.trials.trial import KEY, Bench
from sandkit_conformance.redaction import MASK


@frozen
class Finding:
    """One thing that is wrong with a driver."""

    trial: str
    message: str

    def __str__(self) -> str:
        return f"{self.trial}: {self.message}"


async def try_driver(command: tuple[str, ...], contract: Contract) -> list[Finding]:
    """Run a driver through all trials; no finding means that it can be trusted. Takes a second or two."""
    with scripted_server() as server:
        address = Address(server.url, KEY)
        raw = RawHttpDriver(server.url)
        findings: list[Finding] = []
        trial = "hello"
        try:
            async with running(command, KEY) as process:
                driver = JsonLinesDriver(process, address, contract, raw)
                await driver.greet()
                bench = Bench(process, server.script, contract, driver.operations)
                for trial, perform in {**ANSWERING, **TIMING}.items():
                    findings += [Finding(trial, message) async for message in perform(bench)]
                trial = "goodbye"
                code = await process.stop()
                if code != 0:
                    findings.append(
                        Finding(trial, f"after `bye` it {_ended(code)}, and not with exit code 0")
                    )
                if MASK in process.said():
                    findings.append(Finding("secrets", "it wrote the API key to standard error"))
        except DriverError as error:
            findings.append(Finding(trial, str(error)))
        finally:
            await raw.aclose()
    return findings


def _ended(code: int | None) -> str:
    return "had to be killed" if code is None else f"ended with {code}"
