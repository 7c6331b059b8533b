"""Diagnosis: what a target is and shows, before anybody trusts a verdict about it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.control.http import connect_control
from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePort
from sandkit_conformance.engine.preflight import check_server
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.probes.http import connect_probe
from sandkit_conformance.target import PortAddress, Target

_CAPABILITY_READS: Final = {"pools": "/v1/pools", "snapshots": "/v1/snapshots"}


@frozen
class Finding:
    """One thing found out; `good` is False when it has to be mended."""

    good: bool
    text: str


async def diagnose(target: Target, catalogue: Catalogue) -> list[Finding]:
    """Look at the server, the ports and what the target file declares."""
    driver = RawHttpDriver(target.root)
    findings: list[Finding] = []
    try:
        version = await check_server(driver, target)
        findings.append(Finding(True, f"{target.root} speaks the API; version {version}"))
        findings.extend(
            [await _declared(driver, target, name, path) for name, path in _CAPABILITY_READS.items()]
        )
    except SuiteError as error:
        findings.append(Finding(False, str(error)))
    finally:
        await driver.aclose()
    known = {requirement.capability for requirement in catalogue.requirements.values()}
    findings += [
        Finding(False, f"capability {unknown} is declared, and the catalogue knows no such capability")
        for unknown in sorted((target.capabilities or frozenset()) - known)
    ]
    findings.append(await _port("probe", target.probe, _probe_features))
    findings.append(await _port("control", target.control, _control_features))
    return findings


async def _declared(driver: RawHttpDriver, target: Target, capability: str, path: str) -> Finding:
    headers = ((API_KEY_HEADER, target.api_key),) if target.api_key else ()
    exchange = await driver.perform(Call("GET", path, target.seconds("request"), headers=headers))
    shown = exchange.ok
    if shown == target.has(capability):
        return Finding(
            True, f"{capability}: {'declared and there' if shown else 'not declared and not there'}"
        )
    if shown:
        return Finding(True, f"{capability}: there, and not declared; its checks are left out")
    return Finding(False, f"{capability}: declared, and GET {path} answered {exchange.outcome()}")


async def _probe_features(port: SidePort) -> frozenset[str]:
    return (await connect_probe(port)).features


async def _control_features(port: SidePort) -> frozenset[str]:
    return (await connect_control(port)).features


async def _port(
    name: str, address: PortAddress | None, connect: Callable[[SidePort], Awaitable[frozenset[str]]]
) -> Finding:
    if address is None:
        return Finding(True, f"no {name} port: what needs one will be unobservable")
    driver = RawHttpDriver(address.url)
    try:
        port = SidePort("probe" if name == "probe" else "control", driver, address.key)
        return Finding(True, f"the {name} port can do {', '.join(sorted(await connect(port)))}")
    except SuiteError as error:
        return Finding(False, str(error))
    finally:
        await driver.aclose()
