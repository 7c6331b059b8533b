"""The controller's own reconciler over its own decisions, driven by a tape."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import Note
from sandkit_server.controller.reconciler import KINDS, Kind, Reconciler
from sandkit_server.controller.views import MANAGED, Readers
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, JOBS, PODS, POOLS, SNAPSHOTS, Resource
from sandkit_server.testing.cluster.state import Key
from sandkit_server.testing.explorer.operations import TapeCache, TapeClock, TapeCluster
from sandkit_server.testing.explorer.programs import Library, Program, Tape

PUSH_SECRET: Final = "push"  # noqa: S105 - a name
CONFIG: Final = Config(
    registry="registry.test/sandboxes", push_secret=PUSH_SECRET, committer_image="committer:1"
)


class Reconcilers:
    """The programs of the controller, one for each BatchSandbox and SandboxSnapshot."""

    def __init__(self, library: Library, part_of: Callable[[str], int]) -> None:
        self._library = library
        self._part_of = part_of
        self._programs: dict[Key, Program] = {}
        self._kinds = {kind.resource: kind for kind in KINDS.values() if kind.resource != POOLS}

    def program(self, key: Key) -> Program | None:
        """The one for what is stored under ``key``."""
        kind = self._kinds.get(key.resource)
        if kind is None:
            return None
        program = self._programs.get(key)
        if program is None:
            name, part = f"{key.resource.plural}/{key.name}", self._part_of(key.name)
            start = self._start(kind, key.name)
            program = self._programs[key] = Program(name, start, self._library, part)
        return program

    def _start(self, kind: Kind, name: str) -> Callable[[Tape], Coroutine[Any, Any, str]]:
        async def one_pass(tape: Tape) -> str:
            return str((await self._reconciler(tape).reconcile(kind, name)).result)

        return one_pass

    def _reconciler(self, tape: Tape) -> Reconciler:
        caches = {
            each: TapeCache(tape, self._library, each, MANAGED if each in {PODS, JOBS} else None)
            for each in (BATCH_SANDBOXES, SNAPSHOTS, POOLS, PODS, JOBS)
        }
        readers = Readers(
            sandboxes=caches[BATCH_SANDBOXES],
            snapshots=caches[SNAPSHOTS],
            pools=caches[POOLS],
            pods=caches[PODS],
            jobs=caches[JOBS],
        )
        return Reconciler(TapeCluster(tape), caches, readers, TapeClock(tape), CONFIG, _tell_nobody)


def _tell_nobody(resource: Resource, obj: Object, note: Note) -> None:
    """Events are for people, and nothing follows from them."""
