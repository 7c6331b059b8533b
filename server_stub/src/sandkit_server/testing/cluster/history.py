"""What changed, in order: the source of every watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from sandkit_server.kubernetes.calls import Expired, Object
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.watch import Change, Event
from sandkit_server.testing.cluster.state import Key, State


class _Entry(NamedTuple):
    version: int
    key: Key
    before: Object | None
    after: Object | None


class History:
    """Every change since the last compaction."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._oldest = 0

    def record(self, before: State, after: State, key: Key) -> None:
        """Note one write."""
        entry = _Entry(after.version, key, before.objects.get(key), after.objects.get(key))
        self._entries.append(entry)

    def compact(self, version: int) -> None:
        """Forget what happened up to ``version``; whoever watches from before has to list again."""
        self._oldest = max(self._oldest, version)
        self._entries = [entry for entry in self._entries if entry.version > version]

    def after(self, version: int, resource: Resource, labels: Mapping[str, str]) -> Iterator[Event]:
        """The events of one watch behind ``version``. Raises Expired."""
        if version < self._oldest:
            raise Expired(f"too old resource version: {version} ({self._oldest})")
        for entry in self._entries:
            if entry.version > version and entry.key.resource == resource:
                event = _event(entry, labels)
                if event is not None:
                    yield event


def _event(entry: _Entry, labels: Mapping[str, str]) -> Event | None:
    """What a watch of ``labels`` sees: an object that loses them is deleted as far as it can tell."""
    was = _carries(entry.before, labels)
    if entry.after is not None and _carries(entry.after, labels):
        return Event(type=Change.MODIFIED if was else Change.ADDED, object=dict(entry.after))
    if was and entry.before is not None:
        return Event(type=Change.DELETED, object=_at(entry.after or entry.before, entry.version))
    return None


def _at(found: Object, version: int) -> dict[str, Any]:
    return {**found, "metadata": {**found["metadata"], "resourceVersion": str(version)}}


def _carries(found: Object | None, labels: Mapping[str, str]) -> bool:
    return found is not None and labels.items() <= found["metadata"].get("labels", {}).items()
