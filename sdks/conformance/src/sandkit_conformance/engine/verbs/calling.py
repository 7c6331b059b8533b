"""`call`: one request and its answer."""

from __future__ import annotations

from typing import Any, Final

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.engine.client import send
from sandkit_conformance.engine.context import PASSED, Outcome, StepContext
from sandkit_conformance.engine.expectation import judge_reply
from sandkit_conformance.engine.requests import build_call
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.paths import NOTHING, select
from sandkit_conformance.verdict import Verdict

CALL_FIELDS: Final = (
    *("call", "for", "path", "query", "headers", "auth", "with", "without"),
    *("body", "content", "contentType"),
)


async def call(context: StepContext) -> Outcome:
    """Send the request, bind the answer, judge it."""
    fields = {name: context.resolve(context.body[name]) for name in CALL_FIELDS if name in context.body}
    built = build_call(fields, context.run, context.seconds("within", "request"))
    expect = context.get("expect", {})
    guard = context.get("while")
    if guard is not None:
        before = await _state(fields, context)
        if before != guard:
            return Outcome.inconclusive(f"the sandbox is {before} and not {guard}, so nothing was sent")
    exchange = await send(context, built)
    if guard is not None:
        after = await _state(fields, context)
        if after != guard:
            return Outcome.inconclusive(f"the sandbox had left {guard} for {after} when the answer was there")
    if exchange.failure and context.body.get("lost") == "allowed":
        return PASSED
    missing = _bind(exchange, context)
    outcome = judge_reply(expect, exchange, context.run)
    if missing and outcome.verdict is Verdict.PASS:
        raise SuiteError(f"capture: there is no {missing} in {built.method} {built.path}'s answer")
    return outcome


async def _state(fields: dict[str, Any], context: StepContext) -> str | None:
    reading = build_call(
        {"call": "getSandbox", "for": fields["for"]}, context.run, context.seconds("within", "request")
    )
    exchange = await send(context, reading, purpose="guard")
    state = select(exchange.json, "status.state")
    return state if isinstance(state, str) else None


def _bind(exchange: Exchange, context: StepContext) -> str:
    """Give the answer its names; says what was to be captured and neither is there nor has a default."""
    if exchange.failure:
        return ""
    body = exchange.json
    context.bind(exchange.text if body is NOTHING else body)
    whole = reply(exchange)
    found = {name: select(whole, path) for name, path in context.body.get("capture", {}).items()}
    context.scenario.variables |= {name: value for name, value in found.items() if value is not NOTHING}
    missing = [name for name in found if found[name] is NOTHING and name not in context.scenario.scenario.let]
    return ", ".join(f"`{context.body['capture'][name]}`" for name in missing)


def reply(exchange: Exchange) -> dict[str, Any]:
    """A whole answer as a value: status, headers by lower-case name, body, requestId, seconds, code."""
    return {
        "status": exchange.status,
        "headers": exchange.header_map,
        "body": None if exchange.json is NOTHING else exchange.json,
        "requestId": exchange.request_id,
        "seconds": exchange.seconds,
        "code": exchange.code,
    }
