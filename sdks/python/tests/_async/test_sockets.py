"""Answers that break off, never end or never come, over real connections."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from sandkit import AsyncClient
from sandkit.errors import ConnectError, RequestTimeoutError, ServerError, TransportError
from sandkit.testing import AsyncFakeClock, sandbox_body

BODY = json.dumps(sandbox_body()).encode()
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(BODY)


def client_for(base_url: str, **settings: Any) -> AsyncClient:
    return AsyncClient("key", base_url, clock=AsyncFakeClock(), **settings)


async def test_an_answer_that_breaks_off_is_asked_for_again(raw_server: Any) -> None:
    server = raw_server([[OK, BODY[:20]], [b"HTTP/1.1 200"], [], [OK, BODY]])
    async with client_for(server.base_url) as client:
        assert (await client.sandboxes.get("sbx-1")).id == "sbx-1"
    assert len(server.requests) == 4


async def test_a_create_whose_answer_breaks_off_may_have_created(raw_server: Any) -> None:
    server = raw_server([[OK, BODY[:20]], [b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"]])
    async with client_for(server.base_url) as client:
        with pytest.raises(TransportError, match="may have taken effect") as caught:
            await client.sandboxes.create(image="i")
    assert caught.value.maybe_applied
    assert [request.split(b" ")[0] for request in server.requests] == [b"POST", b"GET"]


async def test_an_error_whose_body_breaks_off_keeps_its_status(raw_server: Any) -> None:
    head = b"HTTP/1.1 507 Insufficient Storage\r\ncontent-length: 1000\r\n\r\n"
    server = raw_server([[head, b"disk fu"]])
    async with client_for(server.base_url, max_retries=0) as client:
        with pytest.raises(ServerError) as caught:
            await client.sandboxes.get("sbx-1")
    assert (caught.value.status, caught.value.body) == (507, "disk fu")


async def test_an_endless_error_body_is_not_read_to_its_end(raw_server: Any) -> None:
    head = b"HTTP/1.1 500 Oops\r\ncontent-type: text/plain\r\n\r\n"
    server = raw_server([[head, *[b"x" * 65536] * 2000]])
    async with client_for(server.base_url, max_retries=0) as client:
        with pytest.raises(ServerError) as caught:
            await client.sandboxes.get("sbx-1")
    assert len(caught.value.body) == 65536
    server.close()
    assert server.sent < 2000 * 65536


async def test_an_error_body_in_an_unknown_compression_keeps_its_status(raw_server: Any) -> None:
    head = b"HTTP/1.1 503 Busy\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\nretry-after: 7\r\n\r\n"
    server = raw_server([[head, b"not gzip!"]])
    async with client_for(server.base_url, max_retries=0) as client:
        with pytest.raises(ServerError) as caught:
            await client.sandboxes.get("sbx-1")
    assert (caught.value.status, caught.value.retry_after) == (503, 7)


async def test_no_answer_is_a_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with client_for(f"127.0.0.1:{port}", timeout=0.1, max_retries=0) as client:
            with pytest.raises(RequestTimeoutError, match=r"no answer within 0\.1 s"):
                await client.sandboxes.get("sbx-1")


async def test_nobody_there_means_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with client_for(f"127.0.0.1:{port}", max_retries=2) as client:
        with pytest.raises(ConnectError) as caught:
            await client.sandboxes.pause("sbx-1")
    assert caught.value.attempts == 3
    assert not caught.value.maybe_applied
