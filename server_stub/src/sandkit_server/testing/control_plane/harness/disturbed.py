"""A cluster connection of one process of the product, with a step around every call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing
from types import MappingProxyType
from typing import Any, Final, Protocol

from sandkit_server.core.errors import Killed
from sandkit_server.core.ports import Workload, WorkloadProvider
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.kubernetes.calls import Call, Object, PodLogs
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.watch import Event, WatchedCluster
from sandkit_server.testing.control_plane.harness.directory import Directory
from sandkit_server.testing.control_plane.harness.points import Actor, points_of

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class FullCluster(WatchedCluster, PodLogs, Protocol):
    """All that the product does with a connection."""

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class DisturbedCluster:
    """Passes everything on; at its point a call may be held, fail, or lose its answer.

    Once the process was killed nothing gets through any more.
    """

    def __init__(
        self,
        inner: FullCluster,
        actor: Actor,
        steps: Steps,
        directory: Directory,
        clock: AdjustableClock,
    ) -> None:
        self._inner = inner
        self._actor = actor
        self._steps = steps
        self._directory = directory
        self._clock = clock

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return self._inner.namespace

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
        self, resource: Resource, version: str, labels: Mapping[str, str] = _NO_LABELS
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version``."""
        async with aclosing(self._inner.watch(resource, version, labels)) as events:
            async for event in events:
                self._require_life()
                self._clock.touch()
                yield event

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        """What a container wrote."""
        self._require_life()
        return await self._inner.read_log(pod, container=container, lines=lines)

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind."""
        self._require_life()
        return await self._inner.serves(resource)

    async def close(self) -> None:
        """Close every connection."""
        await self._inner.close()

    async def _send(self, call: Call) -> Object:
        answer = await self._inner.send(call)
        self._directory.hear(call, answer)
        self._clock.touch()
        return answer

    def _require_life(self) -> None:
        if not self._steps.is_alive:
            raise Killed


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
