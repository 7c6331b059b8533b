"""What every pool store must do.

An adapter's test class names the fixtures ``workloads`` and ``pools``, over one engine that fills pools, and
inherits this.
"""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sandkit_server.core.model import CreatePool, Pool, PoolCapacity, PoolContainer, PoolTemplate
from sandkit_server.core.port_errors import AlreadyExists, Exhausted, NotFound, VersionConflict
from sandkit_server.core.ports import PoolStore, WorkloadProvider, WorkloadSpec
from sandkit_server.testing.contracts.workload_provider import PATIENCE, SANDBOX, spec

CONTAINER = PoolContainer(
    image="busybox:1.36",
    name="sandbox",
    command=("sleep",),
    args=("3600",),
    env={"A": "1"},
    resource_limits={"cpu": "100m", "memory": "64Mi"},
)
ONE = PoolCapacity(buffer_min=1, buffer_max=1, pool_min=1, pool_max=1)
TWO = PoolCapacity(buffer_min=1, buffer_max=2, pool_min=1, pool_max=2)


def request(name: str = "warm", capacity: PoolCapacity = ONE) -> CreatePool:
    """A small pool."""
    return CreatePool(name=name, template=PoolTemplate(containers=(CONTAINER,)), capacity=capacity)


def drawn(sandbox_id: str = SANDBOX, pool: str = "warm") -> WorkloadSpec:
    """A workload out of a pool."""
    plain = spec(sandbox_id)
    wanted = replace(
        plain.request, image=None, entrypoint=None, resource_limits=None, extensions={"poolRef": pool}
    )
    return replace(plain, request=wanted, entrypoint=(), env={})


async def until(pools: PoolStore, available: int, allocated: int) -> Pool:
    """Wait for the counts of the pool."""
    async with asyncio.timeout(PATIENCE):
        while True:
            pool = await pools.get("warm")
            if (pool.status.available, pool.status.allocated) == (available, allocated):
                return pool
            await asyncio.sleep(0.005)


class PoolStoreContract:
    """The contract of :class:`~sandkit_server.core.ports.PoolStore`."""

    async def test_a_pool_is_read_as_it_was_made_and_fills(self, pools: PoolStore) -> None:
        made = await pools.create(request())
        filled = await until(pools, available=1, allocated=0)
        for pool in (made, filled):
            assert (pool.name, pool.capacity) == ("warm", ONE)
            (container,) = pool.template.containers
            assert container == CONTAINER
            assert pool.created_at == made.created_at
        assert filled.status.total == 1

    async def test_a_name_is_taken_once(self, pools: PoolStore) -> None:
        await pools.create(request())
        with pytest.raises(AlreadyExists):
            await pools.create(request(capacity=TWO))
        assert (await pools.get("warm")).capacity == ONE

    async def test_what_is_not_there_is_not_found(
        self, pools: PoolStore, workloads: WorkloadProvider
    ) -> None:
        with pytest.raises(NotFound):
            await pools.get("absent")
        with pytest.raises(NotFound):
            await pools.set_capacity("absent", ONE)
        with pytest.raises(NotFound):
            await pools.delete("absent")
        with pytest.raises(NotFound):
            await workloads.create(drawn(pool="absent"))

    async def test_listing_is_by_name(self, pools: PoolStore) -> None:
        for name in ("b", "a", "c"):
            await pools.create(request(name))
        assert [pool.name for pool in await pools.list()] == ["a", "b", "c"]

    async def test_the_capacity_is_replaced(self, pools: PoolStore) -> None:
        await pools.create(request())
        assert (await pools.set_capacity("warm", TWO)).capacity == TWO
        assert (await pools.get("warm")).capacity == TWO

    async def test_a_pool_gives_what_it_has_and_no_more(
        self, pools: PoolStore, workloads: WorkloadProvider
    ) -> None:
        await pools.create(request())
        await until(pools, available=1, allocated=0)
        made = await workloads.create(drawn())
        assert made.sandbox.entrypoint == ("sleep", "3600")
        await workloads.wait_ready(SANDBOX)
        await until(pools, available=0, allocated=1)
        with pytest.raises(Exhausted) as refused:
            await workloads.create(drawn("sbx-second"))
        assert refused.value.what == "pool"
        assert refused.value.retry_after
        with pytest.raises(NotFound):
            await workloads.get("sbx-second")

    async def test_a_pool_in_use_stays(self, pools: PoolStore, workloads: WorkloadProvider) -> None:
        await pools.create(request())
        await until(pools, available=1, allocated=0)
        await workloads.create(drawn())
        with pytest.raises(VersionConflict):
            await pools.delete("warm")
        assert (await pools.get("warm")).name == "warm"

    async def test_a_pool_that_is_not_in_use_goes(self, pools: PoolStore) -> None:
        await pools.create(request())
        await until(pools, available=1, allocated=0)
        await pools.delete("warm")
        with pytest.raises(NotFound):
            await pools.get("warm")
        assert list(await pools.list()) == []
