"""A small honest server of the API on loopback, which can be told to misbehave in one place."""

from __future__ import annotations

import itertools
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

KEY = "a-key-for-tests"
Misbehaviour = Callable[["Handler"], bool]


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class World:
    """The sandboxes, and what is wrong with the server."""

    def __init__(self) -> None:
        self.sandboxes: dict[str, dict[str, Any]] = {}
        self.numbers = itertools.count(1)
        self.lock = threading.Lock()
        self.misbehave: Misbehaviour = lambda _handler: False
        self.released = threading.Event()
        self.requests: list[str] = []
        self.silent = False


class Server(ThreadingHTTPServer):
    """One server; connections of a hanging client are not waited for."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, world: World) -> None:
        self.world = world
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Routes a request by hand, as far as the suite's own tests need it."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self.handle_request
        raise AttributeError(name)

    def handle_request(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.content = self.rfile.read(length) if length else b""
        self.world = self.server.world
        self.route = urlsplit(self.path)
        self.world.requests.append(f"{self.command} {self.route.path}")
        with self.world.lock:
            misbehave = self.world.misbehave
        if not misbehave(self):
            self.answer_honestly()

    def answer_honestly(self) -> None:
        parts = [part for part in self.route.path.removeprefix("/v1").split("/") if part]
        if parts in (["version"], ["health"]):
            return self.reply(200, {"version": "tiny-1", "status": "healthy"})
        if self.headers.get("OPEN-SANDBOX-API-KEY") != KEY:
            return self.error(401, "REQUEST::UNAUTHORIZED")
        with self.world.lock:
            return self.routed(parts)

    def routed(self, parts: list[str]) -> None:
        if parts == ["sandboxes"]:
            return self.create() if self.command == "POST" else self.listing()
        if len(parts) >= 2 and parts[0] == "sandboxes":
            sandbox = self.world.sandboxes.get(parts[1])
            if sandbox is None:
                return self.error(404, "SANDBOX::SANDBOX_NOT_FOUND")
            return self.on_sandbox(sandbox, parts[2:])
        return self.error(404, "REQUEST::ROUTE_NOT_FOUND")

    def create(self) -> None:
        body = json.loads(self.content)
        if "entrypoint" not in body:
            return self.error(
                400, "REQUEST::INVALID_PARAMETER", [{"pointer": "/entrypoint", "rule": "required"}]
            )
        number = next(self.world.numbers)
        sandbox = {
            "id": f"sbx-{number}",
            "image": body.get("image"),
            "status": {"state": "Running", "lastTransitionAt": now()},
            "metadata": body.get("metadata") or {},
            "entrypoint": body["entrypoint"],
            "createdAt": now(),
        }
        if body.get("timeout"):
            expiry = datetime.now(UTC) + timedelta(seconds=body["timeout"])
            sandbox["expiresAt"] = expiry.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        self.world.sandboxes[sandbox["id"]] = sandbox
        return self.reply(202, sandbox, {"Location": f"/v1/sandboxes/{sandbox['id']}"})

    def listing(self) -> None:
        query = parse_qs(self.route.query)
        wanted = dict(parse_qsl(query.get("metadata", [""])[0]))
        states = {state.lower() for state in query.get("state", [])}
        items = [
            sandbox
            for sandbox in self.world.sandboxes.values()
            if wanted.items() <= sandbox["metadata"].items()
            and (not states or sandbox["status"]["state"].lower() in states)
        ]
        page = {"page": 1, "pageSize": 20, "totalItems": len(items), "totalPages": 1, "hasNextPage": False}
        self.reply(200, {"items": items, "pagination": page})

    def on_sandbox(self, sandbox: dict[str, Any], rest: list[str]) -> None:
        status = sandbox["status"]
        if not rest and self.command == "GET":
            return self.reply(200, sandbox)
        if not rest and self.command == "DELETE":
            del self.world.sandboxes[sandbox["id"]]
            return self.reply(204)
        moves = {"pause": ("Running", "Paused"), "resume": ("Paused", "Running")}
        if len(rest) == 1 and rest[0] in moves and self.command == "POST":
            source, target = moves[rest[0]]
            if status["state"] != source:
                return self.error(409, "SANDBOX::INVALID_STATE")
            status.update(state=target, lastTransitionAt=now())
            return self.reply(202)
        return self.error(404, "REQUEST::ROUTE_NOT_FOUND")

    def slam(self) -> bool:
        """Close the connection instead of an answer."""
        self.connection.shutdown(socket.SHUT_RDWR)
        self.close_connection = True
        return True

    def error(self, status: int, code: str, details: list[Any] | None = None) -> None:
        body: dict[str, Any] = {"code": code, "message": "no"}
        self.reply(status, {**body, "details": details} if details else body)

    def reply(self, status: int, body: Any = None, headers: dict[str, str] | None = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if content else {}
        self.raw(status, content, {**kind, **(headers or {})})

    def raw(self, status: int, content: bytes, headers: dict[str, str], length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("X-Request-ID", self.headers.get("X-Request-ID") or f"r-{next(self.world.numbers)}")
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)
        if length is not None and length != len(content):
            self.close_connection = True


@contextmanager
def tiny_server(misbehave: Misbehaviour | None = None) -> Iterator[Server]:
    """A running server; `misbehave` gets every request first and says whether it has answered it."""
    world = World()
    if misbehave:
        world.misbehave = misbehave
    server = Server(world)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        world.released.set()
        server.shutdown()
        server.server_close()
        thread.join()
