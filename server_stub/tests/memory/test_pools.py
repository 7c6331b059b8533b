"""Pools of warm sandboxes."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import CreatePool, PoolCapacity, PoolContainer, PoolTemplate, SandboxState
from sandkit_server.runtimes.memory import MemorySettings
from sandkit_server.runtimes.memory.pooling import wanted_warm

from .conftest import MakeWorld
from .world import World, eventually, refused

CAPACITY = PoolCapacity(buffer_min=1, buffer_max=2, pool_min=0, pool_max=3)
TEMPLATE = PoolTemplate(containers=(PoolContainer(image="python:3.12-slim", command=("sleep", "60")),))
POOL = CreatePool(name="warm", template=TEMPLATE, capacity=CAPACITY)
POOLED: dict[str, Any] = {
    "image": None,
    "entrypoint": None,
    "resource_limits": None,
    "extensions": {"poolRef": "warm"},
}


async def _available(world: World, count: int) -> None:
    await eventually(lambda: world.service.get_pool("warm"), lambda pool: pool.status.available == count)


@pytest.mark.parametrize(
    ("capacity", "available", "allocated", "wanted"),
    [
        ((1, 3, 1, 10), 0, 0, 3),
        ((1, 3, 1, 10), 2, 1, 2),
        ((1, 3, 1, 10), 5, 0, 3),
        ((0, 3, 0, 10), 0, 0, 0),
        ((0, 0, 4, 10), 0, 1, 3),
        ((2, 2, 0, 3), 2, 2, 1),
        ((2, 2, 0, 3), 0, 3, 0),
        ((2, 2, 0, 3), 0, 5, 0),
        ((0, 0, 0, 0), 1, 0, 0),
    ],
)
def test_how_many_pods_are_kept_warm(
    capacity: tuple[int, int, int, int], available: int, allocated: int, wanted: int
) -> None:
    low, high, least, most = capacity
    sizes = PoolCapacity(buffer_min=low, buffer_max=high, pool_min=least, pool_max=most)
    assert wanted_warm(sizes, available, allocated) == wanted


async def test_a_pool_fills_gives_out_and_refills(world: World) -> None:
    made = await world.service.create_pool(POOL)
    assert (made.status.total, made.status.allocated) == (0, 0)
    await _available(world, 2)
    first = await world.create(**POOLED)
    await world.until(first.id, SandboxState.RUNNING)
    second = await world.create(**POOLED)
    await _available(world, 1)
    pool = await world.service.get_pool("warm")
    assert (pool.status.total, pool.status.allocated) == (3, 2)
    assert (first.image_uri, first.entrypoint) == ("python:3.12-slim", ("sleep", "60"))
    third = await world.create(**POOLED)
    error = await refused(world.create(**POOLED))
    assert (error.status, error.code) == (429, ErrorCode.POOL_POOL_CAPACITY_EXHAUSTED)
    assert error.retry_after is not None
    for sandbox in (first, second, third):
        await world.delete(sandbox.id)
    await eventually(lambda: world.service.get_pool("warm"), lambda pool: pool.status.available >= 1)


async def test_an_unknown_pool(world: World) -> None:
    error = await refused(world.create(**POOLED))
    assert (error.status, error.code) == (404, ErrorCode.POOL_POOL_NOT_FOUND)
    for call in (
        world.service.get_pool("warm"),
        world.service.update_pool("warm", CAPACITY),
        world.service.delete_pool("warm"),
    ):
        assert (await refused(call)).code is ErrorCode.POOL_POOL_NOT_FOUND


async def test_a_pool_with_sandboxes_in_use_is_kept(world: World) -> None:
    await world.service.create_pool(POOL)
    error = await refused(world.service.create_pool(POOL))
    assert (error.status, error.code) == (409, ErrorCode.POOL_POOL_ALREADY_EXISTS)
    await _available(world, 2)
    sandbox = await world.create(**POOLED)
    error = await refused(world.service.delete_pool("warm"))
    assert (error.status, error.code) == (409, ErrorCode.POOL_POOL_IN_USE)
    await world.delete(sandbox.id)
    await world.service.delete_pool("warm")
    await world.settled()
    await world.require_empty()
    assert await world.service.list_pools() == ()


async def test_capacity_changes_take_effect(world: World) -> None:
    await world.service.create_pool(POOL)
    await _available(world, 2)
    revision = (await world.service.get_pool("warm")).status.revision
    for size in (3, 1):
        sizes = PoolCapacity(buffer_min=size, buffer_max=size, pool_min=0, pool_max=5)
        assert (await world.service.update_pool("warm", sizes)).capacity == sizes
        await _available(world, size)
    assert (await world.service.get_pool("warm")).status.revision == revision
    bad = PoolCapacity(buffer_min=3, buffer_max=1, pool_min=0, pool_max=5)
    assert (await refused(world.service.update_pool("warm", bad))).status == 400


async def test_a_pool_survives_restarts_and_failures(world: World) -> None:
    await world.fault("pod.create", times=3)
    await world.service.create_pool(POOL)
    await world.restart()
    await _available(world, 2)
    sandbox = await world.create(**POOLED)
    await world.restart()
    await world.until(sandbox.id, SandboxState.RUNNING)
    assert (await world.service.get_pool("warm")).status.allocated == 1


async def test_a_create_that_fails_gives_the_warm_pod_back(world: World) -> None:
    await world.service.create_pool(POOL)
    await _available(world, 2)
    await world.fault("workload.create", times=1)
    await refused(world.create(**POOLED))
    assert (await world.service.get_pool("warm")).status.available == 2


async def test_pools_are_listed_by_name(world: World) -> None:
    for name in ("b", "a"):
        await world.service.create_pool(CreatePool(name=name, template=TEMPLATE, capacity=CAPACITY))
    assert [pool.name for pool in await world.service.list_pools()] == ["a", "b"]


async def test_a_runtime_without_pools(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, pools=False))
    for call in (
        world.service.create_pool(POOL),
        world.service.list_pools(),
        world.service.get_pool("warm"),
        world.service.update_pool("warm", CAPACITY),
        world.service.delete_pool("warm"),
        world.create(**POOLED),
    ):
        error = await refused(call)
        assert (error.status, error.code) == (501, ErrorCode.POOL_POOL_NOT_SUPPORTED)
    await world.require_empty()
