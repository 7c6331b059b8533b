"""What one process sees of the cluster: calls that take time, fail, or kill it, and watches that lag."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType

from sandkit_server.core.port_errors import PortError, Unavailable, VersionConflict
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import EVENTS, Resource
from sandkit_server.kubernetes.watch import Event

from .judged_cluster import JudgedCluster

# Half of what a call takes; others act meanwhile.
LATENCY = 0.002


class Fault(StrEnum):
    """What may befall a call."""

    REFUSED = "refused, without effect"
    LOST = "carried out, and the answer lost"
    CONFLICT = "409"
    CRASH_BEFORE = "the process dies before it"
    CRASH_AFTER = "the process dies after it"


@dataclass
class Armed:
    """A fault that strikes after ``skip`` more calls, as often as ``times`` says."""

    fault: Fault
    skip: int
    times: int

    def strikes(self, call: Call) -> bool:
        if self.fault is Fault.CONFLICT and call.verb is not Verb.PATCH:
            return False
        self.skip -= 1
        if self.skip >= 0 or self.times == 0:
            return False
        self.times -= 1
        return True


class Line:
    """One process's way to the cluster, from its start to its death."""

    def __init__(self, cluster: JudgedCluster, process: str, armed: list[Armed]) -> None:
        self.dead = asyncio.Event()
        self._cluster = cluster
        self._process = process
        self._armed = armed
        self._blind_until = cluster.now()

    @property
    def namespace(self) -> str:
        return self._cluster.namespace

    def blind(self, seconds: float) -> None:
        """Let watches tell nothing for a while, and then all of it."""
        self._blind_until = self._cluster.now() + timedelta(seconds=seconds)

    async def send(self, call: Call) -> Object:
        if call.resource == EVENTS:
            return call.body or {}
        await self._transit()
        fault = next((each.fault for each in self._armed if each.strikes(call)), None)
        if fault is Fault.CRASH_BEFORE:
            self.dead.set()
        await self._alive()
        if fault is Fault.REFUSED:
            raise Unavailable("the API server is overloaded")
        if fault is Fault.CONFLICT:
            raise VersionConflict("changed meanwhile")
        try:
            answer: Object | PortError = self._cluster.act_as(self._process, call)
        except PortError as error:
            answer = error
        if fault is Fault.CRASH_AFTER:
            self.dead.set()
        await self._alive()
        await self._transit()
        if fault is Fault.LOST:
            raise Unavailable("connection reset")
        if isinstance(answer, PortError):
            raise answer
        return answer

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = MappingProxyType({})
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(self._cluster.watch(resource, version, labels)) as events:
            async for event in events:
                lag = (self._blind_until - self._cluster.now()).total_seconds()
                await asyncio.sleep(max(lag, 0.0))
                yield event

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        return await self._cluster.read_log(pod, container=container, lines=lines)

    async def serves(self, resource: Resource) -> bool:
        return True

    async def close(self) -> None:
        """Nothing is open."""

    async def _transit(self) -> None:
        await asyncio.sleep(LATENCY)
        await self._alive()

    async def _alive(self) -> None:
        """A dead process does nothing more, not even clean up; whoever buries it cancels its tasks."""
        if self.dead.is_set():
            await asyncio.Event().wait()
