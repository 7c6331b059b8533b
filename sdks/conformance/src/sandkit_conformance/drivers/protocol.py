"""The JSON-lines driver protocol: the lines that go to a driver, and how its lines are read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.drivers.port import API_KEY_HEADER, REQUEST_ID_HEADER, Call
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.redaction import MASK
from sandkit_conformance.scenario.json_schema import closest, pointer
from sandkit_conformance.scenario.schema import part_of

PROTOCOL: Final = "sandkit-driver/1"
HELLO_ID: Final = 0
_IDEMPOTENCY_HEADER: Final = "Idempotency-Key"
_CARRIED: Final = frozenset(
    name.lower() for name in (API_KEY_HEADER, "Content-Type", _IDEMPOTENCY_HEADER, REQUEST_ID_HEADER)
)
_ANSWERS: Final[Mapping[object, str]] = {"hello": "welcome", "result": "result", "error": "error"}
_SHOWN: Final = 120


class DriverError(SuiteError):
    """A driver does not do its work, so nothing can be said about the server through it."""


@frozen
class Address:
    """The server a driver is to talk to. `root` is its address without `/v1`."""

    root: str
    api_key: str | None


def hello(address: Address) -> dict[str, Any]:
    """The first line to a driver."""
    base_url = f"{address.root.rstrip('/')}/v1"
    return {
        "type": "hello",
        "id": HELLO_ID,
        "protocol": PROTOCOL,
        "baseUrl": base_url,
        "apiKey": address.api_key,
    }


def call_line(identity: int, call: Call) -> dict[str, Any]:
    """The line for a call that `why_raw` has let through."""
    given = {name.lower(): value for name, value in call.headers}
    line: dict[str, Any] = {
        "type": "call",
        "id": identity,
        "operationId": call.operation,
        "method": call.method,
        "path": call.path,
        "pathParameters": {name: str(value) for name, value in call.parameters.items()},
        "query": [list(pair) for pair in call.query],
        "timeout": call.timeout,
    }
    if call.content is not None:
        line["body"] = json.loads(call.content)
    for field, header in (("idempotencyKey", _IDEMPOTENCY_HEADER), ("requestId", REQUEST_ID_HEADER)):
        if header.lower() in given:
            line[field] = given[header.lower()]
    return line


def why_raw(call: Call, api_key: str | None, *, needs_key: bool) -> str | None:
    """Why the protocol cannot carry a call, in words; None when it can.

    What a client library cannot be made to do (no key, a wrong media type, bytes that are no JSON, a path of
    no operation) is what raw HTTP is for.
    """
    if call.operation is None:
        return "it is a request outside the operations"
    headers = {name.lower(): value for name, value in call.headers}
    key = headers.get(API_KEY_HEADER.lower())
    # Clients leave the key out where the operation wants none; that is theirs to decide.
    if key != api_key and (needs_key or key is not None):
        return "it is sent with another key, or with none"
    if len(headers) != len(call.headers):
        return "a header stands there twice"
    unknown = headers.keys() - _CARRIED
    if unknown:
        return f"it carries the header {min(unknown)}"
    expected = None if call.content is None else "application/json"
    if headers.get("content-type") != expected:
        return f"its body is sent as {headers.get('content-type')}"
    return None if call.content is None else _why_no_json(call.content)


def _why_no_json(content: bytes) -> str | None:
    def refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise ValueError("a name twice")
        return dict(pairs)

    try:
        value = json.loads(content, object_pairs_hook=refuse_repeats)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return "its body is not proper JSON"
    return None


def encode(line: Mapping[str, Any]) -> bytes:
    """One line as bytes."""
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def masked(text: str, secret: str | None) -> str:
    """The text without the key: what a driver writes ends up in reports."""
    return text.replace(secret, MASK) if secret else text


def read_answer(line: bytes, secret: str | None = None) -> dict[str, Any]:
    """An answer of a driver, held against the schema; the errors do not show the secret.

    Raises:
        DriverError: it is not an answer of this protocol.
    """
    shown = masked(line.decode("utf-8", "replace"), secret)[:_SHOWN]
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise DriverError(f"it wrote a line that is not JSON: {shown!r}") from None
    kind = _ANSWERS.get(answer.get("type")) if isinstance(answer, dict) else None
    if kind is None:
        raise DriverError(f"it wrote a line that is none of {', '.join(map(str, _ANSWERS))}: {shown!r}")
    errors = part_of("driver", kind).errors(answer)
    if errors:
        error = closest(min(errors, key=lambda one: len(one.instance_path)))
        raise DriverError(
            f"its {answer['type']} breaks the protocol, {pointer(error) or 'the line'}: "
            f"{masked(error.message, secret)[:_SHOWN]}"
        )
    return dict(answer)
