"""Pools: how many pods to keep warm, keeping them, and giving them out."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Sequence

from sandkit_server.core.model import CreatePool, Pool, PoolCapacity, PoolStatus, PoolTemplate
from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    NotFound,
    Unsupported,
    VersionConflict,
)
from sandkit_server.disturbance.faults import Subject
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import PodRecord, PoolRecord, ProcessRecord
from sandkit_server.runtimes.memory.workshop import Workshop

DEFAULT_COMMAND = ("tail", "-f", "/dev/null")

_log = logging.getLogger(__name__)


def wanted_warm(capacity: PoolCapacity, available: int, allocated: int) -> int:
    """How many warm pods a pool should have, given how many it has and how many are in use.

    Below the lower bound of the buffer it is filled to the upper one, above that it is cut back; the bounds
    of the whole pool come first.
    """
    low = max(capacity.buffer_min, capacity.pool_min - allocated)
    high = max(capacity.buffer_max, low)
    room = max(0, capacity.pool_max - allocated)
    target = available if low <= available <= high else high
    return min(target, room)


class PoolController:
    """One worker per pool that has to change."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._engine = shop.engine
        self._workers: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """See to all pools, and to each again when its use changes."""
        self._engine.on_pool_use(self.poke)
        for name in list(self._engine.pools):
            self.poke(name)

    def stop(self) -> None:
        """Take no more notice of the engine."""
        self._engine.off_pool_use(self.poke)

    def poke(self, name: str) -> None:
        """See to a pool whose capacity or use has changed."""
        if name in self._engine.pools and name not in self._workers:
            self._workers[name] = self._shop.supervisor.spawn(f"controller of pool {name}", self._work(name))

    async def _work(self, name: str) -> None:
        delay, longest = self._engine.settings.retry_seconds
        try:
            while (pool := self._engine.pools.get(name)) is not None and self._lacks(pool) != 0:
                await self._shop.pace()
                try:
                    await self._change(pool)
                except Exception as error:  # noqa: BLE001 - a pool fills in the end, whatever comes
                    _log.warning("pool %s cannot be adjusted: %s", name, error)
                    await self._engine.clock.sleep(delay)
                    delay = min(delay * 2, longest)
        finally:
            if self._workers.get(name) is asyncio.current_task():
                del self._workers[name]

    def _lacks(self, pool: PoolRecord) -> int:
        name = pool.request.name
        available = len(self._engine.pods.warm(name))
        return wanted_warm(pool.request.capacity, available, allocated(self._engine, name)) - available

    async def _change(self, pool: PoolRecord) -> None:
        name = pool.request.name
        async with self._shop.steps.at("reconcile.pool", Subject(name=name)):
            pass
        missing = self._lacks(pool)
        for _ in range(missing):
            async with self._shop.steps.at("pod.create", Subject(name=name)):
                if self._engine.pools.get(name) is pool and self._has_room(pool):
                    self._engine.pods.add(_warm_pod(self._engine, pool.request))
        for _ in range(-missing):
            async with self._shop.steps.at("pod.delete", Subject(name=name)):
                warm = self._engine.pods.warm(name)
                if warm and self._lacks(pool) < 0:
                    self._engine.pods.remove(warm[-1])

    def _has_room(self, pool: PoolRecord) -> bool:
        name = pool.request.name
        total = len(self._engine.pods.warm(name)) + allocated(self._engine, name)
        return total < pool.request.capacity.pool_max


class MemoryPoolStore:
    """The port for pools."""

    def __init__(self, engine: MemoryEngine, controller: PoolController) -> None:
        self._engine = engine
        self._controller = controller

    async def create(self, pool: CreatePool) -> Pool:
        """Make a pool."""
        self._require_support()
        if pool.name in self._engine.pools:
            raise AlreadyExists(f"pool {pool.name} exists")
        record = PoolRecord(
            request=pool, created_at=self._engine.clock.now(), revision=_revision(pool.template)
        )
        self._engine.pools[pool.name] = record
        self._controller.poke(pool.name)
        return as_pool(self._engine, record)

    async def get(self, name: str) -> Pool:
        """Read one pool."""
        return as_pool(self._engine, self._record(name))

    async def list(self) -> Sequence[Pool]:
        """All pools by name."""
        self._require_support()
        return [as_pool(self._engine, self._engine.pools[name]) for name in sorted(self._engine.pools)]

    async def set_capacity(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace the capacity."""
        record = self._record(name)
        record.request = CreatePool(name=name, template=record.request.template, capacity=capacity)
        self._controller.poke(name)
        return as_pool(self._engine, record)

    async def delete(self, name: str) -> None:
        """Delete a pool and its warm pods."""
        self._record(name)
        if allocated(self._engine, name):
            raise VersionConflict(f"pool {name} has sandboxes in use")
        del self._engine.pools[name]
        for pod in self._engine.pods.warm(name):
            self._engine.pods.remove(pod)

    def _record(self, name: str) -> PoolRecord:
        self._require_support()
        if name not in self._engine.pools:
            raise NotFound(f"there is no pool {name}")
        return self._engine.pools[name]

    def _require_support(self) -> None:
        if not self._engine.settings.pools:
            raise Unsupported("this runtime has no pools")


def allocated(engine: MemoryEngine, pool: str) -> int:
    """How many sandboxes are in use out of ``pool``."""
    return sum(record.pool_ref == pool for record in engine.workloads)


def take_warm(engine: MemoryEngine, pool: str) -> PodRecord:
    """The warm pod to be given out next. Raises Unsupported, NotFound, Exhausted."""
    if not engine.settings.pools:
        raise Unsupported("this runtime has no pools")
    if pool not in engine.pools:
        raise NotFound(f"there is no pool {pool}")
    warm = engine.pods.warm(pool)
    if not warm:
        raise Exhausted("pool", f"Pool {pool} has no warm sandbox right now.", 1.0)
    return warm[0]


def as_pool(engine: MemoryEngine, record: PoolRecord) -> Pool:
    """The pool as the core sees it."""
    request = record.request
    available, in_use = len(engine.pods.warm(request.name)), allocated(engine, request.name)
    return Pool(
        name=request.name,
        template=request.template,
        capacity=request.capacity,
        status=PoolStatus(
            total=available + in_use, allocated=in_use, available=available, revision=record.revision
        ),
        created_at=record.created_at,
    )


def _warm_pod(engine: MemoryEngine, pool: CreatePool) -> PodRecord:
    container = pool.template.containers[0]
    uid = new_uid()
    command = (*container.command, *container.args) or DEFAULT_COMMAND
    process = ProcessRecord(pid=1, command=command, started_at=engine.clock.now())
    return PodRecord(
        uid=uid,
        name=f"{pool.name}-{uid[:8]}",
        image_ref=container.image,
        env=dict(container.env),
        processes=[process],
        pool=pool.name,
    )


def _revision(template: PoolTemplate) -> str:
    material = json.dumps([[c.image, c.name, c.command, c.args] for c in template.containers]).encode()
    return hashlib.sha256(material).hexdigest()[:8]
