"""Small pieces for routes that speak JSON without being operations of the API: probe and control."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.http.document import parse
from sandkit_server.http.exchange import JSON, Answer, Request
from sandkit_server.http.query import decode_query

__all__ = ["json_answer", "json_object", "query_value"]

_encode: Final = msgspec.json.Encoder().encode


def json_answer(value: Any, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, _encode(value), JSON)


async def json_object(request: Request) -> dict[str, Any]:
    """The body, which has to be a JSON object; an empty body is an empty object.

    Raises:
        SandkitError: REQUEST::MALFORMED_JSON, REQUEST::INVALID_PARAMETER.
    """
    body = await request.read_body()
    document = parse(body) if body else {}
    if not isinstance(document, dict):
        raise invalid_request([FieldError("", "type", "Expected an object.")])
    return document


def query_value(request: Request, name: str, default: str | None = None) -> str:
    """One query parameter.

    Raises:
        SandkitError: REQUEST::INVALID_PARAMETER when it is missing and has no default, or is given twice.
    """
    values = [value for key, value in decode_query(request.query) if key == name]
    if len(values) == 1:
        return values[0]
    if not values and default is not None:
        return default
    raise invalid_request([FieldError(f"query:{name}", "required", "Give this parameter once.")])
