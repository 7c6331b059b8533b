"""What every run begins with: its files, its context, its connections, and a first look at what is there."""

from __future__ import annotations

import secrets
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self, TextIO

from attrs import field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.preflight import check_server, connect_side_ports
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace


@frozen
class Identity:
    """Tells a run from every other, and repeats it: by default both are drawn."""

    run_id: str = field(factory=lambda: secrets.token_hex(3))
    seed: int = field(factory=lambda: secrets.randbelow(1_000_000))


class Sinks:
    """The files a run writes as it goes: trace and ledger; nothing without a folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.trace: TextIO | None = None
        self.ledger: TextIO | None = None

    def __enter__(self) -> Self:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.trace = (self._folder / "trace.ndjson").open(
                "w", encoding="utf-8", errors="backslashreplace", newline="\n"
            )
            self.ledger = (self._folder / "ledger.ndjson").open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        for sink in (self.trace, self.ledger):
            if sink:
                sink.close()


async def connect(
    target: Target, catalogue: Catalogue, identity: Identity, sinks: Sinks, opened: AsyncExitStack
) -> tuple[RunContext, str]:
    """The context of a run with everything connected, and the server's version; `opened` closes it again.

    Raises:
        SuiteError: nobody there, not this API, the key is refused, or a side port does not work.
    """
    redactor = Redactor(identity.run_id)
    driver = RawHttpDriver(target.root)
    opened.push_async_callback(driver.aclose)
    context = RunContext(
        run_id=identity.run_id,
        seed=identity.seed,
        target=target,
        catalogue=catalogue,
        contract=Contract(catalogue.openapi),
        driver=driver,
        trace=Trace(redactor, sinks.trace),
        ledger=Ledger(identity.run_id, sinks.ledger),
        redactor=redactor,
    )
    version = await check_server(driver, target)
    await connect_side_ports(context, opened)
    return context, version


async def census(context: RunContext) -> tuple[str, ...] | None:
    """Everything that is there already; None when nobody can see it."""
    if context.probe is None or "view" not in context.probe.features:
        return None
    try:
        view = await context.probe.view()
    except SidePortError:
        return None
    context.clock.set(view.time)
    return view.census()
