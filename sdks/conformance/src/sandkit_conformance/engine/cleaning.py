"""Cleaning up: evidence first, then faults and gates, then what the ledger holds and nothing else."""

from __future__ import annotations

import time
from typing import Final

import anyio

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.client import send
from sandkit_conformance.engine.context import RunContext, ScenarioContext, StepContext
from sandkit_conformance.engine.requests import build_call
from sandkit_conformance.failures import Position
from sandkit_conformance.ledger import Entry, Kind
from sandkit_conformance.scenario.model import Step

_READS: Final = {"sandbox": "getSandbox", "snapshot": "getSnapshot", "pool": "getPool"}
_DELETES: Final = {"sandbox": "deleteSandbox", "snapshot": "deleteSnapshot", "pool": "deletePool"}
_EVIDENCE_SECONDS: Final = 5.0
# More than a scenario takes of one sandbox.
_PAGE: Final = 100
# Faults and gates first, for they may stop the rest; sandboxes next, for they may use the rest.
_ORDER: Final = ("fault", "gate", "sandbox", "snapshots-of", "snapshot", "pool", "workload", "claim")


def _context(scenario: ScenarioContext, number: str) -> StepContext:
    return StepContext(scenario, Step(verb="call", body={}, number=number, position=Position("", 0)))


class LiveClosing:
    """What is done at the end of a scenario on a server."""

    async def evidence(self, scenario: ScenarioContext) -> None:
        """See `capture_evidence`."""
        await capture_evidence(scenario)

    async def open_gates(self, scenario: ScenarioContext) -> list[str]:
        """Let through what stands at the scenario's gates; says what could not be."""
        problems: list[str] = []
        control = scenario.run.control
        if control is None:
            return problems
        for gate in scenario.gates.values():
            try:
                await control.release(gate)
            except SidePortError as error:
                problems.append(str(error))
        return problems

    async def take_back(self, scenario: ScenarioContext) -> list[str]:
        """See `take_back`."""
        return await take_back(scenario)


async def capture_evidence(scenario: ScenarioContext) -> None:
    """Write down how things stand after something went wrong, before anything is deleted."""
    run, context = scenario.run, _context(scenario, "evidence")
    if run.health.dead:
        return
    own = run.ledger.standing(scenario.scenario.name)
    with anyio.move_on_after(_EVIDENCE_SECONDS):
        for entry in own:
            operations = [_READS[entry.kind]] if entry.kind in _READS else []
            operations += ["getSandboxEvents", "getSandboxLogs"] if entry.kind == "sandbox" else []
            for operation in operations:
                await _call(operation, entry.name, context, "evidence")
        if run.probe and "view" in run.probe.features:
            try:
                view = await run.probe.view()
            except SidePortError as error:
                context.record("evidence", problem=str(error))
                return
            names = frozenset(entry.name for entry in own)
            context.record("evidence", belonging=list(view.belonging_to(names)), view=view.rows_of(names))


async def _call(operation: str, name: str, context: StepContext, purpose: str) -> Exchange:
    built = build_call({"call": operation, "for": name}, context.run, context.run.target.seconds("request"))
    return await send(context, built, purpose)


async def take_back(scenario: ScenarioContext, kinds: frozenset[Kind] | None = None) -> list[str]:
    """Take back what the scenario made and set (or only these kinds of it); says what could not be."""
    problems: list[str] = []
    run = scenario.run
    entries = run.ledger.standing(scenario.scenario.name)
    for entry in sorted(entries, key=lambda one: _ORDER.index(one.kind)):
        if (kinds is not None and entry.kind not in kinds) or _out_of_reach(entry, run):
            continue
        problem = run.health.dead or await _take_back(entry, _context(scenario, "cleanup"))
        if problem:
            problems.append(f"{entry.kind} {entry.name} is left: {problem}")
        else:
            run.ledger.gone(entry)
    return problems


def _out_of_reach(entry: Entry, run: RunContext) -> bool:
    """No API deletes a claim, so without a probe it stays in the ledger; the leak verdict says so once."""
    return entry.kind == "claim" and not can_remove_claims(run)


def can_remove_claims(run: RunContext) -> bool:
    """Whether there is a probe that deletes volumes."""
    return run.probe is not None and "seed" in run.probe.features


async def _take_back(entry: Entry, context: StepContext) -> str | None:
    """Take one entry back; the reason when that cannot be done."""
    try:
        if entry.kind in {"fault", "gate"}:
            return await _calm(entry, context)
        if entry.kind in {"claim", "workload"}:
            return await _delete_by_probe(entry, context)
    except SidePortError as error:
        return str(error)
    if entry.kind == "snapshots-of":
        return await _delete_snapshots(entry, context)
    return await _delete(entry, context)


async def _calm(entry: Entry, context: StepContext) -> str | None:
    control = context.run.control
    if control is None:
        return "only the control port could take it back"
    if entry.kind == "fault":
        await control.clear_fault(entry.name)
    else:
        await control.drop_gate(entry.name)
    return None


async def _delete_snapshots(entry: Entry, context: StepContext) -> str | None:
    """Delete every snapshot of a sandbox of the suite's; the reason when that cannot be done."""
    fields = {"call": "listSnapshots", "query": {"sandboxId": entry.name, "pageSize": _PAGE}}
    built = build_call(fields, context.run, context.run.target.seconds("request"))
    exchange = await send(context, built, "cleanup")
    body = exchange.json
    items = body.get("items") if exchange.ok and isinstance(body, dict) else None
    if not isinstance(items, list):
        return (
            None if exchange.status in {404, 501} else f"the list of snapshots answered {exchange.outcome()}"
        )
    for item in items:
        # The filter is the server's word; the sandbox in the answer counts before anything is deleted.
        if isinstance(item, dict) and item.get("sandboxId") == entry.name:
            snapshot = Entry("snapshot", str(item.get("id")), entry.scenario)
            problem = await _delete(snapshot, context)
            if problem:
                return f"its snapshot {snapshot.name}: {problem}"
            context.run.ledger.gone(snapshot)
    return None


async def _delete(entry: Entry, context: StepContext) -> str | None:
    """Delete through the API and wait until it is gone; the reason when that cannot be done."""
    budget = context.run.target.seconds("stop")
    deadline = time.monotonic() + budget
    pause = context.run.target.seconds("poll")
    last = ""
    while time.monotonic() < deadline:
        exchange = await _call(_DELETES[entry.kind], entry.name, context, "cleanup")
        if exchange.status == 404:
            return None
        last = exchange.outcome()
        if exchange.ok and await _gone(entry, context, deadline):
            return None
        # 409: it is still being made, or in use by something about to go. A broken connection says nothing.
        if not exchange.ok and not exchange.failure and exchange.status not in {409, 429, 500, 503}:
            break
        await anyio.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    return f"delete answered {last}"


async def _gone(entry: Entry, context: StepContext, deadline: float) -> bool:
    pause = context.run.target.seconds("poll")
    while time.monotonic() < deadline:
        exchange = await _call(_READS[entry.kind], entry.name, context, "cleanup")
        body = exchange.json
        status = body.get("status") if isinstance(body, dict) else None
        if exchange.status == 404 or (isinstance(status, dict) and status.get("state") == "Terminated"):
            return True
        if exchange.failure:
            return False
        await anyio.sleep(pause)
        pause = min(pause * 1.5, 0.25)
    return False


async def _delete_by_probe(entry: Entry, context: StepContext) -> str | None:
    probe = context.run.probe
    if probe is None or "seed" not in probe.features:
        return "only a probe that can `seed` could delete it"
    await probe.remove("volume" if entry.kind == "claim" else "workload", entry.name)
    return None
