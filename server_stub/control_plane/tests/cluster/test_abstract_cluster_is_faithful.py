"""The real API server and its controllers keep the contract that the abstract cluster is held to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sandkit_server.testing.contracts.cluster import ClusterContract, Eventually

# Seconds the garbage collector may take: it looks again only some time after it has met something new.
_PATIENCE = 60.0


class TestRealCluster(ClusterContract):
    @pytest.fixture
    def eventually(self) -> Eventually:
        async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
            async with asyncio.timeout(_PATIENCE):
                while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
                    await asyncio.sleep(0.1)

        return eventually
