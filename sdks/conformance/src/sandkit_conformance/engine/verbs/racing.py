"""`race`: calls at the same moment, judged together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import anyio

from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.engine.client import send
from sandkit_conformance.engine.context import Outcome, StepContext
from sandkit_conformance.engine.requests import build_call
from sandkit_conformance.engine.verbs.calling import reply
from sandkit_conformance.history import Model, Operation, explained
from sandkit_conformance.scenario.matchers import match, show
from sandkit_conformance.trajectory import GONE, Trajectory


async def race(context: StepContext) -> Outcome:
    """Let the contenders go all at once."""
    calls = _contenders(context)
    context.scenario.random.shuffle(calls)
    subjects = [_subject(call, context) for call in calls]
    initial = [_states_of(subject) for subject in subjects]
    exchanges = await _run(calls, context)
    expect = context.get("expect", {})
    replies = [reply(exchange) for exchange in exchanges]
    winners = [one["body"] for one, exchange in zip(replies, exchanges, strict=True) if exchange.ok]
    context.bind({"statuses": [one["status"] for one in replies], "replies": replies, "winners": winners})
    reasons = _tally_reasons(expect, exchanges)
    if "winners" in expect:
        reasons += [str(one) for one in match(expect["winners"], winners, "winners")]
    if expect.get("explained") and not _explained(exchanges, subjects, initial, context):
        reasons.append(
            f"no order of the calls, one after the other, explains the answers {_summary(exchanges)}"
        )
    return Outcome.fail(*reasons) if reasons else Outcome()


def _contenders(context: StepContext) -> list[Call]:
    calls: list[Call] = []
    for entry in context.body["race"]:
        for _ in range(entry.get("times", 1)):
            fields = context.resolve(entry, race={"index": len(calls)})
            calls.append(build_call(fields, context.run, context.seconds("within", "request")))
    return calls


async def _run(calls: list[Call], context: StepContext) -> list[Exchange]:
    exchanges: list[Exchange | None] = [None] * len(calls)
    start = anyio.Event()

    async def contend(index: int, call: Call) -> None:
        await start.wait()
        try:
            exchanges[index] = await send(context, call, purpose="race")
        finally:
            join()

    join = context.run.source.fork(len(calls))
    async with anyio.create_task_group() as group:
        for index, call in enumerate(calls):
            group.start_soon(contend, index, call)
        await anyio.lowlevel.checkpoint()
        start.set()
    return [exchange for exchange in exchanges if exchange is not None]


def _summary(exchanges: list[Exchange]) -> str:
    counts = Counter(
        f"{exchange.call.operation or exchange.call.path} {exchange.outcome()}" for exchange in exchanges
    )
    return ", ".join(f"{count} x {text}" for text, count in sorted(counts.items()))


def _tally_reasons(expect: Mapping[str, Any], exchanges: list[Exchange]) -> list[str]:
    lost = [exchange for exchange in exchanges if exchange.failure]
    counts = Counter(exchange.status for exchange in exchanges if not exchange.failure)
    reasons = [f"no answer: {exchange.outcome()}" for exchange in lost]
    for status, matcher in expect.get("tally", {}).items():
        mismatches = match(matcher, counts.get(int(status), 0), f"answers with {status}")
        reasons += [f"{one} (all: {_summary(exchanges)})" for one in mismatches]
    if "statuses" in expect:
        other = sorted({status for status in counts if status not in expect["statuses"]}, key=str)
        if other:
            reasons.append(
                f"statuses: expected only {show(expect['statuses'])}, observed {_summary(exchanges)}"
            )
    return reasons


def _subject(call: Call, context: StepContext) -> Trajectory | None:
    sandbox = call.parameters.get("sandboxId")
    return context.scenario.trajectories.get(("sandbox", str(sandbox))) if sandbox is not None else None


def _states_of(trajectory: Trajectory | None) -> frozenset[str]:
    """Where the resource may be before the race; one never heard of is `gone` to the server."""
    return trajectory.possible_states() if trajectory else frozenset({GONE})


def _explained(
    exchanges: list[Exchange],
    subjects: list[Trajectory | None],
    initial: list[frozenset[str]],
    context: StepContext,
) -> bool:
    machine = context.run.catalogue.machines["sandbox"]
    model = Model(machine, context.run.tables["sandbox"])
    groups: dict[str, tuple[frozenset[str], list[Operation]]] = {}
    for exchange, subject, states in zip(exchanges, subjects, initial, strict=True):
        key = subject.id if subject else exchange.call.path
        operation = Operation(
            exchange.call.operation or "",
            exchange.started,
            exchange.ended,
            None if exchange.failure else exchange.status,
        )
        groups.setdefault(key, (states, []))[1].append(operation)
    return all(explained(model, states, operations) for states, operations in groups.values())
