"""Trials about single calls: sent exactly and once, and shown as they were answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote

from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.sameness import same_json
from sandkit_conformance.drivers.trials.samples import ODD_CALLS, SAMPLES, Sample
from sandkit_conformance.drivers.trials.server import REQUEST_ID, Arrived, Reply
from sandkit_conformance.drivers.trials.trial import KEY, Bench, Trial, said

# A client may write out what the server would take for granted.
_DEFAULTS: Final = Counter({("page", "1"): 1, ("pageSize", "20"): 1})
_REFUSALS: Final = (
    (400, "REQUEST::INVALID_PARAMETER", ()),
    (404, "SANDBOX::SANDBOX_NOT_FOUND", ()),
    (409, "SANDBOX::INVALID_STATE", ()),
    (429, "POOL::POOL_CAPACITY_EXHAUSTED", (("Retry-After", "1"),)),
    (500, "REQUEST::INTERNAL_ERROR", ()),
    (503, "REQUEST::UNAVAILABLE", (("Retry-After", "1"),)),
)
_DETAILS: Final = [{"pointer": "/timeout", "rule": "minimum", "message": "must be at least 60"}]


async def operations(bench: Bench) -> AsyncIterator[str]:
    """Every operation the driver offers, plainly."""
    missing = {"createSandbox", "getSandbox"} - bench.operations
    if missing:
        yield f"it does not offer {min(missing)}, without which there is nothing to drive"
    for sample in SAMPLES:
        if sample.operation in bench.operations:
            bench.script.begin(Reply.of(sample.status, sample.answer))
            call = bench.call(sample)
            answer = await bench.ask(call)
            for problem in [*_sent(call, sample, bench), *_shown(sample, answer)]:
                yield f"{sample.operation}: {problem}"


def _sent(call: Call, sample: Sample, bench: Bench) -> Iterator[str]:
    arrived = bench.script.arrived
    if len(arrived) != 1:
        yield f"sent {len(arrived)} requests instead of one"
        return
    yield from _differences(call, sample, arrived[0])
    expected = KEY if bench.contract.operation(sample.operation).needs_key else None
    key = arrived[0].headers.get(API_KEY_HEADER.lower())
    if key != expected and (expected or key != KEY):
        yield f"the key arrived as {key!r}"


def _differences(call: Call, sample: Sample, arrived: Arrived) -> Iterator[str]:
    if (arrived.method, arrived.path) != (call.method, unquote(call.path)):
        yield f"asked for {call.method} {unquote(call.path)}, sent {arrived.method} {arrived.path}"
    extra = Counter(arrived.query)
    extra.subtract(Counter(call.query))
    names = {name for name, _ in call.query}
    if any(count for pair, count in extra.items() if pair[0] in names or pair not in _DEFAULTS):
        yield f"asked for the query {list(call.query)}, sent {list(arrived.query)}"
    if (sample.body is None) != (not arrived.content) or not same_json(sample.body, arrived.json):
        yield f"asked for the body {sample.body}, sent {arrived.json}"


def _shown(sample: Sample, answer: Mapping[str, Any]) -> Iterator[str]:
    if answer["type"] != "result":
        yield f"the server answered {sample.status}, the driver {said(dict(answer))}"
        return
    if answer["status"] != sample.status:
        yield f"the server answered {sample.status}, the driver says {answer['status']}"
    if answer["code"] is not None:
        yield f"it has the error code {answer['code']} for a success"
    if answer["requestId"] is None:
        yield "it does not show the request id"
    shown = answer.get("text") if isinstance(sample.answer, str) else answer.get("body")
    if not same_json(sample.answer, shown):
        yield f"the server answered {sample.answer}, the driver shows {shown}"


async def refusals(bench: Bench) -> AsyncIterator[str]:
    """Errors of the server: status, code and details, and nothing sent again."""
    sample = bench.plain()
    for status, code, headers in _REFUSALS:
        body: dict[str, Any] = {"code": code, "message": f"a refusal with {status}"}
        if status == 400:
            body["details"] = _DETAILS
        bench.script.begin(Reply.of(status, body, headers=headers))
        answer = await bench.ask(bench.call(sample))
        if len(bench.script.arrived) != 1:
            yield f"{status}: sent {len(bench.script.arrived)} requests; a driver must not retry"
        if answer["type"] != "result" or answer["status"] != status:
            yield f"the server answered {status} {code}, the driver {said(answer)}"
            continue
        if answer["code"] != code:
            yield f"the server answered {status} {code}, the driver's code is {answer['code']}"
        if not same_json(answer.get("body"), body):
            yield f"the server answered {body}, the driver shows {answer.get('body')}"
        if answer["requestId"] is None:
            yield f"{status}: it does not show the request id"
        if headers and list(headers[0]) not in [[name.title(), value] for name, value in answer["headers"]]:
            yield f"{status}: it does not show the header Retry-After"


async def strange_answers(bench: Bench) -> AsyncIterator[str]:
    """What no server of the API should say: no envelope, a redirect, half a body, no JSON."""
    sample = bench.plain()
    page = Reply(502, b"<html>Bad gateway</html>", "text/html")
    bench.script.begin(page)
    answer = await bench.ask(bench.call(sample))
    if answer["type"] != "result" or (answer["status"], answer["code"]) != (502, None):
        yield f"an HTML page with 502 must be a result of status 502 without a code, not {said(answer)}"
    bench.script.begin(Reply(307, headers=(("Location", "/v1/sandboxes/elsewhere"),)))
    answer = await bench.ask(bench.call(sample))
    if len(bench.script.arrived) != 1 or answer["type"] != "result" or answer["status"] != 307:
        yield f"a redirect must be a result and not be followed; {said(answer)}"
    for reply, what in (
        (Reply(200, b'{"id": "sbx-1", "status"'), "broken JSON"),
        (Reply(200, b"<html>Welcome</html>", "text/html"), "an HTML page"),
    ):
        bench.script.begin(reply)
        answer = await bench.ask(bench.call(sample))
        decoded = answer["type"] == "error" and answer["kind"] == "decode"
        if not decoded and not (answer["type"] == "result" and "text" in answer):
            yield f"{what} with 200 must be an error of kind decode, or have `text`, not {said(answer)}"
    bench.script.begin(Reply(200, b'{"id": "sbx-1"}', break_off=True))
    answer = await bench.ask(bench.call(sample))
    if answer["type"] != "error" or answer["kind"] not in {"truncated", "protocol"}:
        yield f"an answer that breaks off must be an error of kind truncated, not {said(answer)}"


async def exactly(bench: Bench) -> AsyncIterator[str]:
    """Calls that a typed client may not be able to express: as they stand, or not at all."""
    for sample in ODD_CALLS:
        if sample.operation not in bench.operations:
            continue
        bench.script.begin(Reply.of(sample.status, sample.answer))
        call = bench.call(sample)
        answer = await bench.ask(call)
        what = f"{sample.operation} {call.path} {list(call.query) or ''} {sample.body or ''}"
        refused = answer["type"] == "error" and answer["kind"] == "inexpressible"
        if refused and bench.script.arrived:
            yield f"{what}: said inexpressible, and sent a request all the same"
        elif not refused:
            for problem in _sent(call, sample, bench):
                yield f"{what}: {problem}; what the client cannot send must be answered with inexpressible"


async def headers(bench: Bench) -> AsyncIterator[str]:
    """The Idempotency-Key and the X-Request-ID that were asked for."""
    create = next(one for one in SAMPLES if one.operation == "createSandbox")
    bench.script.begin(Reply.of(create.status, create.answer))
    asked = {"Idempotency-Key": "a-key-of-the-trial", "X-Request-ID": "a-request-id-of-the-trial"}
    answer = await bench.ask(bench.call(create, headers=tuple(asked.items())))
    for name, value in asked.items():
        arrived = [one.headers.get(name.lower()) for one in bench.script.arrived]
        if arrived != [value]:
            yield f"{name} was to be {value}, and arrived as {arrived}"
    if answer.get("requestId") not in {asked["X-Request-ID"], REQUEST_ID}:
        yield f"the request id is {answer.get('requestId')!r}, the server answered {asked['X-Request-ID']}"


ANSWERING: Final[Mapping[str, Trial]] = {
    "operations": operations,
    "refusals": refusals,
    "strange answers": strange_answers,
    "exactly": exactly,
    "headers": headers,
}
