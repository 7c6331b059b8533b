"""The generated operations as routes.

Decode, call the service, encode, and turn every refusal into field errors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from sandkit_server._generated.api import LifecycleApi
from sandkit_server._generated.exchange import Inbound, InvalidParameters, MissingBody
from sandkit_server._generated.routes import ROUTES, field_code
from sandkit_server._generated.routes import Route as Operation
from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.model import Caller
from sandkit_server.http.document import parse
from sandkit_server.http.exchange import Answer, Headers, Request
from sandkit_server.http.media_type import has_body, require_media_type
from sandkit_server.http.query import decode_query
from sandkit_server.http.routing import Route
from sandkit_server.http.violations import faults

__all__ = ["BASES", "Context", "operation_routes"]

# The API is served under its version and, for older clients, at the root.
BASES: Final = ("/v1", "")


class Context(NamedTuple):
    """What a handler may know about the exchange beside its parameters."""

    caller: Caller
    request_id: str


def operation_routes(api: LifecycleApi[Context], caller: Caller) -> list[Route]:
    """A route for every operation of the API; requests that pass the key check come from ``caller``."""
    return [
        Route(
            operation.method,
            operation.path,
            _OperationHandler(operation, api, caller),
            secured=operation.authenticated,
        )
        for operation in ROUTES
    ]


class _OperationHandler:
    """Serves one operation."""

    def __init__(self, operation: Operation, api: LifecycleApi[Context], caller: Caller) -> None:
        self._operation = operation
        self._api = api
        self._caller = caller
        self._has_parameters_to_refuse = 400 in operation.statuses

    async def __call__(self, request: Request) -> Answer:
        operation = self._operation
        # An operation that cannot answer 400 reads nothing from the query.
        query = decode_query(request.query) if self._has_parameters_to_refuse else ()
        body, document = await self._read(request) if operation.media_types else (b"", None)
        inbound = Inbound(request.parameters, query, _HeaderView(request.headers), body)
        try:
            outbound = await operation.invoke(self._api, Context(self._caller, request.id), inbound)
        except InvalidParameters as refused:
            wrong = [FieldError(v.pointer, v.rule, v.message, v.code) for v in refused.violations]
            raise invalid_request(wrong + (self._field_errors(document) if body else [])) from None
        except MissingBody:
            raise SandkitError(
                ErrorCode.REQUEST_MALFORMED_JSON, "This operation needs a JSON document as its body."
            ) from None
        except msgspec.ValidationError:
            wrong = self._field_errors(document)
            if not wrong:
                raise
            raise invalid_request(wrong) from None
        return Answer(
            outbound.status,
            outbound.content,
            None if outbound.media_type is None else outbound.media_type.encode("ascii"),
            tuple(
                [(name.lower().encode("ascii"), value.encode("ascii")) for name, value in outbound.headers]
            ),
        )

    async def _read(self, request: Request) -> tuple[bytes, Any]:
        if has_body(request):
            require_media_type(request, self._operation.media_types)
        body = await request.read_body()
        return body, parse(body) if body else None

    def _field_errors(self, document: Any) -> list[FieldError]:
        """Everything wrong with the shape of a body; nothing when msgspec takes it after all."""
        operation = self._operation
        try:
            msgspec.convert(document, operation.body_type)
        except msgspec.ValidationError:
            found = [
                FieldError(fault.pointer, fault.rule, fault.message, self._code(fault.pointer))
                for fault in faults(document, operation.body_type)
            ]
            return found or [FieldError("", "type", "The body is not what this operation takes.")]
        return []

    def _code(self, pointer: str) -> ErrorCode:
        return field_code(self._operation.operation_id, pointer) or ErrorCode.REQUEST_INVALID_PARAMETER


class _HeaderView(Mapping[str, str]):
    """Header fields by lower-case name, decoded when asked for.

    The values of a repeated one joined (RFC 9110, 5.3).
    """

    __slots__ = ("_headers",)

    def __init__(self, headers: Headers) -> None:
        self._headers = headers

    def __getitem__(self, name: str) -> str:
        wanted = name.encode("latin-1")
        values = [value for key, value in self._headers if key == wanted]
        if not values:
            raise KeyError(name)
        return b", ".join(values).decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(key.decode("latin-1") for key, _ in self._headers))

    def __len__(self) -> int:
        return len({key for key, _ in self._headers})
