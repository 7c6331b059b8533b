"""HTTP over a UNIX socket, on asyncio's own streams.

Those of anyio, which httpx would take, are not safe to cancel: where the socket becomes readable in the same
turn of the loop, the loop fails with `InvalidStateError` (anyio 4.16, `_RawSocketMixin`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import httpcore
import httpx


class UnixTransport(httpx.AsyncHTTPTransport):
    """A transport that connects to the socket at `path`, whatever the URL says."""

    def __init__(self, path: str) -> None:
        super().__init__()
        # httpx offers no way to choose the backend of its pool.
        self._pool = httpcore.AsyncConnectionPool(uds=path, network_backend=_Backend())


class _Backend(httpcore.AsyncNetworkBackend):
    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002 - httpcore's signature
    ) -> httpcore.AsyncNetworkStream:
        with _failures(httpcore.ConnectTimeout, httpcore.ConnectError), anyio.fail_after(timeout):
            return _Stream(*await asyncio.open_unix_connection(path))


class _Stream(httpcore.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        with _failures(httpcore.ReadTimeout, httpcore.ReadError), anyio.fail_after(timeout):
            return await self._reader.read(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        with _failures(httpcore.WriteTimeout, httpcore.WriteError), anyio.fail_after(timeout):
            self._writer.write(buffer)
            await self._writer.drain()

    async def aclose(self) -> None:
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        # An idle connection that has something to read has been closed by the engine.
        return self._reader.at_eof() if info == "is_readable" else None


@contextmanager
def _failures(late: type[Exception], broken: type[Exception]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except OSError as error:
        raise broken(str(error)) from error
