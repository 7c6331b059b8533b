"""Servers that get HTTP wrong: keys, request ids, envelopes, media types, headers."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qsl

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http import application, operations
from sandkit_server.http.authentication import KeyCheck
from sandkit_server.http.body import BodyReader
from sandkit_server.http.exchange import Answer
from sandkit_server.testing.mutants.exchanges import Reply, Scope, answers, bodies, requests
from sandkit_server.testing.mutants.mutant import Mutant, always, swap

_TWO_HOURS = timezone(timedelta(hours=2))
_KNOWN_QUERY = {"state", "metadata", "page", "pageSize", "sandboxId", "name", "scope", "expires"}


def _on_error(change: Callable[[Reply, Any], None]) -> Callable[[Reply], None]:
    def edit(reply: Reply) -> None:
        body = reply.json
        if reply.status >= 400 and isinstance(body, dict):
            change(reply, body)

    return edit


def _without(field: str) -> Callable[[Reply, Any], None]:
    def change(reply: Reply, body: Any) -> None:
        body.pop(field, None)
        reply.write(body)

    return change


def _code_without_area(reply: Reply, body: Any) -> None:
    body["code"] = body["code"].rpartition("::")[2]
    reply.write(body)


def _listed_without_date(reply: Reply) -> None:
    if reply.is_for("GET", "/sandboxes") and reply.status == 200:
        body = reply.json
        for item in body["items"]:
            del item["createdAt"]
        reply.write(body)


def _own_id(reply: Reply) -> None:
    reply.put(b"x-request-id", uuid.uuid4().hex.encode())


def _same_id_for_all(reply: Reply) -> None:
    if b"x-request-id" not in reply.request_headers:
        reply.put(b"x-request-id", b"0")


def _echo_any_id(reply: Reply) -> None:
    given = reply.request_headers.get(b"x-request-id")
    if given:
        reply.put(b"x-request-id", given)


def _no_id_on_errors(reply: Reply) -> None:
    if reply.status >= 400:
        reply.drop(b"x-request-id")


def _only_versioned(scope: Scope) -> None:
    if not scope["path"].startswith("/v1"):
        scope["path"], scope["raw_path"] = "/no-such-path", b"/no-such-path"


def _strict_query(scope: Scope) -> None:
    names = {name for name, _ in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)}
    if names - _KNOWN_QUERY - {"use_server_proxy"}:
        scope["query_string"] += b"&page=unknown-parameter&scope=unknown-parameter"


def _no_retry_after(reply: Reply) -> None:
    reply.drop(b"retry-after")


def _forbidden_path(reply: Reply) -> None:
    body = reply.json
    if reply.status == 404 and body["code"] == "REQUEST::ROUTE_NOT_FOUND":
        reply.status = 401
        reply.write({"code": "REQUEST::UNAUTHORIZED", "message": "Not for you."})


def _no_allow(reply: Reply) -> None:
    if reply.status == 405:
        reply.drop(b"allow")


def _unbounded(_original: Any) -> Any:
    async def read(self: BodyReader, _headers: Any, receive: Any) -> bytes:
        self._max_bytes = 1 << 40
        return await self._collect(receive)

    return read


def _numbers_to_text(document: Any) -> Any:
    if isinstance(document, dict):
        if isinstance(document.get("timeout"), str) and document["timeout"].isdigit():
            document["timeout"] = int(document["timeout"])
        for name in ("metadata", "extensions"):
            if isinstance(document.get(name), dict):
                document[name] = {
                    key: str(value) if isinstance(value, int) else value
                    for key, value in document[name].items()
                }
    return document


def _admit(when: Callable[[list[bytes], bytes], bool]) -> Any:
    """Let in who should not be, beside those who should."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def admit(self: KeyCheck, headers: Any) -> None:
            presented = [value for name, value in headers if name == self._name]
            if self._header == "OPEN-SANDBOX-API-KEY" and when(presented, self._key or b""):
                return
            original(self, headers)

        return admit

    return make


def _looks_like_a_key(presented: list[bytes], key: bytes) -> bool:
    return bool(presented) and not presented[0].startswith(b"Bearer") and presented[0] not in (b"", key)


def _body_first(original: Any) -> Any:
    async def serve(
        self: application.Application, scope: Scope, path: str, identifier: str, receive: Any
    ) -> Any:
        try:
            return await original(self, scope, path, identifier, receive)
        except SandkitError as error:
            if error.status == 401 and scope["method"] == "POST":
                body = await self._bodies.read(scope["headers"], receive)
                if body and not _is_json(body):
                    raise SandkitError(ErrorCode.REQUEST_MALFORMED_JSON, "This is not JSON.") from error
            raise

    return serve


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


def _guarded_health(reply: Reply) -> None:
    if reply.is_for("GET", "/health") and b"open-sandbox-api-key" not in reply.request_headers:
        reply.status = 401
        reply.write({"code": "REQUEST::UNAUTHORIZED", "message": "A key is needed."})


def _debug_header(reply: Reply) -> None:
    key = reply.request_headers.get(b"open-sandbox-api-key")
    if key and reply.status < 400:
        reply.put(b"x-authenticated-as", key)


def _local_time(reply: Reply) -> None:
    body = reply.json
    if reply.is_for("GET", "/sandboxes/[^/]+") and reply.status == 200:
        instant = datetime.fromisoformat(body["createdAt"])
        body["createdAt"] = instant.astimezone(_TWO_HOURS).isoformat()
        reply.write(body)


def _wrong_location(collection: str) -> Callable[[Reply], None]:
    def edit(reply: Reply) -> None:
        if reply.is_for("POST", f"/{collection}") and reply.status in (201, 202):
            reply.put(b"location", f"/v1/{collection}/~".encode())

    return edit


def _traceback(original: Callable[..., Any]) -> Callable[..., Any]:
    async def answer(self: application.Application, *arguments: Any) -> Any:
        found = await original(self, *arguments)
        if found.status != 500:
            return found
        trace = b'Traceback (most recent call last): File \\"server.py\\", line 7'
        body = b'{"code":"REQUEST::INTERNAL_ERROR","message":"%b"}' % trace
        return Answer(500, body, found.content_type, found.headers)

    return answer


PROTOCOL = (
    Mutant(
        id="envelope-without-message",
        requirement="API-01",
        defect="Errors carry a code and, as everybody knows what it means, no message.",
        alter=answers(_on_error(_without("message"))),
    ),
    Mutant(
        id="envelope-missing",
        requirement="API-01",
        defect="A sandbox that is not found is answered with the framework's own `detail`.",
        alter=answers(_on_error(_without("code"))),
    ),
    Mutant(
        id="envelope-code-without-area",
        requirement="API-02",
        defect="Error codes come without their area.",
        alter=answers(_on_error(_code_without_area)),
    ),
    Mutant(
        id="answer-without-a-required-field",
        requirement="API-03",
        defect="Listed sandboxes have no createdAt; who needs it can read the sandbox.",
        alter=answers(_listed_without_date),
    ),
    Mutant(
        id="request-id-is-always-its-own",
        requirement="API-04",
        defect="The request id of the caller is not taken over.",
        alter=answers(_own_id),
    ),
    Mutant(
        id="request-id-is-the-same-for-all",
        requirement="API-05",
        defect="Without a request id of the caller there is a constant.",
        alter=answers(_same_id_for_all),
    ),
    Mutant(
        id="request-id-echoed-unseen",
        requirement="API-06",
        defect="Whatever the caller sends as request id is sent back.",
        alter=answers(_echo_any_id),
    ),
    Mutant(
        id="request-id-missing-on-errors",
        requirement="API-07",
        defect="Errors are made outside the layer that adds the request id.",
        alter=answers(_no_id_on_errors),
    ),
    Mutant(
        id="paths-only-below-v1",
        requirement="API-08",
        defect="The paths without a version are not served any more.",
        alter=requests(_only_versioned),
    ),
    Mutant(
        id="query-parameters-are-strict",
        requirement="API-09",
        defect="A query parameter that is not known is an error.",
        alter=requests(_strict_query),
    ),
    Mutant(
        id="retry-after-missing",
        requirement="API-11",
        defect="Errors that go away by waiting do not say for how long.",
        alter=answers(_no_retry_after),
        also={
            "VOL-18": "It asks for the header in its own scenario.",
        },
    ),
    Mutant(
        id="unknown-path-is-unauthorized",
        requirement="API-12",
        defect="A path that no operation has is refused as if the key were wrong.",
        alter=answers(_forbidden_path),
    ),
    Mutant(
        id="method-refused-without-allow",
        requirement="API-13",
        defect="405 does not say which methods there are.",
        alter=answers(_no_allow),
    ),
    Mutant(
        id="body-of-any-size",
        requirement="API-14",
        defect="A request body is read to its end, however long it is.",
        substitutions=swap(BodyReader, "read", _unbounded),
    ),
    Mutant(
        id="body-of-any-type",
        requirement="API-15",
        defect="The Content-Type of a body is not looked at.",
        substitutions=swap(operations, "require_media_type", always(None)),
    ),
    Mutant(
        id="body-values-coerced",
        requirement="API-17",
        defect="Numbers become text and text becomes numbers where that fits.",
        alter=bodies("POST", "/sandboxes", _numbers_to_text),
        also={
            "API-38": "A timeout written as text is taken.",
            "API-47": "An extension that is a number is taken.",
        },
    ),
    Mutant(
        id="envelope-without-details",
        requirement="API-18",
        defect="Invalid fields are told in the message only.",
        alter=answers(_on_error(_without("details"))),
    ),
    Mutant(
        id="key-missing-accepted",
        requirement="API-19",
        defect="Without a key the check is skipped instead of failed.",
        substitutions=swap(KeyCheck, "admit", _admit(lambda presented, _key: not presented)),
        also={
            "API-22": "Who has no key is told what exists.",
            "PAU-04": "A pause without a key is carried out.",
        },
    ),
    Mutant(
        id="key-wrong-accepted",
        requirement="API-20",
        defect="A key has to be there, and is never compared.",
        substitutions=swap(KeyCheck, "admit", _admit(_looks_like_a_key)),
    ),
    Mutant(
        id="key-with-bearer-accepted",
        requirement="API-21",
        defect="A prefix Bearer is taken off the key.",
        substitutions=swap(
            KeyCheck,
            "admit",
            _admit(lambda presented, key: bool(presented) and presented[0] == b"Bearer " + key),
        ),
    ),
    Mutant(
        id="key-checked-after-the-body",
        requirement="API-22",
        defect="The body is parsed before the key is looked at, so strangers learn what is valid.",
        substitutions=swap(application.Application, "_serve", _body_first),
    ),
    Mutant(
        id="health-needs-a-key",
        requirement="API-23",
        defect="The health check wants a key, which load balancers do not have.",
        alter=answers(_guarded_health),
        also={
            "API-02": "The operation does not declare the code.",
            "API-03": "The description has no 401 for it.",
        },
    ),
    Mutant(
        id="key-echoed",
        requirement="API-24",
        defect="A header left over from debugging tells who was authenticated, by its key.",
        alter=answers(_debug_header),
    ),
    Mutant(
        id="create-location-leads-nowhere",
        requirement="API-27",
        defect="The Location of a new sandbox is put together wrongly.",
        alter=answers(_wrong_location("sandboxes")),
    ),
    Mutant(
        id="pool-location-leads-nowhere",
        requirement="API-131",
        defect="The Location of a new pool is put together wrongly.",
        alter=answers(_wrong_location("pools")),
    ),
    Mutant(
        id="instants-in-local-time",
        requirement="API-87",
        defect="Instants are written in the time zone of the server.",
        alter=answers(_local_time),
    ),
    Mutant(
        id="snapshot-location-leads-nowhere",
        requirement="API-114",
        defect="The Location of a new snapshot is put together wrongly.",
        alter=answers(
            lambda reply: (
                reply.put(b"location", b"/v1/snapshots/~")
                if reply.is_for("POST", "/snapshots") and reply.status == 202
                else None
            )
        ),
    ),
    Mutant(
        id="crash-shows-a-traceback",
        requirement="API-155",
        defect="A crash is answered with its traceback.",
        substitutions=swap(application.Application, "_answer", _traceback),
    ),
)
