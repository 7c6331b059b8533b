from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sandkit_server.core.policy import Policy
from sandkit_server.runtimes.memory import MemorySettings

from .world import QUICK, World

MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world() -> AsyncIterator[MakeWorld]:
    """Makes worlds with settings of one's own; every server is closed at the end."""
    worlds: list[World] = []

    async def make(settings: MemorySettings = QUICK, policy: Policy | None = None) -> World:
        made = World(settings, policy)
        worlds.append(made)
        await made.runtime.start()
        return made

    yield make
    for made in worlds:
        await made.control.remove_fault(None)
        for gate in list(made.engine.disturbances.gates):
            await made.control.remove_gate(gate)
        await made.runtime.close()


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """A world as the operator's defaults make it, only quicker."""
    return await make_world()
