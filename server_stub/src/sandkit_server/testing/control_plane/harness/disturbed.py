"""A cluster connection of one process of the product, with a step around every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from types import MappingProxyType
from typing import Any

from sandkit_server.core.ports import Workload, WorkloadProvider
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.kubernetes.calls import Call, Object
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.watch import Event
from sandkit_server.testing.control_plane.harness.directory import Directory
from sandkit_server.testing.control_plane.harness.mortal import FullCluster, MortalCluster
from sandkit_server.testing.control_plane.harness.points import Actor, points_of


class DisturbedCluster(MortalCluster):
    """Passes everything on; at its point a call may be held, fail, or lose its answer."""

    def __init__(
        self,
        inner: FullCluster,
        actor: Actor,
        steps: Steps,
        directory: Directory,
        clock: AdjustableClock,
    ) -> None:
        super().__init__(inner)
        self._actor = actor
        self._steps = steps
        self._directory = directory
        self._clock = clock

    @property
    def is_alive(self) -> bool:
        """Whether the process still lives."""
        return self._steps.is_alive

    async def send(self, call: Call) -> Object:
        """Carry out a call."""
        self._require_life()
        self._clock.touch()
        armed = [point for point in points_of(self._actor, call) if self._steps.is_armed(point)]
        async with AsyncExitStack() as passing:
            for point in armed:
                await passing.enter_async_context(self._steps.at(point, self._directory.subject(call)))
            answer = await self._send(call)
        self._require_life()
        return answer

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = MappingProxyType({})
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version``."""
        async with aclosing(super().watch(resource, version, labels)) as events:
            async for event in events:
                self._clock.touch()
                yield event

    async def _send(self, call: Call) -> Object:
        answer = await self._inner.send(call)
        self._directory.hear(call, answer)
        self._clock.touch()
        return answer


class WatchfulWorkloads:
    """The server's looks into its cache as steps; everything else is passed on as it is."""

    def __init__(self, inner: WorkloadProvider, steps: Steps, directory: Directory) -> None:
        self._inner = inner
        self._steps = steps
        self._directory = directory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def get(self, sandbox_id: str) -> Workload:
        """Read one object."""
        async with self._steps.at("workload.get", self._directory.about(sandbox_id)):
            return await self._inner.get(sandbox_id)

    async def list(self) -> Any:
        """All workloads in order of creation."""
        async with self._steps.at("workload.list", self._directory.about(None)):
            return await self._inner.list()
