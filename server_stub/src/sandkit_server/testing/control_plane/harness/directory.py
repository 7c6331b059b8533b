"""Who is who in the namespace: what a step's subject is, from the names that a call has."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from sandkit_server.disturbance.faults import Subject
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import CLAIMS, ID_LABEL, PODS, SNAPSHOTS, Resource
from sandkit_server.kubernetes.watch import WatchedCluster
from sandkit_server.testing.control_plane.node.containers import sandbox_of


class Directory:
    """Follows the namespace as the administrator, and hears of every answer the product gets.

    Args:
        cluster: As the administrator.
        workloads: The kind sandboxes run as.
        others: What else is served here and worth knowing.
    """

    def __init__(
        self,
        cluster: WatchedCluster,
        workloads: Resource,
        others: Sequence[Resource] = (PODS, CLAIMS, SNAPSHOTS),
    ) -> None:
        self._workloads = workloads
        self._caches = {kind: Cache(cluster, kind) for kind in (workloads, *others)}

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            for cache in self._caches.values():
                group.create_task(cache.run())

    async def synced(self) -> None:
        """Return when everything was read once."""
        for cache in self._caches.values():
            await cache.synced()

    def hear(self, call: Call, answer: Object) -> None:
        """Take over what somebody was answered, which may be newer than what the watches told."""
        cache = self._caches.get(call.resource)
        if cache is not None and "metadata" in answer and answer.get("kind") == call.resource.kind:
            cache.observe(answer)

    def find(self, resource: Resource, name: str) -> Object | None:
        """An object by its name."""
        cache = self._caches.get(resource)
        return cache.get(name) if cache is not None else None

    def all(self, resource: Resource) -> Iterator[Object]:
        """All objects of a kind."""
        return iter(self._caches[resource])

    def is_being_deleted(self, sandbox: str) -> bool:
        """Whether a sandbox's object is on its way out, or gone."""
        obj = self.find(self._workloads, sandbox)
        return obj is None or "deletionTimestamp" in obj["metadata"]

    def about(self, sandbox: str | None, name: str | None = None) -> Subject:
        """The subject of a step that is about a sandbox, or about none."""
        obj = self.find(self._workloads, sandbox) if sandbox is not None else None
        return Subject(sandbox_id=sandbox, name=name or sandbox, metadata=_labels(obj))

    def subject(self, call: Call) -> Subject:
        """The subject of a call."""
        if call.resource == self._workloads:
            told = _labels(call.body) if call.body is not None else {}
            known = self.about(call.name or None)
            return Subject(sandbox_id=call.name or None, name=call.name, metadata={**known.metadata, **told})
        obj = call.body if call.verb is Verb.CREATE else self.find(call.resource, call.name)
        sandbox = call.labels.get(ID_LABEL) or _labels(obj).get(ID_LABEL)
        if sandbox is None and call.resource == PODS and obj is not None:
            sandbox = sandbox_of(obj)
        return self.about(sandbox, call.name)


def _labels(obj: Object | None) -> Mapping[str, str]:
    return (obj["metadata"].get("labels") or {}) if obj is not None and "metadata" in obj else {}
