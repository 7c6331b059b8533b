"""The part of a kubelet's own interface that the API server asks for logs of containers."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from contextlib import suppress
from typing import Final
from urllib.parse import parse_qs, urlsplit

from sandkit_server.testing.control_plane.node.containers import Containers
from sandkit_server.testing.control_plane.pki import Authority

_LONGEST_HEAD: Final = 16_384


class LogServer:
    """Answers ``GET /containerLogs/NAMESPACE/POD/CONTAINER`` over TLS on a free port of loopback."""

    def __init__(self, containers: Containers) -> None:
        self._containers = containers
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; gives the port."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=_tls(), limit=_LONGEST_HEAD)
        self._server = server
        port: int = server.sockets[0].getsockname()[1]
        return port

    def close(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            target = urlsplit(head.split(b" ", 2)[1].decode("latin-1"))
            lines = self._lines(target.path)
            tail = parse_qs(target.query).get("tailLines")
            status, kept = ("404 Not Found", []) if lines is None else ("200 OK", lines)
            body = "".join(
                f"{line}\n" for line in (kept[max(0, len(kept) - int(tail[0])) :] if tail else kept)
            ).encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nConnection: close\r\n".encode()
                + f"Content-Length: {len(body)}\r\n\r\n".encode()
                + body
            )
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, IndexError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    def _lines(self, path: str) -> list[str] | None:
        parts = path.strip("/").split("/")
        if len(parts) != 4 or parts[0] != "containerLogs":
            return None
        _, _, pod_name, container_name = parts
        for pod in self._containers:
            for container in pod.containers:
                if (pod.name, container.name) == (pod_name, container_name):
                    return container.log
        return None


def _tls() -> ssl.SSLContext:
    pair = Authority("sandkit node").server("localhost", "127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile(prefix="sandkit-node-") as chain:
        chain.write(pair.certificate + pair.key)
        chain.flush()
        context.load_cert_chain(chain.name)
    return context
