"""Metrics and health on one port, and a bound on calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus

import httpx
import pytest

from sandkit_server.controller.status_port import StatusPort, bind
from sandkit_server.controller.throttle import ThrottledCluster
from sandkit_server.kubernetes.calls import get
from sandkit_server.kubernetes.resources import SECRETS

from .manual_clock import ManualClock, settle
from .world import World


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    bound = bind("127.0.0.1", 0)
    port = StatusPort(
        bound,
        {
            "/healthz": lambda: (HTTPStatus.OK, b"ok\n"),
            "/readyz": lambda: (HTTPStatus.SERVICE_UNAVAILABLE, b"not yet\n"),
        },
    )
    task = asyncio.ensure_future(port.run())
    yield bound.getsockname()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/healthz", 200, "ok\n"),
        ("GET", "/healthz?verbose", 200, "ok\n"),
        ("HEAD", "/healthz", 200, ""),
        ("GET", "/readyz", 503, "not yet\n"),
        ("GET", "/", 404, "not found\n"),
        ("POST", "/healthz", 405, "GET only\n"),
    ],
)
async def test_answers(address: tuple[str, int], method: str, path: str, status: int, body: str) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.request(method, f"http://{address[0]}:{address[1]}{path}")
    assert (answer.status_code, answer.text) == (status, body)


@pytest.mark.parametrize("sent", [b"", b"\r\n\r\n", b"nonsense\r\n\r\n", b"GET " + b"x" * 20_000])
async def test_whatever_is_sent_harms_nobody(address: tuple[str, int], sent: bytes) -> None:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(sent)
    writer.write_eof()
    with suppress(ConnectionResetError):
        await reader.read()
    writer.close()
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://{address[0]}:{address[1]}/healthz")
    assert answer.text == "ok\n"


async def test_calls_beyond_the_burst_wait_for_their_turn() -> None:
    clock = ManualClock()
    world = World()
    cluster = ThrottledCluster(world.cluster, clock, rate=2.0, burst=3)
    tasks = [asyncio.ensure_future(cluster.send(get(SECRETS, "push"))) for _ in range(6)]
    await settle()
    assert sum(task.done() for task in tasks) == 3
    await clock.advance(0.5)
    assert sum(task.done() for task in tasks) == 4
    await clock.advance(1.0)
    assert all(task.done() for task in tasks)
    await asyncio.gather(*tasks)
    await clock.advance(60)
    before = len(world.cluster.sent)
    tasks = [asyncio.ensure_future(cluster.send(get(SECRETS, "push"))) for _ in range(5)]
    await settle()
    assert len(world.cluster.sent) - before == 3, "what was not used is not saved up beyond the burst"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
