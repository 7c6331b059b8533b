"""`await` and `never`: looking again and again, at states or at a condition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.engine.client import send
from sandkit_conformance.engine.context import PASSED, Outcome, StepContext
from sandkit_conformance.engine.expectation import judge_reply
from sandkit_conformance.engine.observation import judge_rows, look
from sandkit_conformance.engine.requests import build_call
from sandkit_conformance.scenario.matchers import match
from sandkit_conformance.scenario.paths import NOTHING, select
from sandkit_conformance.trajectory import GONE, Trajectory


@define
class _Reading:
    """Reads the state of one resource again and again."""

    context: StepContext
    kind: str
    name: str
    exchange: Exchange | None = None
    states: list[str] = field(factory=list)
    odd: str | None = None

    @property
    def trajectory(self) -> Trajectory:
        return self.context.scenario.trajectory(self.kind, self.name)

    async def read(self) -> str | None:
        """The state, `gone`, or None when the answer shows none (then `odd` says why)."""
        operation = "getSandbox" if self.kind == "sandbox" else "getSnapshot"
        timeout = self.context.run.target.seconds("request")
        built = build_call({"call": operation, "for": self.name}, self.context.run, timeout)
        self.exchange = exchange = await send(self.context, built, purpose="poll")
        state: Any = GONE if exchange.status == 404 else select(exchange.json, "status.state")
        if exchange.failure or not (exchange.ok or state == GONE) or not isinstance(state, str):
            self.odd = f"reading it: {exchange.outcome()}"
            return None
        if not self.states or self.states[-1] != state:
            self.states.append(state)
        return state

    @property
    def hopeless(self) -> bool:
        """Whether asking again cannot help: the caller is refused, or what comes back is no HTTP."""
        exchange = self.exchange
        if exchange is None or exchange.ok:
            return False
        if exchange.failure:
            return exchange.failure.kind not in {"unreachable", "timeout"} or bool(self.context.dead)
        return exchange.status in {400, 401, 403, 405}

    def path(self) -> str:
        return " → ".join(self.states) or "no state at all"


async def await_(context: StepContext) -> Outcome:
    """Wait for a state or a condition."""
    wanted = context.get("await")
    if isinstance(wanted, Mapping):
        return await _await_condition(wanted, context)
    states = frozenset(wanted if isinstance(wanted, list) else [wanted])
    reading = _Reading(context, context.get("kind", "sandbox"), str(context.get("for")))
    return await _await_state(states, reading, context)


async def _await_state(states: frozenset[str], reading: _Reading, context: StepContext) -> Outcome:
    budget = context.seconds("within", "settle")
    trajectory = reading.trajectory
    trajectory.forget_missed()
    known_illegal = len(trajectory.illegal)
    text = " or ".join(sorted(states))
    async for _ in context.ticks(budget):
        state = await reading.read()
        if state in states:
            return _arrived(reading, context, trajectory.illegal[known_illegal:])
        if state is None:
            if reading.hopeless:
                return Outcome.fail(f"waiting for {text}: {reading.odd}", halts=True)
            continue
        if not trajectory.can_reach(states):
            return _dead_end(text, states, reading)
    last = reading.odd if reading.odd and not reading.states else f"saw {reading.path()}"
    return Outcome.fail(f"waiting for {text}: not within {budget:g} s; {last}", halts=True)


def _arrived(reading: _Reading, context: StepContext, illegal: list[str]) -> Outcome:
    body = reading.exchange.json if reading.exchange else None
    context.bind(None if body is NOTHING else body)
    # As a prerequisite it has done its duty; illegal changes are then the standing check's business.
    if illegal and context.step.check:
        return Outcome.fail(*illegal, f"saw {reading.path()}")
    return PASSED


def _dead_end(text: str, states: frozenset[str], reading: _Reading) -> Outcome:
    message = f"waiting for {text}: saw {reading.path()}, from where it cannot follow any more"
    status = select(reading.exchange.json, "status") if reading.exchange else NOTHING
    if isinstance(status, Mapping) and (status.get("reason") or status.get("message")):
        message += f" ({status.get('reason')}: {status.get('message')})"
    if reading.trajectory.may_have_passed(states):
        return Outcome.inconclusive(f"{message}; it may have been there between two readings", halts=True)
    return Outcome.fail(message, halts=True)


async def _await_condition(condition: Mapping[str, Any], context: StepContext) -> Outcome:
    budget = context.seconds("within", "settle")
    found = _Found(None, ("never looked",), 0.0)
    async for _ in context.ticks(budget):
        found = await _evaluate(condition, context)
        if not found.reasons:
            context.bind(found.value)
            return PASSED
        if context.dead:
            break
    return Outcome.fail(*(f"not within {budget:g} s: {reason}" for reason in found.reasons), halts=True)


@frozen
class _Found:
    """What a look at a condition brought; `began` is seconds of the run."""

    value: Any
    reasons: tuple[str, ...]
    began: float


async def _evaluate(condition: Mapping[str, Any], context: StepContext) -> _Found:
    if "probe" in condition:
        observed, began = await look(condition, context)
        return _Found(observed.value(), tuple(judge_rows(condition["expect"], observed)), began)
    if "fault" in condition:
        name = condition["fault"]
        handle = context.scenario.faults[name]
        seen = await context.look("fault", {"hits": name}, lambda: context.control.fault_hits(handle))
        found = NOTHING if seen.value is None else seen.value
        reasons = [str(one) for one in match(condition["expect"]["hits"], found, f"hits of fault {name}")]
        return _Found({"hits": seen.value}, tuple(reasons), seen.began)
    built = build_call(condition, context.run, context.run.target.seconds("request"))
    exchange = await send(context, built, purpose="poll")
    body = exchange.json
    reasons = list(judge_reply(condition["expect"], exchange, context.run).reasons)
    return _Found(None if body is NOTHING else body, tuple(reasons), exchange.started)


async def never(context: StepContext) -> Outcome:
    """Look during the whole window for what must not be there."""
    unwanted = context.get("never")
    window = context.seconds("during", "window")
    if isinstance(unwanted, Mapping):
        return await _never_condition(unwanted, window, context)
    states = frozenset(unwanted if isinstance(unwanted, list) else [unwanted])
    reading = _Reading(context, context.get("kind", "sandbox"), str(context.get("for")))
    readings = 0
    first: float | None = None
    async for _ in context.ticks(window):
        state = await reading.read()
        readings += state is not None
        began = reading.exchange.started if reading.exchange else 0.0
        first = began if first is None else first
        if state in states:
            return Outcome.fail(f"saw {reading.path()}: {state} after {began - first:.2f} s of {window:g} s")
    if not readings:
        return Outcome.inconclusive(f"no reading in {window:g} s: {reading.odd}")
    return PASSED


async def _never_condition(unwanted: Mapping[str, Any], window: float, context: StepContext) -> Outcome:
    first: float | None = None
    async for _ in context.ticks(window):
        found = await _evaluate(unwanted, context)
        first = found.began if first is None else first
        if not found.reasons:
            return Outcome.fail(f"was there after {found.began - first:.2f} s of {window:g} s")
    return PASSED
