"""What the SDK made of a call, as an answer of the protocol."""

from __future__ import annotations

import json
from typing import Any, Final

from sandkit.errors import (
    ApiError,
    ConnectError,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)
from sandkit_conformance.drivers.python.operations import Operation
from sandkit_conformance.drivers.python.recording import Recording

_REQUEST_ID: Final = "x-request-id"


def answer_of(value: Any, operation: Operation, recording: Recording) -> dict[str, Any]:
    """A call that succeeded: the status as it came, the body as the SDK shows it."""
    headers = {name.lower(): text for name, text in recording.headers}
    answer: dict[str, Any] = {
        "type": "result",
        "status": recording.status,
        "headers": [list(pair) for pair in recording.headers],
        "code": None,
        "requestId": headers.get(_REQUEST_ID),
    }
    if operation.show is None:
        return answer | _as_it_came(bytes(recording.body))
    shown = operation.show(value, recording)
    return answer | ({"text": shown} if isinstance(shown, str) else {"body": shown})


def _as_it_came(body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    try:
        return {"body": json.loads(body)}
    except (ValueError, RecursionError):
        return {"text": body.decode("utf-8", "replace")}


def answer_of_error(error: Exception, recording: Recording) -> dict[str, Any] | None:
    """A call that failed as the SDK says; None for an exception that is not the SDK's about a request."""
    if isinstance(error, ApiError):
        return _refusal(error)
    if isinstance(error, ResponseDecodeError):
        return failed("decode", str(error))
    if isinstance(error, RequestTimeoutError):
        return failed("timeout", str(error))
    if isinstance(error, ConnectError):
        return failed("unreachable", str(error))
    if isinstance(error, TransportError):
        return failed("protocol" if recording.status is None else "truncated", str(error))
    return None


def _refusal(error: ApiError) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "type": "result",
        "status": error.status,
        "headers": [list(pair) for pair in error.headers.items()],
        "code": error.code,
        "requestId": error.headers.get(_REQUEST_ID),
    }
    if error.code is None:
        return answer | _as_it_came(error.body.encode("utf-8", "surrogatepass"))
    body: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = [
            {"pointer": one.pointer, "rule": one.rule, "message": one.message} for one in error.details
        ]
    return answer | {"body": body}


def failed(kind: str, message: str) -> dict[str, Any]:
    """An answer that says why there is none of the server."""
    return {"type": "error", "kind": kind, "message": message}
