"""Which objects a change is about: what the caches tell becomes keys of the work queue."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from sandkit_server.controller.views import Readers, wants_pod
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    ID_LABEL,
    POOL_LABEL,
    POOLS,
    SNAPSHOT_LABEL,
    SNAPSHOTS,
)
from sandkit_server.kubernetes.standing import SnapshotPhase

_FINAL = frozenset({SnapshotPhase.SUCCEED, SnapshotPhase.FAILED})


class Key(NamedTuple):
    """An object to be looked at."""

    kind: str
    name: str


class Triggers:
    """Listens to the caches; each method is a listener of one of them.

    Everything a view holds has to lead here to the object it is a view of, or that object would wait for the
    next full round.
    """

    def __init__(self, readers: Readers, add: Callable[[Key], None]) -> None:
        self._readers = readers
        self._add = add
        # Sandboxes that wait for a pod out of a pool, by the pool's name.
        self._waiting = _Groups()
        # Snapshots that are not finished, by what they are of.
        self._unfinished = _Groups()

    def sandbox_changed(self, before: Object | None, after: Object | None) -> None:
        """The sandbox itself, the snapshots taken of it, and the pools it uses or used."""
        name = _name(before, after)
        self._add(Key(BATCH_SANDBOXES.kind, name))
        self._look_at_snapshots(name)
        for obj in (before, after):
            pool = None if obj is None else obj["spec"].get("poolRef")
            if pool is not None:
                self._waiting.discard(pool, name)
                self._add(Key(POOLS.kind, pool))
        if after is not None and "poolRef" in after["spec"] and wants_pod(after):
            self._waiting.add(after["spec"]["poolRef"], name)

    def snapshot_changed(self, before: Object | None, after: Object | None) -> None:
        """The snapshot, its sandbox, and others of the same sandbox that wait for their turn."""
        either = after if after is not None else before
        assert either is not None, "a change is about something"
        source, name = either["spec"]["sandboxName"], _name(before, after)
        if after is None or standing.snapshot_phase_of(after) in _FINAL:
            self._unfinished.discard(source, name)
        else:
            self._unfinished.add(source, name)
        self._add(Key(SNAPSHOTS.kind, name))
        self._add(Key(BATCH_SANDBOXES.kind, source))
        self._look_at_snapshots(source)

    def pod_changed(self, before: Object | None, after: Object | None) -> None:
        """Whoever the pod belongs to, and belonged to before."""
        for labels in _labels(before, after):
            if ID_LABEL in labels:
                self._look_at_owner(labels[ID_LABEL])
            if SNAPSHOT_LABEL in labels:
                self._add(Key(SNAPSHOTS.kind, labels[SNAPSHOT_LABEL]))
            if POOL_LABEL in labels:
                self._add(Key(POOLS.kind, labels[POOL_LABEL]))
                self._look_at_waiting(labels[POOL_LABEL])

    def job_changed(self, before: Object | None, after: Object | None) -> None:
        """The snapshot the job works for."""
        for labels in _labels(before, after):
            if SNAPSHOT_LABEL in labels:
                self._add(Key(SNAPSHOTS.kind, labels[SNAPSHOT_LABEL]))

    def pool_changed(self, before: Object | None, after: Object | None) -> None:
        """The pool, and the sandboxes that wait for it."""
        name = _name(before, after)
        self._add(Key(POOLS.kind, name))
        self._look_at_waiting(name)

    def everything(self) -> None:
        """Every object there is, as a net under all of the above."""
        for kind, reader in (
            (BATCH_SANDBOXES.kind, self._readers.sandboxes),
            (SNAPSHOTS.kind, self._readers.snapshots),
            (POOLS.kind, self._readers.pools),
        ):
            for obj in reader.items():
                self._add(Key(kind, obj["metadata"]["name"]))

    def _look_at_owner(self, sandbox: str) -> None:
        self._add(Key(BATCH_SANDBOXES.kind, sandbox))
        self._look_at_snapshots(sandbox)
        owner = self._readers.sandboxes.get(sandbox)
        if owner is not None and "poolRef" in owner["spec"]:
            self._add(Key(POOLS.kind, owner["spec"]["poolRef"]))

    def _look_at_snapshots(self, sandbox: str) -> None:
        for name in self._unfinished.of(sandbox):
            self._add(Key(SNAPSHOTS.kind, name))

    def _look_at_waiting(self, pool: str) -> None:
        for name in self._waiting.of(pool):
            self._add(Key(BATCH_SANDBOXES.kind, name))


class _Groups:
    """Names by what they have in common; an empty group takes no room."""

    def __init__(self) -> None:
        self._groups: dict[str, set[str]] = {}

    def add(self, group: str, name: str) -> None:
        self._groups.setdefault(group, set()).add(name)

    def discard(self, group: str, name: str) -> None:
        names = self._groups.get(group, set())
        names.discard(name)
        if not names:
            self._groups.pop(group, None)

    def of(self, group: str) -> Collection[str]:
        return self._groups.get(group, ())


def _name(before: Object | None, after: Object | None) -> str:
    either = after if after is not None else before
    assert either is not None, "a change is about something"
    return str(either["metadata"]["name"])


def _labels(*objects: Object | None) -> Iterable[Mapping[str, str]]:
    return (obj["metadata"].get("labels") or {} for obj in objects if obj is not None)
