"""One controller at work: caches that follow the cluster, a queue, and passes over objects."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sandkit_server.controller.config import Config
from sandkit_server.controller.events import EventRecorder
from sandkit_server.controller.metrics import Metrics
from sandkit_server.controller.queue import WorkQueue
from sandkit_server.controller.reconciler import KINDS, Reconciler, Result
from sandkit_server.controller.throttle import ThrottledCluster
from sandkit_server.controller.triggers import Key, Triggers
from sandkit_server.controller.views import MANAGED, Readers
from sandkit_server.core.ports import Clock
from sandkit_server.core.supervision import Supervisor
from sandkit_server.kubernetes.backoff import Backoff
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    ID_LABEL,
    JOBS,
    PODS,
    POOL_LABEL,
    POOLS,
    SNAPSHOT_LABEL,
    SNAPSHOTS,
    Resource,
)
from sandkit_server.kubernetes.watch import WatchedCluster

_FIRST_RETRY: Final = 0.05
_LONGEST_RETRY: Final = 30.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast to work.

    Attributes:
        workers: Objects worked on at the same time.
        rate: Calls a second in the long run.
        burst: Calls at once.
        resync: Seconds between two looks at everything.
    """

    workers: int = 16
    rate: float = 200.0
    burst: int = 400
    resync: float = 600.0


class Controller:
    """Works from ``run`` to its cancellation. Only one at a time may; whoever runs it holds a lease.

    The caches are filled anew after that has been made sure, so that they hold everything an earlier
    controller wrote.
    """

    def __init__(
        self,
        cluster: WatchedCluster,
        clock: Clock,
        config: Config,
        *,
        pace: Pace | None = None,
        metrics: Metrics | None = None,
        instance: str = "sandkit-controller",
    ) -> None:
        """Compose, touching nothing yet.

        Args:
            cluster: Where to work.
            clock: Times everything.
            config: What decisions depend on.
            pace: How fast to work.
            metrics: Where passes are counted.
            instance: Name of this process, for events.
        """
        self._clock = clock
        self._pace = pace or Pace()
        self._metrics = metrics or Metrics()
        self._caches: Mapping[Resource, Cache] = {
            BATCH_SANDBOXES: Cache(cluster, BATCH_SANDBOXES),
            SNAPSHOTS: Cache(cluster, SNAPSHOTS, indexed=[ID_LABEL]),
            POOLS: Cache(cluster, POOLS),
            PODS: Cache(cluster, PODS, MANAGED, indexed=[ID_LABEL, POOL_LABEL, SNAPSHOT_LABEL]),
            JOBS: Cache(cluster, JOBS, MANAGED, indexed=[SNAPSHOT_LABEL]),
        }
        readers = Readers(
            sandboxes=self._caches[BATCH_SANDBOXES],
            snapshots=self._caches[SNAPSHOTS],
            pools=self._caches[POOLS],
            pods=self._caches[PODS],
            jobs=self._caches[JOBS],
        )
        self.queue: WorkQueue[Key] = WorkQueue(
            clock, lambda: Backoff(_FIRST_RETRY, _LONGEST_RETRY), workers=self._pace.workers
        )
        self._triggers = Triggers(readers, self.queue.add)
        self.events = EventRecorder(cluster, clock, instance)
        throttled = ThrottledCluster(cluster, clock, rate=self._pace.rate, burst=self._pace.burst)
        self._reconciler = Reconciler(throttled, self._caches, readers, clock, config, self.events.tell)
        self.working = False

    @property
    def trouble(self) -> str | None:
        """Why changes are not followed at present; ``None`` while all is well."""
        for cache in self._caches.values():
            if cache.trouble is not None:
                return f"{cache.resource.full_name}: {cache.trouble.message}"
        return None

    async def run(self) -> None:
        """Follow the cluster and work, for ever; cancel to stop."""
        supervisor = Supervisor()
        stops = self._listen()
        try:
            tasks = [
                supervisor.spawn(f"cache of {cache.resource.full_name}", cache.run())
                for cache in self._caches.values()
            ]
            tasks.append(supervisor.spawn("events", self.events.run()))
            await self._synced(tasks)
            tasks.append(supervisor.spawn("resync", self._resync()))
            tasks.append(supervisor.spawn("work queue", self.queue.run(self._work)))
            self.working = True
            # None of them ends by itself; one that does has crashed, and so has the controller.
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.working = False
            for stop in stops:
                stop()
            await supervisor.close()

    def _listen(self) -> list[Callable[[], None]]:
        listeners = {
            BATCH_SANDBOXES: self._triggers.sandbox_changed,
            SNAPSHOTS: self._triggers.snapshot_changed,
            POOLS: self._triggers.pool_changed,
            PODS: self._triggers.pod_changed,
            JOBS: self._triggers.job_changed,
        }
        return [self._caches[resource].subscribe(listener) for resource, listener in listeners.items()]

    async def _synced(self, tasks: list[asyncio.Task[None]]) -> None:
        """Until every cache holds the whole: half of a picture would be decided upon as if it were one."""
        filled = asyncio.ensure_future(self._fill())
        try:
            await asyncio.wait([filled, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            filled.cancel()
        _log.info("following %d sandboxes", len(self._caches[BATCH_SANDBOXES]))

    async def _fill(self) -> None:
        for cache in self._caches.values():
            await cache.synced()

    async def _resync(self) -> None:
        while True:
            await self._clock.sleep(self._pace.resync)
            self._triggers.everything()

    async def _work(self, key: Key) -> None:
        began = time.monotonic()
        try:
            outcome = await self._reconciler.reconcile(KINDS[key.kind], key.name)
        except Exception:  # noqa: BLE001 - one object's defect must not stop the work on all others
            _log.exception("%s %s: the controller failed", key.kind, key.name)
            self._metrics.crashed(key.kind)
            self.queue.retry(key)
            return
        self._metrics.passed(key.kind, outcome.result, time.monotonic() - began)
        if outcome.result is not Result.RESTED:
            at_least = outcome.again_after or 0.0
            self.queue.retry(key, at_least if outcome.result is Result.UNAVAILABLE else 0.0)
            return
        self.queue.succeeded(key)
        if outcome.again_after is not None:
            self.queue.add_after(key, outcome.again_after)
