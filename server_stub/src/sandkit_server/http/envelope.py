"""The one body every error has: code, message, and the fields at fault."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.exchange import JSON, Answer
from sandkit_server.http.routing import MethodNotAllowedError

__all__ = ["INTERNAL_ERROR", "error_answer"]

_encode: Final = msgspec.json.Encoder().encode

# Seconds a client is asked to wait when the error is worth a retry and nobody knows better.
_DEFAULT_RETRY_AFTER: Final = 1


def error_answer(error: SandkitError) -> Answer:
    """The envelope with the status of the error's code, and the headers the status calls for."""
    body: dict[str, object] = {"code": error.code, "message": error.message}
    if error.details:
        body["details"] = [
            {"pointer": detail.pointer, "rule": detail.rule, "message": detail.message}
            for detail in error.details
        ]
    return Answer(error.status, _encode(body), JSON, _headers(error))


def _headers(error: SandkitError) -> tuple[tuple[bytes, bytes], ...]:
    match error.status:
        case 401:
            # RFC 9110, 11.6.1: a 401 names its challenge.
            return ((b"www-authenticate", b"ApiKey"),)
        case 405 if isinstance(error, MethodNotAllowedError):
            return ((b"allow", ", ".join(error.allowed).encode("ascii")),)
        case 415:
            # RFC 9110, 12.5.3: tells the client that no content coding is read.
            return ((b"accept-encoding", b"identity"),)
        case 429 | 503:
            seconds = (
                _DEFAULT_RETRY_AFTER if error.retry_after is None else max(1, math.ceil(error.retry_after))
            )
            return ((b"retry-after", str(seconds).encode("ascii")),)
        case _:
            return ()


INTERNAL_ERROR: Final = error_answer(
    SandkitError(ErrorCode.REQUEST_INTERNAL_ERROR, "The server failed; quote the request id to its operator.")
)
