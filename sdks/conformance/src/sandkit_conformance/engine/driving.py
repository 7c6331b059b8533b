"""Puts a driver between the scenarios and the server, for as long as they are played."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sandkit_conformance.drivers.choosing import RAW, driver_command, open_driver
from sandkit_conformance.drivers.protocol import Address, DriverError
from sandkit_conformance.engine.context import RunContext


@asynccontextmanager
async def through(choice: str, run: RunContext) -> AsyncIterator[None]:
    """Let the run's scenarios go through the chosen driver.

    A driver is tried against a scripted server first: one that lies about what it did could make a broken
    server look good, and nothing in the run itself would show it.

    Raises:
        DriverError: the driver cannot be trusted, or not one call of the run could go through it.
    """
    if choice == RAW:
        yield
        return
    # Most runs have no driver to try, and do not wait for what tries one.
    from sandkit_conformance.drivers.json_lines import JsonLinesDriver
    from sandkit_conformance.drivers.trials.course import try_driver

    findings = await try_driver(driver_command(choice), run.contract)
    if findings:
        raise DriverError(f"the driver breaks the protocol; `driver-check` says how: {findings[0]}")
    raw = run.driver
    async with open_driver(choice, Address(run.target.root, run.target.api_key), run.contract, raw) as driver:
        assert isinstance(driver, JsonLinesDriver)
        run.driver, run.raw = driver, raw
        try:
            yield
        finally:
            said = driver.process.said()
            run.trace.record(
                "driver", "", "driver", name=driver.name, performed=driver.performed, stderr=said
            )
    if not driver.performed:
        raise DriverError("no call of this selection can go through the driver; run it with --driver raw")
