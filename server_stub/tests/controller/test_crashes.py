"""The controller killed around each of its calls: whoever comes next ends where nobody was killed."""

from __future__ import annotations

import pytest

from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import PortError, Unavailable
from sandkit_server.kubernetes.calls import Call, Object, Propagation, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES

from .world import ID, World


class Crash(BaseException):
    """The process is gone."""


class Fatal:
    """Sends until one call, then crashes before or after it, or loses its answer."""

    namespace = "default"

    def __init__(self, world: World, at: int, how: str) -> None:
        self._world = world
        self._at = at
        self._how = how
        self.calls = 0

    async def send(self, call: Call) -> Object:
        self.calls += 1
        mine = self.calls == self._at
        if mine and self._how == "before":
            raise Crash
        answer = await self._world.cluster.send(call)
        if mine and self._how == "after":
            raise Crash
        if mine and self._how == "lost answer":
            raise Unavailable("connection reset")
        return answer


async def live(world: World) -> None:
    """A life with everything in it: from a pool, paused, resumed, paused in vain, expired."""
    world.make_pool(bufferMin=1, bufferMax=1)
    world.make(poolRef="pool")
    await survive(world)
    assert world.state() is SandboxState.RUNNING
    for _ in range(2):
        world.ask(pause=True)
        await survive(world)
        assert world.state() is SandboxState.PAUSED
        world.ask(pause=False)
        await survive(world)
        assert world.state() is SandboxState.RUNNING
    fine = world.commit
    world.fail_commits()
    world.ask(pause=True)
    await survive(world)
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "PushFailed")
    world.commit, world.commits = fine, True  # type: ignore[method-assign]
    world.edit(expireTime="2026-01-01T10:00:00Z", pause=None)
    world.cluster.advance(36_000)
    await survive(world)


async def survive(world: World) -> None:
    """Play on after every crash, with a new controller that knows nothing."""
    while True:
        try:
            await world.play()
        except Crash:
            continue
        return


async def calls_of_a_life() -> int:
    world = World()
    port = world.port = Fatal(world, 0, "never")
    await live(world)
    return port.calls


@pytest.mark.parametrize("how", ["before", "after", "lost answer"])
async def test_a_crash_around_any_call_changes_nothing_in_the_end(how: str) -> None:
    total = await calls_of_a_life()
    assert total > 40
    for at in range(1, total + 1):
        world = World()
        port = world.port = Fatal(world, at, how)
        await live(world)
        assert port.calls >= at
        left = world.census()
        assert set(left) == {"pods"}, f"killed {how} call {at}: {left}"
        assert all(name.startswith("pool-warm-") for name in left["pods"])


@pytest.mark.parametrize("how", ["before", "after", "lost answer"])
async def test_a_delete_at_any_moment_of_a_pause_and_a_resume_leaves_nothing(how: str) -> None:
    for at in range(1, 16):
        world = World()
        await world.run()
        world.ask(pause=True)
        world.port = Deleting(world, at, how)
        await survive(world)
        if world.census():
            world.ask(pause=False)
            await survive(world)
        if world.census():
            world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
            await survive(world)
        assert world.census() == {}, f"deleted {how} call {at}"


class Deleting(Fatal):
    """Somebody deletes the sandbox just before or just after a call."""

    async def send(self, call: Call) -> Object:
        self.calls += 1
        if self.calls == self._at and self._how == "before":
            self._delete()
        answer: Object | PortError
        try:
            answer = await self._world.cluster.send(call)
        finally:
            if self.calls == self._at and self._how != "before":
                self._delete()
        return answer

    def _delete(self) -> None:
        self._world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
        if self._how == "lost answer":
            self._world.cluster.settle()
