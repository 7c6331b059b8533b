"""Sweeping up after a run that was killed: by its label, and by its ledger when there is one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import anyio
from attrs import define, field

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.engine.cleaning import take_back
from sandkit_conformance.engine.context import RunContext, ScenarioContext
from sandkit_conformance.engine.leaks import delete_sandbox, labelled_sandboxes
from sandkit_conformance.engine.preflight import check_server, connect_side_ports
from sandkit_conformance.failures import Position, SuiteError
from sandkit_conformance.ledger import Entry, Kind, Ledger, read_ledger
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.model import Scenario
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace

_QUIET_LOOKS: Final = 2
_LATE_SECONDS: Final = 0.2


@define
class SweepReport:
    """What a sweep took away, and what it could not."""

    run_id: str
    deleted: list[str] = field(factory=list)
    left: list[str] = field(factory=list)

    def lines(self) -> list[str]:
        """For the terminal."""
        lines = [f"deleted {name}" for name in self.deleted] + list(self.left)
        return lines or [f"nothing of run {self.run_id} is left"]


async def sweep_run(
    target: Target, catalogue: Catalogue, run_id: str | None, ledger_file: Path | None
) -> SweepReport:
    """Delete what a run left behind.

    Raises:
        SuiteError: the server or the ledger cannot be used, or ledger and run id do not belong together.
    """
    ledger = read_ledger(ledger_file) if ledger_file else Ledger(run_id or "")
    if run_id and ledger.run_id != run_id:
        raise SuiteError(f"the ledger {ledger_file} is of run {ledger.run_id}, not of {run_id}")
    report = SweepReport(ledger.run_id)
    redactor = Redactor()
    driver = RawHttpDriver(target.root)
    context = RunContext(
        run_id=ledger.run_id,
        seed=0,
        target=target,
        catalogue=catalogue,
        contract=Contract(catalogue.openapi),
        driver=driver,
        trace=Trace(redactor),
        ledger=ledger,
        redactor=redactor,
    )
    async with AsyncExitStack() as opened:
        opened.push_async_callback(driver.aclose)
        await check_server(driver, target)
        await connect_side_ports(context, opened)
        # What stands at a gate of the killed run cannot be deleted, and may make something when it is let go.
        await _sweep_ledger(context, report, frozenset({"fault", "gate"}))
        await _sweep_labelled(context, report)
        await _sweep_ledger(context, report)
        report.left += [
            f"{entry.kind} {entry.name} may be left: only a probe that can `seed` could delete it"
            for entry in context.ledger.standing()
            if entry.kind == "claim"
        ]
    return report


async def _sweep_labelled(context: RunContext, report: SweepReport) -> None:
    """Delete what carries the run's label, until a second look finds nothing that came late."""
    quiet = 0
    given_up: set[str] = set()
    while quiet < _QUIET_LOOKS:
        names = [name for name in await labelled_sandboxes(context) if name not in given_up]
        quiet = 0 if names else quiet + 1
        for name in names:
            if await delete_sandbox(context, name):
                report.deleted.append(f"sandbox {name}")
                _strike_out(name, context)
            else:
                given_up.add(name)
                report.left.append(f"sandbox {name} is left: the server did not delete it")
        await anyio.sleep(_LATE_SECONDS)


def _strike_out(sandbox: str, context: RunContext) -> None:
    for entry in context.ledger.standing():
        if entry.kind == "sandbox" and entry.name == sandbox:
            context.ledger.gone(entry)


async def _sweep_ledger(
    context: RunContext, report: SweepReport, kinds: frozenset[Kind] | None = None
) -> None:
    for name in dict.fromkeys(entry.scenario for entry in context.ledger.standing()):
        standing: list[Entry] = context.ledger.standing(name)
        scenario = Scenario(name, f"sweep {name}", "", Position("", 0), ())
        report.left += await take_back(ScenarioContext(context, scenario, 0), kinds)
        left = set(context.ledger.standing(name))
        report.deleted += [f"{entry.kind} {entry.name}" for entry in standing if entry not in left]
