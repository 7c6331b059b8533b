"""Trouble on the way to and inside the reference server: lost answers, failed pauses, expiry, restarts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from sandkit import AsyncClient
from sandkit.errors import UnexpectedStateError
from sandkit_server.testing import EmbeddedServer


class Losing(httpx.AsyncHTTPTransport):
    """Delivers every request and loses the answers of as many as it is told to."""

    def __init__(self, method: str, times: int) -> None:
        super().__init__()
        self._method = method
        self.left = times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if request.method == self._method and self.left:
            self.left -= 1
            await response.aclose()
            raise httpx.ReadTimeout("the answer got lost", request=request)
        return response


async def control(server: EmbeddedServer, path: str, body: dict[str, Any]) -> None:
    """Tell the server's control port to do something."""
    async with httpx.AsyncClient(headers={"SANDKIT-CONTROL-KEY": str(server.control_key)}) as http:
        answer = await http.post(f"{server.control_url}{path}", json=body, timeout=30)
        assert answer.is_success, answer.text


async def test_a_create_whose_answers_are_lost_makes_one_sandbox(server: EmbeddedServer) -> None:
    transport = Losing("POST", 2)
    async with AsyncClient(server.api_key, server.base_url, transport=transport) as client:
        sandbox = await client.sandboxes.create(image="i", metadata={"run": "lost"})
        assert transport.left == 0
        found = [entry.id async for entry in client.sandboxes.list(metadata={"run": "lost"})]
        assert found == [sandbox.id]
        await sandbox.delete()


async def test_a_pause_whose_answer_is_lost_is_paused_once(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        sandbox = await client.sandboxes.create(image="i")
        await sandbox.wait_running(timeout=20)
        transport = Losing("POST", 1)
        async with AsyncClient(server.api_key, server.base_url, transport=transport) as unlucky:
            await unlucky.sandboxes.pause(sandbox.id)
            assert transport.left == 0
        await sandbox.wait_paused(timeout=20)
        await sandbox.delete()


async def test_a_delete_whose_answers_are_lost_has_deleted(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        sandbox = await client.sandboxes.create(image="i")
        transport = Losing("DELETE", 2)
        async with AsyncClient(server.api_key, server.base_url, transport=transport) as unlucky:
            await unlucky.sandboxes.delete(sandbox.id)
            assert transport.left == 0
        await sandbox.wait_until("Terminated", timeout=20)


async def test_a_pause_that_fails_says_why_and_leaves_the_sandbox_usable(server: EmbeddedServer) -> None:
    async with (
        AsyncClient(server.api_key, server.base_url) as client,
        await client.sandboxes.create(image="i") as sandbox,
    ):
        await sandbox.wait_running(timeout=20)
        fault = {"point": "snapshot.push", "action": "error", "times": 1}
        await control(server, "/v1/faults", {**fault, "match": {"sandboxId": sandbox.id}})
        await sandbox.pause()
        with pytest.raises(UnexpectedStateError) as caught:
            await sandbox.wait_paused(timeout=20)
        assert caught.value.state == "Running"
        assert caught.value.reason
        await sandbox.pause()
        await sandbox.wait_paused(timeout=20)


async def test_an_expired_sandbox_is_terminated(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        sandbox = await client.sandboxes.create(image="i", timeout=timedelta(minutes=10))
        await sandbox.wait_running(timeout=20)
        await control(server, "/v1/clock/advance", {"seconds": 601})
        await sandbox.wait_until("Terminated", timeout=20)
        assert sandbox.state == "Terminated"


async def test_a_wait_outlives_a_restart_of_the_server(server: EmbeddedServer) -> None:
    async with (
        AsyncClient(server.api_key, server.base_url) as client,
        await client.sandboxes.create(image="i") as sandbox,
    ):
        await control(server, "/v1/restart", {"graceful": False})
        await sandbox.wait_running(timeout=30)
