"""Wrappers of the HTTP application: defects in what comes in, and in what goes out."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlencode

from sandkit_server.main import Alterations, Asgi

Scope: TypeAlias = MutableMapping[str, Any]


@dataclass(slots=True)
class Reply:
    """An answer on its way out, to be changed in place. Header names are lower case."""

    method: str
    path: str
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    request_headers: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        """The body's JSON; ``None`` when there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def write(self, value: Any) -> None:
        """Put JSON in place of the body."""
        self.body = json.dumps(value).encode()

    def drop(self, name: bytes) -> None:
        """Remove a header."""
        self.headers = [(key, value) for key, value in self.headers if key.lower() != name]

    def put(self, name: bytes, value: bytes) -> None:
        """Set a header."""
        self.drop(name)
        self.headers.append((name, value))

    def is_for(self, method: str, pattern: str) -> bool:
        """Whether it answers ``method`` on a path that ends in ``pattern``, a regular expression."""
        return self.method == method and re.search(f"{pattern}$", self.path) is not None


def answers(edit: Callable[[Reply], None]) -> Alterations:
    """Change every answer just before it leaves."""

    def wrap(app: Asgi) -> Asgi:
        async def wrapped(scope: Scope, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            held: list[Reply] = []

            async def hold(message: MutableMapping[str, Any]) -> None:
                if message["type"] == "http.response.start":
                    held.append(
                        Reply(
                            method=scope["method"],
                            path=scope["path"],
                            status=message["status"],
                            headers=list(message["headers"]),
                            request_headers=dict(scope["headers"]),
                        )
                    )
                    return
                held[0].body += message.get("body", b"")
                if not message.get("more_body", False):
                    await _release(held[0], edit, send)

            await app(scope, receive, hold)

        return wrapped

    return Alterations(app=wrap)


async def _release(
    reply: Reply, edit: Callable[[Reply], None], send: Callable[[Any], Awaitable[None]]
) -> None:
    edit(reply)
    if reply.status != 204:
        reply.put(b"content-length", str(len(reply.body)).encode())
    await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
    await send({"type": "http.response.body", "body": b"" if reply.status == 204 else reply.body})


def requests(edit: Callable[[Scope], None]) -> Alterations:
    """Change the head of every request just before it is looked at."""

    def wrap(app: Asgi) -> Asgi:
        async def wrapped(scope: Scope, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                scope = {**scope, "headers": list(scope["headers"])}
                edit(scope)
            await app(scope, receive, send)

        return wrapped

    return Alterations(app=wrap)


def elsewhere(pattern: str, target: str) -> Callable[[Scope], None]:
    """An edit of requests: a path that matches ``pattern`` is taken for ``target``, as `re.sub` makes it."""

    def edit(scope: Scope) -> None:
        for name in ("path", "raw_path"):
            old = scope[name]
            path = re.sub(pattern, target, old if isinstance(old, str) else old.decode("latin-1"))
            scope[name] = path if isinstance(old, str) else path.encode("latin-1")

    return edit


def asked(pattern: str, change: Callable[[dict[str, str]], None]) -> Alterations:
    """Change the query of GET requests to paths that end in ``pattern``, unless it repeats a parameter."""

    def edit(scope: Scope) -> None:
        if scope["method"] != "GET" or not re.search(f"{pattern}$", scope["path"]):
            return
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        query = dict(pairs)
        if len(query) == len(pairs):
            change(query)
            scope["query_string"] = urlencode(query).encode("latin-1")

    return requests(edit)


def bodies(method: str, pattern: str, edit: Callable[[Any], Any]) -> Alterations:
    """Change the JSON body of requests to paths that end in ``pattern``, as a lenient reader would."""

    def change(body: bytes) -> bytes:
        try:
            document = json.loads(body)
        except ValueError:
            return body
        return json.dumps(edit(document)).encode()

    return texts(method, pattern, change)


def texts(method: str, pattern: str, edit: Callable[[bytes], bytes]) -> Alterations:
    """Change the body of requests to paths that end in ``pattern``, whether it is JSON or not."""

    def wrap(app: Asgi) -> Asgi:
        async def wrapped(scope: Scope, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
            if (
                scope["type"] != "http"
                or scope["method"] != method
                or not re.search(f"{pattern}$", scope["path"])
            ):
                await app(scope, receive, send)
                return
            body = edit(await _whole(receive))
            headers = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
            scope = {**scope, "headers": [*headers, (b"content-length", str(len(body)).encode())]}

            async def replay() -> dict[str, Any]:
                return {"type": "http.request", "body": body}

            await app(scope, replay, send)

        return wrapped

    return Alterations(app=wrap)


async def _whole(receive: Callable[[], Awaitable[Any]]) -> bytes:
    chunks = []
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(chunks)


def without_field(field: str, method: str, pattern: str) -> Callable[[Reply], None]:
    """An edit of answers: `field` is missing in the body of every success of `method` and `pattern`."""

    def edit(reply: Reply) -> None:
        if reply.is_for(method, pattern) and reply.status < 300:
            body = reply.json
            body.pop(field, None)
            reply.write(body)

    return edit
