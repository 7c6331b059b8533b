"""`fault`, `clear`, `gate`, `advance`, `restart`: what the control port does."""

from __future__ import annotations

import time
from functools import partial
from typing import Final

from sandkit_conformance.engine.context import PASSED, Outcome, StepContext
from sandkit_conformance.ledger import Entry
from sandkit_conformance.scenario.matchers import match
from sandkit_conformance.scenario.paths import NOTHING

_LONGEST_WAIT: Final = 5.0


async def fault(context: StepContext) -> Outcome:
    """Make an inner step go wrong until cleared."""
    handle = context.scenario.unique(f"fault-{context.step.number}")
    fields = {"id": handle, "point": context.get("fault")}
    for name in ("action", "when", "status", "code", "seconds", "match", "times"):
        if name in context.body:
            fields[name] = context.get(name)
    context.run.ledger.intend("fault", handle, context.scenario.scenario.name)
    await context.look("fault", {"set": fields}, lambda: context.control.inject(fields))
    context.scenario.faults[context.body.get("as", handle)] = handle
    return PASSED


async def clear(context: StepContext) -> Outcome:
    """Take faults back, and say how often each has struck."""
    wanted = context.get("clear")
    names = list(context.scenario.faults) if wanted == "all" else [wanted]
    reasons: list[str] = []
    for name in names:
        handle = context.scenario.faults.pop(name, None)
        if handle is None:
            continue
        hits = (await context.look("fault", {"cleared": name}, partial(_clear, handle, context))).value
        context.run.ledger.gone(Entry("fault", handle, context.scenario.scenario.name))
        if "hits" in context.body:
            found = NOTHING if hits is None else hits
            reasons += [str(one) for one in match(context.get("hits"), found, f"hits of fault {name}")]
    return Outcome.fail(*reasons, halts=True) if reasons else PASSED


async def _clear(handle: str, context: StepContext) -> int | None:
    hits = await context.control.fault_hits(handle)
    await context.control.clear_fault(handle)
    return hits


async def gate(context: StepContext) -> Outcome:
    """Hold, wait until reached, or release."""
    what = context.body["gate"]
    if what == "hold":
        handle = context.scenario.unique(f"gate-{context.step.number}")
        fields = {"id": handle, "point": context.get("point"), "when": context.get("when", "before")}
        if "match" in context.body:
            fields["match"] = context.get("match")
        context.run.ledger.intend("gate", handle, context.scenario.scenario.name)
        await context.look("gate", {"hold": fields}, lambda: context.control.hold(fields))
        context.scenario.gates[context.body["as"]] = handle
        return PASSED
    name = context.get("of")
    handle = context.scenario.gates[name]
    if what == "release":
        await context.look("gate", {"released": name}, lambda: context.control.release(handle))
        return PASSED
    return await _reached(name, handle, context)


async def _reached(name: str, handle: str, context: StepContext) -> Outcome:
    budget, count = context.seconds("within", "settle"), context.body.get("count", 1)
    deadline = time.monotonic() + budget

    async def ask() -> int:
        # The control port waits for the first to come.
        return await context.control.held(handle, max(0.0, min(deadline - time.monotonic(), _LONGEST_WAIT)))

    held = 0
    async for _ in context.ticks(budget):
        held = (await context.look("gate", {"reached": name}, ask)).value
        if held >= count:
            return PASSED
    return Outcome.fail(
        f"gate {name}: expected {count} to stand there within {budget:g} s, observed {held}", halts=True
    )


async def advance(context: StepContext) -> Outcome:
    """Move the server's clock."""
    seconds = context.get("advance")

    async def ask() -> str:
        now = await context.control.advance(seconds)
        context.run.clock.set(now)
        return now

    await context.look("clock", {"advanced": seconds}, ask)
    return PASSED


async def restart(context: StepContext) -> Outcome:
    """Stop the server and start a new one over the same engine."""
    how, part = context.get("restart"), context.get("of", "all")
    query = {"how": how} if part == "all" else {"how": how, "of": part}
    graceful = how == "graceful"
    await context.look("restart", query, lambda: context.control.restart(graceful=graceful, part=part))
    return PASSED
