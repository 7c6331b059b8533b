"""The product's own server and controller as programs that are started again whenever they die."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

from sandkit_server.controller.config import Config
from sandkit_server.controller.controller import Controller
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Clock, Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings

from .judged_cluster import JudgedCluster
from .line import Armed, Line

RESTART_SECONDS = 0.5
POLICY = Policy(ready_timeout=20.0)
CONFIG = Config(
    registry="registry.test/sandboxes",
    push_secret="push",
    pull_secret="pull",
    committer_image="committer:1",
    commit_deadline=30,
    release_deadline=10,
    resume_deadline=30,
    job_ttl=60,
)


class Process:
    """One life after the other, each with a line of its own; ``live`` runs until it is cancelled.

    Attributes:
        line: That of the present life.
        armed: The faults of this life and the next ones.
    """

    def __init__(
        self, cluster: JudgedCluster, name: str, live: Callable[[Line], Coroutine[Any, Any, None]]
    ) -> None:
        self.name = name
        self.armed: list[Armed] = []
        self._cluster = cluster
        self._live = live
        self.line = Line(cluster, name, self.armed)

    async def run(self) -> None:
        while True:
            life = asyncio.ensure_future(self._live(self.line))
            death = asyncio.ensure_future(self.line.dead.wait())
            try:
                await asyncio.wait({life, death}, return_when=asyncio.FIRST_COMPLETED)
                if life.done():
                    self._cluster.broken.append(f"{self.name} ended by itself: {life.exception()!r}")
            finally:
                self.line.dead.set()
                await bury(life, death)
            self.line = Line(self._cluster, self.name, self.armed)
            await asyncio.sleep(RESTART_SECONDS)

    def kill(self) -> None:
        self.line.dead.set()


class Server:
    """Serves the API while it lives; a client whose server dies learns nothing more.

    Attributes:
        service: ``None`` while it is down.
    """

    def __init__(self, clock: Clock) -> None:
        self.service: LifecycleService | None = None
        self._clock = clock
        self._ids = _CountedIds()
        self._requests: set[asyncio.Task[Any]] = set()

    async def live(self, line: Line) -> None:
        settings = KubernetesSettings(endpoint_secret=b"secret")
        runtime = KubernetesRuntime(
            line, settings, POLICY, lambda: "api.test:80", self._with_ids, clock=self._clock
        )
        try:
            await runtime.start()
            self.service = runtime.service
            await asyncio.Event().wait()
        finally:
            self.service = None
            await bury(*self._requests)
            await runtime.kill()

    async def serve(self, request: Coroutine[Any, Any, Any]) -> Any:
        """Answer a request. Raises CancelledError when the server dies over it."""
        task = asyncio.ensure_future(request)
        self._requests.add(task)
        try:
            return await task
        finally:
            self._requests.discard(task)

    def _with_ids(self, ports: Ports) -> Ports:
        return replace(ports, ids=self._ids)


def controller_life(clock: Clock) -> Callable[[Line], Coroutine[Any, Any, None]]:
    """The controller's lives."""

    async def live(line: Line) -> None:
        await Controller(line, clock, CONFIG).run()

    return live


async def bury(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class _CountedIds:
    """Ids that are the same in every run."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def new(self, prefix: str) -> str:
        return f"{prefix}-{next(self._numbers)}"
