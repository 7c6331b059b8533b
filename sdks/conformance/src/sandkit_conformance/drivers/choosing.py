"""Which driver a run goes through, by its name on the command line."""

from __future__ import annotations

import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import Driver
from sandkit_conformance.drivers.protocol import Address, DriverError

RAW: Final = "raw"
_PYTHON: Final = (sys.executable, "-m", "sandkit_conformance.drivers.python", "--mode")
_KNOWN: Final = {"python": (*_PYTHON, "sync"), "python-async": (*_PYTHON, "async")}


def driver_command(choice: str) -> tuple[str, ...]:
    """The command of a driver: one of our own by its name, or a command line as a shell would split it.

    Raises:
        DriverError: there is no command in it.
    """
    if choice in _KNOWN:
        return _KNOWN[choice]
    try:
        command = tuple(shlex.split(choice))
    except ValueError as error:
        raise DriverError(f"--driver {choice!r} is no command: {error}") from error
    if not command:
        raise DriverError(f"--driver is empty; it is {RAW}, {', '.join(_KNOWN)} or a command")
    return command


@asynccontextmanager
async def open_driver(
    choice: str, address: Address, contract: Contract, raw: Driver
) -> AsyncIterator[Driver]:
    """The chosen driver, ready for calls; a process is ended on the way out.

    Raises:
        DriverError: the driver cannot be started, or does not speak the protocol.
    """
    if choice == RAW:
        yield raw
        return
    # Raw HTTP needs no processes.
    from sandkit_conformance.drivers.json_lines import JsonLinesDriver
    from sandkit_conformance.drivers.process import running

    async with running(driver_command(choice), address.api_key) as process:
        driver = JsonLinesDriver(process, address, contract, raw)
        await driver.greet()
        yield driver
