"""The objects a cache holds: by name, indexed by label, and never older than what was already seen."""

from __future__ import annotations

import math
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from sandkit_server.kubernetes.calls import Object

# A late answer about a deleted object is seconds old at most; this many deletions are remembered.
_TOMBSTONES: Final = 4_096

# One object before and after; ``None`` before it was there, and after it went.
Step = tuple[Object | None, Object | None]


class Store:
    """Objects of one kind. Every method that changes something gives the steps it made, in order.

    Kubernetes versions are decimal numbers that grow with every write to the cluster, so two states of
    objects can be put in order wherever they come from: a list, a watch, an answer.
    """

    def __init__(self, indexed: Collection[str] = ()) -> None:
        self._objects: dict[str, Object] = {}
        self._indexes: dict[str, defaultdict[str, dict[str, Object]]] = {
            key: defaultdict(dict) for key in indexed
        }
        # What was deleted, by uid, up to which version it must not come back.
        self._tombstones: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Object]:
        return iter(tuple(self._objects.values()))

    def get(self, name: str) -> Object | None:
        """The object of that name."""
        return self._objects.get(name)

    def labelled(self, key: str, value: str) -> Sequence[Object]:
        """The objects whose label ``key`` is ``value``. Raises KeyError if ``key`` is not indexed."""
        return tuple(self._indexes[key].get(value, {}).values())

    def apply(self, obj: Object) -> Sequence[Step]:
        """Take over a state of an object, unless a newer one, or its end, was already seen."""
        name, uid, version = _identity(obj)
        if version <= self._tombstones.get(uid, -1):
            return ()
        present = self._objects.get(name)
        if present is None:
            return (self._put(name, None, obj),)
        _, known, newest = _identity(present)
        if version <= newest:
            return ()
        if known == uid:
            return (self._put(name, present, obj),)
        # Another object took the name: the one we knew must be gone.
        return (self._drop(name, present, math.inf), self._put(name, None, obj))

    def remove(self, obj: Object) -> Sequence[Step]:
        """Take over that an object is gone, or left the selector, as of the version it carries."""
        name, uid, version = _identity(obj)
        present = self._objects.get(name)
        if present is None or _identity(present)[1] != uid:
            self._bury(uid, version)
            return ()
        if version < _identity(present)[2]:
            return ()
        return (self._drop(name, present, version),)

    def forget(self, name: str, uid: str) -> Sequence[Step]:
        """Take over that the object ``uid`` is gone for ever."""
        present = self._objects.get(name)
        if present is None or _identity(present)[1] != uid:
            self._bury(uid, math.inf)
            return ()
        return (self._drop(name, present, math.inf),)

    def replace(self, objects: Sequence[Object], version: str) -> Sequence[Step]:
        """Take over a whole list: what is not in it is gone, unless it was seen after the list was made."""
        as_of = int(version)
        listed = {obj["metadata"]["uid"] for obj in objects}
        steps: list[Step] = []
        for name, present in tuple(self._objects.items()):
            _, uid, newest = _identity(present)
            if uid not in listed and newest <= as_of:
                steps.append(self._drop(name, present, as_of))
        for obj in objects:
            steps.extend(self.apply(obj))
        return steps

    def _put(self, name: str, before: Object | None, obj: Object) -> Step:
        if before is not None:
            self._unindex(name, before)
        after = _lean(obj)
        self._objects[name] = after
        labels = after["metadata"].get("labels") or {}
        for key, index in self._indexes.items():
            if key in labels:
                index[labels[key]][name] = after
        return before, after

    def _drop(self, name: str, present: Object, version: float) -> Step:
        del self._objects[name]
        self._unindex(name, present)
        self._bury(_identity(present)[1], version)
        return present, None

    def _unindex(self, name: str, obj: Object) -> None:
        labels = obj["metadata"].get("labels") or {}
        for key, index in self._indexes.items():
            if key in labels:
                named = index[labels[key]]
                named.pop(name, None)
                if not named:
                    del index[labels[key]]

    def _bury(self, uid: str, version: float) -> None:
        self._tombstones[uid] = max(version, self._tombstones.pop(uid, -1))
        if len(self._tombstones) > _TOMBSTONES:
            self._tombstones.popitem(last=False)


def _identity(obj: Object) -> tuple[str, str, int]:
    metadata = obj["metadata"]
    return metadata["name"], metadata["uid"], int(metadata["resourceVersion"])


def _lean(obj: Object) -> Object:
    """The object without the record of who set which field: half of its size, and nobody reads it."""
    metadata: dict[str, Any] = obj["metadata"]
    if "managedFields" not in metadata:
        return obj
    return {**obj, "metadata": {key: value for key, value in metadata.items() if key != "managedFields"}}
