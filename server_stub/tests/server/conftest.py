from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import anyio
import httpx
import pytest

from sandkit_server.testing import EmbeddedServer

Wait = Callable[[httpx.AsyncClient, str, str], Awaitable[dict[str, Any]]]

BODY: dict[str, Any] = {
    "image": {"uri": "python:3.12"},
    "entrypoint": ["python"],
    "resourceLimits": {"cpu": "1"},
    "timeout": 600,
}


def client_of(server: EmbeddedServer) -> httpx.AsyncClient:
    headers = {"OPEN-SANDBOX-API-KEY": server.api_key or ""}
    return httpx.AsyncClient(base_url=server.base_url, headers=headers, timeout=20)


def control_of(server: EmbeddedServer) -> httpx.AsyncClient:
    headers = {"SANDKIT-CONTROL-KEY": server.control_key or ""}
    return httpx.AsyncClient(base_url=server.control_url or "", headers=headers, timeout=20)


async def until(client: httpx.AsyncClient, path: str, state: str) -> dict[str, Any]:
    with anyio.fail_after(10):
        while True:
            found: dict[str, Any] = (await client.get(path)).raise_for_status().json()
            if found["status"]["state"] == state:
                return found
            await anyio.sleep(0.005)


async def running(client: httpx.AsyncClient, **changes: Any) -> str:
    made = (await client.post("/sandboxes", json={**BODY, **changes})).raise_for_status().json()
    await until(client, f"/sandboxes/{made['id']}", "Running")
    identifier: str = made["id"]
    return identifier


@pytest.fixture
async def server() -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer() as embedded:
        yield embedded


@pytest.fixture
async def client(server: EmbeddedServer) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(server) as connected:
        yield connected
