"""A cluster connection of one process of the product, which ends with the process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Final, Protocol

from sandkit_server.core.errors import Killed
from sandkit_server.kubernetes.calls import Call, Object, PodLogs
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.watch import Event, WatchedCluster

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class FullCluster(WatchedCluster, PodLogs, Protocol):
    """All that the product does with a connection."""

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind."""
        ...

    async def close(self) -> None:
        """Close every connection."""
        ...


class MortalCluster(ABC):
    """Passes everything on, until the process was killed; then nothing gets through any more."""

    def __init__(self, inner: FullCluster) -> None:
        self._inner = inner

    @property
    @abstractmethod
    def is_alive(self) -> bool:
        """Whether the process still lives."""

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return self._inner.namespace

    @abstractmethod
    async def send(self, call: Call) -> Object:
        """Carry out a call. Raises Killed."""

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = _NO_LABELS
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version``. Raises Killed."""
        async with aclosing(self._inner.watch(resource, version, labels)) as events:
            async for event in events:
                self._require_life()
                yield event

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        """What a container wrote. Raises Killed."""
        self._require_life()
        return await self._inner.read_log(pod, container=container, lines=lines)

    async def serves(self, resource: Resource) -> bool:
        """Whether the API server knows the kind. Raises Killed."""
        self._require_life()
        return await self._inner.serves(resource)

    async def close(self) -> None:
        """Close every connection."""
        await self._inner.close()

    def _require_life(self) -> None:
        if not self.is_alive:
            raise Killed
