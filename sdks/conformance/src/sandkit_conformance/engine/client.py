"""Sends a scenario's calls: into the ledger, on the wire, then into trace, invariants and trajectories."""

from __future__ import annotations

import json
from typing import Any, Final

from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.engine.context import StepContext
from sandkit_conformance.ledger import Entry, Kind
from sandkit_conformance.trajectory import GONE

_CREATES: Final[dict[str, Kind]] = {
    "createSandbox": "sandbox",
    "createSnapshot": "snapshot",
    "createPool": "pool",
}
_REFUSALS: Final = frozenset({400, 401, 403, 404, 405, 409, 413, 415, 501})
_SHOWS: Final = {
    **dict.fromkeys(("createSandbox", "getSandbox", "patchSandboxMetadata"), "sandbox"),
    **dict.fromkeys(("createSnapshot", "getSnapshot"), "snapshot"),
}

_SUITES_OWN: Final = frozenset({"evidence", "cleanup"})


async def send(context: StepContext, call: Call, purpose: str = "call") -> Exchange:
    """Perform one call of a scenario, and let everybody know who keeps account of calls."""
    run = context.run
    body = _request_json(call)
    run.redactor.learn_from(body)
    intended = _write_ahead(context, call, body)
    subject = _subject(context, call)
    if subject:
        subject.asked(call.operation or "")
    driver = run.plain if purpose in _SUITES_OWN else run.driver
    exchange = await run.source.exchange(context.place, call, purpose, driver.perform)
    account_for(context, exchange)
    if intended and _is_settled(intended, exchange):
        run.ledger.settle(intended)
    return exchange


def account_for(context: StepContext, exchange: Exchange) -> None:
    """Draw what follows from an answer: invariants, trajectories, and what the ledger has to know."""
    run, name, call = context.run, context.scenario.scenario.name, exchange.call
    run.invariants.examine(exchange, f"{name} step {context.step.number}")
    subject = _subject(context, call)
    if subject and exchange.status is not None and 400 <= exchange.status < 500:
        subject.refused(call.operation or "")
    _write_down(context, exchange)
    _observe(context, exchange)


def _request_json(call: Call) -> Any:
    try:
        return json.loads(call.content) if call.content else None
    except (ValueError, RecursionError):
        return None


def _subject(context: StepContext, call: Call) -> Any:
    """The trajectory the call may move on."""
    sandbox = call.parameters.get("sandboxId")
    return context.scenario.trajectories.get(("sandbox", str(sandbox))) if sandbox is not None else None


def _write_ahead(context: StepContext, call: Call, body: Any) -> Entry | None:
    """Say in the ledger what the call may make; gives the entry that an answer settles."""
    ledger, scenario = context.run.ledger, context.scenario.scenario.name
    fields = body if isinstance(body, dict) else {}
    if call.operation == "createSnapshot":
        sandbox = str(call.parameters["sandboxId"])
        # Only of a sandbox of this run: a scenario may name one that is not the suite's to clean up after.
        if Entry("sandbox", sandbox, scenario) in ledger.entries:
            return ledger.intend("snapshots-of", sandbox, scenario)
    if call.operation == "createPool" and isinstance(fields.get("name"), str):
        return ledger.intend("pool", fields["name"], scenario)
    volumes = fields.get("volumes") if call.operation == "createSandbox" else None
    for volume in volumes if isinstance(volumes, list) else []:
        pvc = volume.get("pvc") if isinstance(volume, dict) else None
        claim = pvc.get("claimName") if isinstance(pvc, dict) else None
        # Only names of this run: a scenario may name a claim that is not the suite's to delete.
        if isinstance(claim, str) and claim.startswith(f"sk{context.run.run_id}-"):
            ledger.intend("claim", claim, scenario)
    return None


def _is_settled(intended: Entry, exchange: Exchange) -> bool:
    """Whether nothing is there but what has an entry of its own: it was told, or refused for certain."""
    told = exchange.ok and intended.kind == "snapshots-of"
    return told or exchange.status in _REFUSALS


def _write_down(context: StepContext, exchange: Exchange) -> None:
    kind = _CREATES.get(exchange.call.operation or "")
    if kind is None or not exchange.ok:
        return
    body = exchange.json
    name = body.get("name" if kind == "pool" else "id") if isinstance(body, dict) else None
    if isinstance(name, str):
        context.run.ledger.made(kind, name, context.scenario.scenario.name)


def _observe(context: StepContext, exchange: Exchange) -> None:
    kind = _SHOWS.get(exchange.call.operation or "")
    if kind is None or exchange.failure or kind not in context.run.tables:
        return
    parameter = exchange.call.parameters.get(f"{kind}Id")
    if (
        exchange.status == 404
        and parameter is not None
        and exchange.call.operation in {"getSandbox", "getSnapshot"}
    ):
        # Only something that was there before can be gone.
        if (kind, str(parameter)) in context.scenario.trajectories:
            note_state(context, kind, str(parameter), GONE, exchange)
        return
    body = exchange.json
    if not exchange.ok or not isinstance(body, dict) or not isinstance(body.get("id"), str):
        return
    status = body.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    if isinstance(state, str):
        note_state(context, kind, body["id"], state, exchange)


def note_state(context: StepContext, kind: str, name: str, state: str, exchange: Exchange) -> None:
    """Put an observed state into the resource's trajectory, and into the trace when it is a change."""
    trajectory = context.scenario.trajectory(kind, name)
    before = trajectory.observations[-1].state if trajectory.observations else None
    observation = trajectory.observe(state, exchange.started, exchange.ended)
    if observation is None or (before == state and observation.legal):
        return
    illegal = None if observation.legal else trajectory.illegal[-1]
    name_of_scenario = context.scenario.scenario.name
    where = f"{name_of_scenario} step {context.step.number}"
    context.run.invariants.transition(where, kind, illegal, exchange.ended)
    context.record("state", resource=kind, id=name, state=state, before=before, legal=observation.legal)
