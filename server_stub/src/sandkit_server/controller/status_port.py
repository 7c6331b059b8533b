"""The controller's own port: metrics and health, one short answer per connection.

A scraper and the kubelet ask for three fixed paths now and then. That needs no web server, and a controller
without one starts faster and takes less memory.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

# A request is its line and a few headers; whoever sends more, or nothing, is not one of ours.
_LONGEST_REQUEST: Final = 8_192
_PATIENCE: Final = 5.0

Answer = tuple[HTTPStatus, bytes]


class StatusPort:
    """Answers GET and HEAD of fixed paths on one listening socket."""

    def __init__(self, bound: socket.socket, answers: Mapping[str, Callable[[], Answer]]) -> None:
        """Answer each path by calling its function."""
        self._bound = bound
        self._answers = answers

    async def run(self) -> None:
        """Serve for ever; cancel to stop."""
        server = await asyncio.start_server(self._exchange, sock=self._bound, limit=_LONGEST_REQUEST)
        async with server:
            await server.serve_forever()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(head))
                await writer.drain()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.split(b"\r\n", 1)[0].decode("latin-1").partition(" ")
        path = rest.split(" ", 1)[0].split("?", 1)[0]
        respond = self._answers.get(path)
        if method not in ("GET", "HEAD"):
            status, body = HTTPStatus.METHOD_NOT_ALLOWED, b"GET only\n"
        elif respond is None:
            status, body = HTTPStatus.NOT_FOUND, b"not found\n"
        else:
            status, body = respond()
        lines = (
            f"HTTP/1.1 {status.value} {status.phrase}",
            "Content-Type: text/plain; version=0.0.4; charset=utf-8",
            f"Content-Length: {len(body)}",
            "Connection: close",
            *(("Allow: GET, HEAD",) if status is HTTPStatus.METHOD_NOT_ALLOWED else ()),
        )
        text = "\r\n".join(lines).encode() + b"\r\n\r\n"
        return text if method == "HEAD" else text + body


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to ``host`` and ``port`` (0: any free one). Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)
