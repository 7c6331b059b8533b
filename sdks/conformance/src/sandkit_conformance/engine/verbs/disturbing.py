"""`fault`, `clear`, `gate`, `advance`, `restart`: what the control port does."""

from __future__ import annotations

import time
from typing import Final

from sandkit_conformance.engine.context import PASSED, Outcome, StepContext
from sandkit_conformance.ledger import Entry
from sandkit_conformance.scenario.matchers import match
from sandkit_conformance.scenario.paths import NOTHING

_LONGEST_WAIT: Final = 5.0


async def fault(context: StepContext) -> Outcome:
    """Make an inner step go wrong until cleared."""
    fields = {"point": context.get("fault")}
    for name in ("action", "when", "status", "code", "seconds", "match", "times"):
        if name in context.body:
            fields[name] = context.get(name)
    handle = await context.control.inject(fields)
    context.scenario.faults[context.body.get("as", handle)] = handle
    context.run.ledger.made("fault", handle, context.scenario.scenario.name)
    context.record("fault", set=fields, id=handle)
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
        hits = await context.control.fault_hits(handle)
        await context.control.clear_fault(handle)
        context.run.ledger.gone(Entry("fault", handle, context.scenario.scenario.name))
        context.record("fault", cleared=name, id=handle, hits=hits)
        if "hits" in context.body:
            found = NOTHING if hits is None else hits
            reasons += [str(one) for one in match(context.get("hits"), found, f"hits of fault {name}")]
    return Outcome.fail(*reasons, halts=True) if reasons else PASSED


async def gate(context: StepContext) -> Outcome:
    """Hold, wait until reached, or release."""
    what = context.body["gate"]
    if what == "hold":
        fields = {"point": context.get("point"), "when": context.get("when", "before")}
        if "match" in context.body:
            fields["match"] = context.get("match")
        handle = await context.control.hold(fields)
        context.scenario.gates[context.body["as"]] = handle
        context.run.ledger.made("gate", handle, context.scenario.scenario.name)
        context.record("gate", held=fields, id=handle)
        return PASSED
    name = context.get("of")
    handle = context.scenario.gates[name]
    if what == "release":
        await context.control.release(handle)
        context.record("gate", released=name)
        return PASSED
    return await _reached(name, handle, context)


async def _reached(name: str, handle: str, context: StepContext) -> Outcome:
    budget, count = context.seconds("within", "settle"), context.body.get("count", 1)
    deadline = time.monotonic() + budget
    held = 0
    while (left := deadline - time.monotonic()) > 0:
        held = await context.control.held(handle, min(left, _LONGEST_WAIT))
        if held >= count:
            context.record("gate", reached=name, held=held)
            return PASSED
    return Outcome.fail(
        f"gate {name}: expected {count} to stand there within {budget:g} s, observed {held}", halts=True
    )


async def advance(context: StepContext) -> Outcome:
    """Move the server's clock."""
    seconds = context.get("advance")
    now = await context.control.advance(seconds)
    context.run.clock.set(now)
    context.record("clock", advanced=seconds, now=now)
    return PASSED


async def restart(context: StepContext) -> Outcome:
    """Stop the server and start a new one over the same engine."""
    how = context.get("restart")
    await context.control.restart(graceful=how == "graceful")
    context.record("restart", how=how)
    return PASSED
