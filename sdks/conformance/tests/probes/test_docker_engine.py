"""The client of a Docker engine, against an engine that does what a real one does at the worst moment."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.docker.engine import connect

pytestmark = pytest.mark.anyio

_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "docker.sock"


@pytest.fixture
def listener(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.setblocking(False)
        yield listener


@asynccontextmanager
async def _accepted(listener: socket.socket, answer: bytes) -> AsyncIterator[socket.socket]:
    """The next connection, once its request has come and the answer to it has been sent."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(listener)
    with connection:
        await loop.sock_recv(connection, 65536)
        await loop.sock_sendall(connection, answer)
        yield connection


async def test_a_stream_of_events_ends_in_the_turn_of_the_loop_in_which_one_comes(
    path: Path, listener: socket.socket
) -> None:
    seen: asyncio.Queue[Any] = asyncio.Queue()

    async def follow() -> None:
        async with connect(f"unix://{path}") as engine:
            async for event in engine.events(0):
                seen.put_nowait(event)

    task = asyncio.create_task(follow())
    async with _accepted(listener, _HEAD + b"2\r\n1\n\r\n") as connection:
        assert await seen.get() == 1
        # What is asked for now comes before what the socket has to say, in one turn.
        asyncio.get_running_loop().call_soon(task.cancel)
        connection.send(b"2\r\n2\n\r\n")
        with pytest.raises(asyncio.CancelledError):
            await task
    assert seen.empty()


async def test_a_connection_that_the_engine_has_closed_in_between_is_not_used_again(
    path: Path, listener: socket.socket
) -> None:
    async def serve() -> None:
        for number in (b"1", b"2"):
            async with _accepted(listener, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + number):
                pass

    async with asyncio.TaskGroup() as group, connect(f"unix://{path}") as engine:
        group.create_task(serve())
        assert await engine.ask("GET", "/first") == 1
        await anyio.sleep(0.01)
        assert await engine.ask("GET", "/second") == 2


async def test_an_engine_that_is_not_there_is_told(path: Path) -> None:
    async with connect(f"unix://{path}") as engine:
        with pytest.raises(SidePortError, match=r"GET /info: .*No such file"):
            await engine.ask("GET", "/info")


async def test_an_engine_that_hangs_up_is_told(path: Path, listener: socket.socket) -> None:
    async def serve() -> None:
        async with _accepted(listener, b""):
            pass

    async with asyncio.TaskGroup() as group, connect(f"unix://{path}") as engine:
        group.create_task(serve())
        with pytest.raises(SidePortError, match="GET /info: Server disconnected"):
            await engine.ask("GET", "/info")


async def test_an_engine_that_says_nothing_is_told(
    path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandkit_conformance.probes.docker.engine._TIMEOUT", 0.05)
    async with connect(f"unix://{path}") as engine:
        with pytest.raises(SidePortError, match="GET /info: ReadTimeout"):
            await engine.ask("GET", "/info")
