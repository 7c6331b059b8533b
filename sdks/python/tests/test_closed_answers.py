"""An answer that cannot be read to its end gives its connection back all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from sandkit import AsyncClient, Client
from sandkit.errors import TransportError

NO_GZIP = b"this is not gzip"


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """Bytes that are not what the header says, and whether they were closed."""

    closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield NO_GZIP

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield NO_GZIP

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


def garbled(body: Body) -> httpx.MockTransport:
    return httpx.MockTransport(
        lambda _request: httpx.Response(200, headers={"content-encoding": "gzip"}, stream=body)
    )


async def test_awaited() -> None:
    body = Body()
    async with AsyncClient("key", transport=garbled(body), max_retries=0) as client:
        with pytest.raises(TransportError):
            await client.version()
        assert body.closed


def test_blocking() -> None:
    body = Body()
    with Client("key", transport=garbled(body), max_retries=0) as client:
        with pytest.raises(TransportError):
            client.version()
        assert body.closed
