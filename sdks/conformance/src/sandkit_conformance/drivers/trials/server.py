"""The scripted server: it answers what it is told to, and keeps what arrives."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import define, field, frozen

REQUEST_ID: Final = "trial-request-id"
_LONGEST_HOLD: Final = 20.0


@frozen
class Arrived:
    """A request as it came; `path` is decoded, header names are in lower case."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None without one."""
        try:
            return json.loads(self.content) if self.content else None
        except ValueError:
            return self.content


@frozen
class Reply:
    """An answer. `release` holds it back until it is set; `break_off` closes in the middle of the body."""

    status: int = 200
    content: bytes = b""
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    release: threading.Event | None = None
    break_off: bool = False

    @classmethod
    def of(cls, status: int, answer: Any, **more: Any) -> Reply:
        """JSON, or text, or nothing for None."""
        if isinstance(answer, str):
            return cls(status, answer.encode(), "text/plain; charset=utf-8", **more)
        return cls(status, b"" if answer is None else json.dumps(answer).encode(), **more)


@define
class Script:
    """What is answered, by path or else to everything, and what has arrived."""

    reply: Reply = field(factory=Reply)
    by_path: dict[str, Reply] = field(factory=dict)
    arrived: list[Arrived] = field(factory=list)

    def begin(self, reply: Reply, by_path: dict[str, Reply] | None = None) -> None:
        """Forget what has been, and answer this from now on."""
        self.arrived = []
        self.reply = reply
        self.by_path = by_path or {}


class ScriptedServer(ThreadingHTTPServer):
    """One server on a free loopback port."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self) -> None:
        self.script = Script()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """Its address, without `/v1`."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the trials."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def log_message(self, *_: object) -> None:
        """Say nothing; the findings are what matters."""

    def _answer(self) -> None:
        script = self.server.script
        arrived = self._read()
        reply = script.by_path.get(arrived.path, script.reply)
        script.arrived.append(arrived)
        if reply.release is not None:
            reply.release.wait(_LONGEST_HOLD)
        self.send_response(reply.status)
        self.send_header("X-Request-ID", arrived.headers.get("x-request-id", REQUEST_ID))
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.content:
            self.send_header("Content-Type", reply.media_type)
        if reply.status != 204:
            self.send_header("Content-Length", str(len(reply.content) * (2 if reply.break_off else 1)))
        self.end_headers()
        self.wfile.write(reply.content)
        self.close_connection = self.close_connection or reply.break_off

    def _read(self) -> Arrived:
        parts = urlsplit(self.path)
        return Arrived(
            method=self.command,
            path=unquote(parts.path),
            query=tuple(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            content=self._content(),
        )

    def _content(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(content)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)


@contextmanager
def scripted_server() -> Iterator[ScriptedServer]:
    """A running server; it is gone on the way out."""
    server = ScriptedServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
