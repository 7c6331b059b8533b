"""The request body, counted while it arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.exchange import Headers

__all__ = ["BodyReader", "ClientDisconnectedError", "Receive"]

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientDisconnectedError(Exception):
    """The client went away before the whole request had arrived.

    There is nobody to answer, and nothing was done.
    """


class BodyReader:
    """Reads a whole body of at most ``max_bytes``, for at most ``timeout`` seconds.

    A stated Content-Length above the limit is refused before anything is read, so a client that waits for
    ``100 Continue`` never sends it. A body without one, or with a wrong one, is counted as it arrives.
    """

    def __init__(self, max_bytes: int, timeout: float) -> None:
        self._max_bytes = max_bytes
        self._timeout = timeout

    async def read(self, headers: Headers, receive: Receive) -> bytes:
        """The body; empty when there is none.

        Raises:
            SandkitError: REQUEST::PAYLOAD_TOO_LARGE, REQUEST::TIMEOUT.
            ClientDisconnectedError: it never arrived whole.
        """
        for name, value in headers:
            if name == b"content-length" and int(value) > self._max_bytes:
                raise self._too_large()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._collect(receive)
        except TimeoutError as late:
            raise SandkitError(
                ErrorCode.REQUEST_TIMEOUT, f"The body did not arrive within {self._timeout:g} seconds."
            ) from late

    async def _collect(self, receive: Receive) -> bytes:
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._max_bytes:
                raise self._too_large()
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _too_large(self) -> SandkitError:
        return SandkitError(
            ErrorCode.REQUEST_PAYLOAD_TOO_LARGE, f"The body is larger than {self._max_bytes} bytes."
        )
