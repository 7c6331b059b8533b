"""Servers that read bodies too leniently or too strictly, or quote from them what is secret."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import msgspec

from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.core.model import Caller, CreateSandbox, Sandbox
from sandkit_server.core.service import LifecycleService
from sandkit_server.http import operations
from sandkit_server.http.body import BodyReader
from sandkit_server.testing.mutants.exchanges import bodies, texts
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Awaitable[Any]]

_Operation = operations._OperationHandler


def _known_fields_only(original: Call) -> Call:
    async def read(self: Any, request: Any) -> tuple[bytes, Any]:
        body, document = await original(self, request)
        kind = self._operation.body_type
        if isinstance(document, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            known = {each.encode_name for each in msgspec.structs.fields(kind)}
            faults = [
                FieldError(f"/{name}", "unknown-field", "There is no such field.")
                for name in document
                if name not in known
            ]
            if faults:
                raise invalid_request(faults)
        return body, document

    return read


def _without_trailing_comma(body: bytes) -> bytes:
    return re.sub(rb",\s*}\s*$", b"}", body)


def _first_document(body: bytes) -> bytes:
    return re.sub(rb"}\s*{}\s*$", b"}", body)


def _other_bytes_replaced(body: bytes) -> bytes:
    return body.decode("utf-8", "replace").encode()


def _empty_is_an_object(original: Call) -> Call:
    async def read(self: BodyReader, headers: Any, receive: Any) -> bytes:
        body: bytes = await original(self, headers, receive)
        return body or b"{}"

    return read


def _quoting(original: Callable[..., list[FieldError]]) -> Callable[..., list[FieldError]]:
    def field_errors(self: Any, document: Any) -> list[FieldError]:
        return [
            replace(fault, message=f"{fault.message} It is {_found(document, fault.pointer)!r}.")
            for fault in original(self, document)
        ]

    return field_errors


def _found(document: Any, pointer: str) -> Any:
    for token in pointer.split("/")[1:]:
        try:
            document = document[int(token)] if isinstance(document, list) else document[token]
        except (LookupError, ValueError, TypeError):
            return None
    return document


def _quoting_the_volumes(original: Callable[..., list[FieldError]]) -> Callable[..., list[FieldError]]:
    def field_errors(self: Any, document: Any) -> list[FieldError]:
        volumes = document.get("volumes") if isinstance(document, dict) else None
        return [
            replace(fault, message=f"{fault.message} The volumes were {volumes}.") if volumes else fault
            for fault in original(self, document)
        ]

    return field_errors


def _shown_as_pulled() -> Any:
    references: dict[str, str] = {}

    async def create(
        real: LifecycleService, request: CreateSandbox, caller: Caller, key: str | None = None
    ) -> Sandbox:
        sandbox = await real.create_sandbox(request, caller, key)
        if request.image is not None and request.image.auth is not None:
            auth = request.image.auth
            references[sandbox.id] = f"{auth.username}:{auth.password}@{request.image.uri}"
        return sandbox

    async def get(real: LifecycleService, sandbox_id: str) -> Sandbox:
        sandbox = await real.get_sandbox(sandbox_id)
        return replace(sandbox, image_uri=references.get(sandbox_id, sandbox.image_uri))

    return service(create_sandbox=create, get_sandbox=get)


def _empty_patch(document: Any) -> Any:
    return document if isinstance(document, dict) else {}


def _json_only(original: Callable[..., None]) -> Callable[..., None]:
    def require(request: Any, _readable: Any) -> None:
        original(request, ("application/json",))

    return require


READING = (
    Mutant(
        id="body-of-known-fields-only",
        requirement="API-10",
        defect="A field nobody knows is an error, so that no client can be newer than its server.",
        substitutions=swap(_Operation, "_read", _known_fields_only),
    ),
    Mutant(
        id="body-with-a-trailing-comma",
        requirement="API-16",
        defect="Bodies are read by a parser for configuration files, which takes a trailing comma.",
        alter=texts("POST", "/sandboxes", _without_trailing_comma),
    ),
    Mutant(
        id="body-with-something-behind",
        requirement="API-16",
        defect="A body is read up to the end of its first document, and what follows is left aside.",
        alter=texts("POST", "/sandboxes", _first_document),
    ),
    Mutant(
        id="body-in-any-encoding",
        requirement="API-16",
        defect="Bytes that are no UTF-8 are replaced and the rest is taken.",
        alter=texts("POST", "/sandboxes", _other_bytes_replaced),
    ),
    Mutant(
        id="body-missing-is-an-object",
        requirement="API-16",
        defect="A body that is missing is read as an empty object.",
        substitutions=swap(BodyReader, "read", _empty_is_an_object),
    ),
    Mutant(
        id="secret-quoted-where-it-is-wrong",
        requirement="API-25",
        defect="The error about a field quotes what was found there, also in the field of a password.",
        substitutions=swap(_Operation, "_field_errors", _quoting),
    ),
    Mutant(
        id="secret-quoted-with-the-request",
        requirement="API-25",
        defect="The error about a create quotes the volumes it was for, with their keys.",
        substitutions=swap(_Operation, "_field_errors", _quoting_the_volumes),
    ),
    Mutant(
        id="secret-in-the-image-reference",
        requirement="API-25",
        defect="The image is shown as it was pulled, by an address with user and password.",
        alter=_shown_as_pulled(),
    ),
    Mutant(
        id="metadata-patch-of-no-object-is-empty",
        requirement="API-98",
        defect="A patch that is no object has no entries, and is answered like an empty one.",
        alter=bodies("PATCH", "/metadata", _empty_patch),
        also={"API-17": "The rule about types is the same for a patch."},
    ),
    Mutant(
        id="metadata-patch-as-merge-patch-refused",
        requirement="API-99",
        defect="Bodies are taken as application/json only.",
        substitutions=swap(operations, "require_media_type", _json_only),
    ),
)
