"""What only the asynchronous client has: tasks, cancellation, event loops, lists to be awaited."""

from __future__ import annotations

import asyncio

import anyio
import httpx
import pytest

from sandkit import AsyncClient, AsyncListing
from sandkit.errors import ConfigurationError
from sandkit.testing import ScriptedTransport, answer, page_body, sandbox_body
from sandkit_server.testing import EmbeddedServer


class Slow(httpx.AsyncBaseTransport):
    """A server that answers when it is let."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.let = asyncio.Event()
        self.requests: list[httpx.Request] = []
        self.answered: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.reached.set()
        await self.let.wait()
        await asyncio.sleep(0)  # where a cancellation would strike
        self.answered.append(request.method)
        if request.method == "DELETE":
            return httpx.Response(204)
        return httpx.Response(200, json=sandbox_body())


async def test_a_cancelled_call_ends_as_cancelled_and_is_not_repeated() -> None:
    server = Slow()
    async with AsyncClient("key", transport=server) as client:
        task = asyncio.create_task(client.sandboxes.create(image="i"))
        await server.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(server.requests) == 1
        server.let.set()
        assert (await client.sandboxes.get("sbx-1")).id == "sbx-1"


async def test_a_cancelled_block_still_deletes_its_sandbox() -> None:
    server = Slow()
    server.let.set()
    entered = asyncio.Event()

    async def work(client: AsyncClient) -> None:
        async with await client.sandboxes.get("sbx-1"):
            entered.set()
            server.let.clear()
            await asyncio.sleep(60)

    async with AsyncClient("key", transport=server) as client:
        task = asyncio.create_task(work(client))
        await entered.wait()
        server.reached.clear()
        task.cancel()
        await server.reached.wait()
        assert server.requests[-1].method == "DELETE"
        assert not task.done()
        server.let.set()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_a_scope_that_is_cancelled_over_and_over_still_deletes_its_sandbox() -> None:
    server = Slow()
    server.let.set()
    async with AsyncClient("key", transport=server) as client:
        with anyio.move_on_after(0.02) as scope:
            async with await client.sandboxes.get("sbx-1"):
                await anyio.sleep(60)
    assert scope.cancelled_caught
    assert server.answered == ["GET", "DELETE"]


async def test_a_cancelled_wait_stops_looking() -> None:
    server = ScriptedTransport(*[answer(200, sandbox_body(state="Pending"))] * 5)
    async with AsyncClient("key", transport=server) as client:
        sandbox = await client.sandboxes.get("sbx-1")
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.03):
                await sandbox.wait_running()
        assert type(caught.value) is TimeoutError
    assert len(server.requests) == 2


async def test_other_tasks_run_while_one_waits() -> None:
    server = ScriptedTransport(*[answer(200, sandbox_body(state="Pending"))] * 3, answer(200, sandbox_body()))
    ticks = 0
    async with AsyncClient("key", transport=server) as client:
        sandbox = await client.sandboxes.get("sbx-1")
        waiting = asyncio.create_task(sandbox.wait_running())
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0.005)
    assert ticks > 10


def test_one_client_belongs_to_one_event_loop() -> None:
    client = AsyncClient("key", transport=ScriptedTransport(*[answer(200, sandbox_body())] * 2))

    async def read() -> str:
        return (await client.sandboxes.get("sbx-1")).id

    assert asyncio.run(read()) == "sbx-1"
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(read())
    with pytest.raises(ConfigurationError, match="another event loop"):
        asyncio.run(client.close())


async def test_a_list_can_be_awaited_or_iterated_and_sends_nothing_before() -> None:
    server = ScriptedTransport(*[answer(200, page_body([sandbox_body()]))] * 2)
    async with AsyncClient("key", transport=server) as client:
        listing = client.sandboxes.list()
        assert isinstance(listing, AsyncListing)
        assert server.requests == []
        assert (await listing).total_items == 1
        assert [sandbox.id async for sandbox in listing] == ["sbx-1"]


async def test_a_hundred_tasks_share_one_client(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:

        async def life(number: int) -> str:
            async with await client.sandboxes.create(image="i", metadata={"n": str(number)}) as sandbox:
                await sandbox.wait_running(timeout=30)
                return sandbox.id

        ids = await asyncio.gather(*[life(number) for number in range(100)])
    assert len(set(ids)) == 100


async def test_an_http_client_of_ones_own_is_used_and_left_open() -> None:
    server = ScriptedTransport(answer(200, sandbox_body()))
    async with httpx.AsyncClient(transport=server) as http:
        async with AsyncClient("key", http_client=http) as client:
            await client.sandboxes.get("sbx-1")
        assert not http.is_closed
