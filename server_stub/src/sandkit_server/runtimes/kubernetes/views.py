"""Workloads made of objects once, however often they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from sandkit_server.core.ports import Workload
from sandkit_server.kubernetes.calls import Object


class Views:
    """Remembers the workload made of each object's present state; ``build`` must be a pure function of it."""

    def __init__(self, build: Callable[[Object], Workload]) -> None:
        self._build = build
        self._made: dict[str, tuple[Object, Workload]] = {}

    def of(self, obj: Object) -> Workload:
        """The workload an object stands for."""
        name = obj["metadata"]["name"]
        entry = self._made.get(name)
        # Objects are never changed in place, so the same object is the same state.
        if entry is None or entry[0] is not obj:
            entry = self._made[name] = (obj, self._build(obj))
        return entry[1]

    def in_order(self, objects: Iterable[Object]) -> list[Workload]:
        """The workloads of all objects there are, in order of creation; whatever else was made is let go."""
        present = {obj["metadata"]["name"]: obj for obj in objects}
        workloads = [self.of(obj) for obj in present.values()]
        if len(self._made) > len(present):
            self._made = {name: self._made[name] for name in present}
        workloads.sort(key=lambda workload: (workload.sandbox.created_at, workload.sandbox.id))
        return workloads
