"""Where faults and gates strike: every step of an engine passes its point twice, before and after its effect.

A fault there may fail, delay or sabotage the step, a gate holds it. With nothing armed a point costs one
dictionary look-up.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterable
from fnmatch import fnmatchcase
from types import TracebackType

from sandkit_server.core.errors import Killed
from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NeverReady,
    NotFound,
    PortError,
    Unavailable,
    VersionConflict,
)
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import POINTS, Fault, Gate, InjectedCrash, Lifeline, Subject, When

_RESOURCES = {
    "claim": "persistentvolumeclaims",
    "workload": "batchsandboxes",
    "pod": "pods",
    "snapshot": "sandboxsnapshots",
    "image": "images",
    "job": "jobs",
    "pool": "pools",
    "reconcile": "batchsandboxes",
}


class Disturbances:
    """All armed faults and gates of an engine; they outlive the servers working on it.

    Attributes:
        points: The steps of this engine.
        sabotage: Carries out the actions that need to know the engine, ``vanish`` and ``steal``.
    """

    def __init__(self, clock: AdjustableClock, points: Iterable[str] = POINTS) -> None:
        self._clock = clock
        self.points = tuple(points)
        self._numbers = itertools.count(1)
        self._armed: frozenset[str] = frozenset()
        self.faults: dict[str, Fault] = {}
        self.gates: dict[str, Gate] = {}
        self.sabotage: Callable[[str, Fault, Subject], Awaitable[None]] = _no_sabotage

    def is_armed(self, point: str) -> bool:
        """Whether anything waits at ``point``."""
        return point in self._armed

    def new_id(self, prefix: str) -> str:
        """A name for a fault or gate that was given none."""
        return f"{prefix}-{next(self._numbers)}"

    def add_fault(self, fault: Fault) -> None:
        """Let a fault strike from now on."""
        self.faults[fault.id] = fault
        self.arm()

    def add_gate(self, gate: Gate) -> None:
        """Close a gate."""
        self.gates[gate.id] = gate
        self.arm()

    def arm(self) -> None:
        """Take note of a change of ``faults`` or ``gates``."""
        patterns = [fault.point for fault in self.faults.values()]
        patterns += [gate.point for gate in self.gates.values()]
        self._armed = frozenset(
            p for p in self.points if any(fnmatchcase(p, pattern) for pattern in patterns)
        )

    async def strike(self, point: str, when: When, subject: Subject, lifeline: Lifeline) -> None:
        """Hold at the gates, then let the faults strike. Raises PortError, InjectedCrash, Killed."""
        for gate in list(self.gates.values()):
            if gate.stops(point, when, subject):
                await self._hold(gate, lifeline)
        for fault in list(self.faults.values()):
            if fault.strikes(point, when, subject):
                await self._apply(fault, point, subject)
        if lifeline.cut:
            raise Killed

    def drop(self, lifeline: Lifeline) -> None:
        """End the waiting of everybody who came from a process that is no more."""
        for gate in self.gates.values():
            for waiting, origin in list(gate.held.items()):
                if origin is lifeline and not waiting.done():
                    waiting.set_exception(Killed())

    def release(self, gate: Gate) -> None:
        """Open a gate and let those held go."""
        gate.open = True
        for waiting in gate.held:
            if not waiting.done():
                waiting.set_result(None)

    async def _hold(self, gate: Gate, lifeline: Lifeline) -> None:
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gate.held[waiting] = lifeline
        gate.arrivals.set()
        self._clock.touch()
        try:
            await waiting
        finally:
            del gate.held[waiting]
            self._clock.touch()

    async def _apply(self, fault: Fault, point: str, subject: Subject) -> None:
        self._clock.touch()
        if fault.action == "latency":
            await self._clock.sleep(fault.seconds)
        elif fault.action == "crash":
            raise InjectedCrash(f"injected crash at {point}")
        elif fault.action == "error":
            raise _port_error(point, fault)
        else:
            await self.sabotage(point, fault, subject)


class Steps:
    """The engine's steps as one server process takes them."""

    def __init__(self, disturbances: Disturbances, lifeline: Lifeline, clock: AdjustableClock) -> None:
        self._disturbances = disturbances
        self._lifeline = lifeline
        self._clock = clock

    @property
    def is_alive(self) -> bool:
        """Whether the server process still runs."""
        return not self._lifeline.cut

    def is_armed(self, point: str) -> bool:
        """Whether anything waits at ``point``. Raises Killed for a process that is no more."""
        if self._lifeline.cut:
            raise Killed
        return self._disturbances.is_armed(point)

    def at(self, point: str, subject: Subject) -> Step:
        """A context for one step; its effect belongs inside, without any await."""
        if self._lifeline.cut:
            raise Killed
        self._clock.touch()
        return Step(self._disturbances if self.is_armed(point) else None, point, subject, self._lifeline)


class Step:
    """One passing of a point."""

    __slots__ = ("_disturbances", "_lifeline", "_point", "_subject")

    def __init__(
        self, disturbances: Disturbances | None, point: str, subject: Subject, lifeline: Lifeline
    ) -> None:
        self._disturbances = disturbances
        self._point = point
        self._subject = subject
        self._lifeline = lifeline

    async def __aenter__(self) -> None:
        if self._disturbances is not None:
            await self._disturbances.strike(self._point, "before", self._subject, self._lifeline)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._disturbances is not None and error is None:
            await self._disturbances.strike(self._point, "after", self._subject, self._lifeline)


async def _no_sabotage(_point: str, _fault: Fault, _subject: Subject) -> None:
    """Replaced by the engine, which knows how to make things vanish."""


def _port_error(point: str, fault: Fault) -> PortError:
    noun, _, verb = point.partition(".")
    message = f"injected {fault.code or fault.status} at {point}"
    if point == "workload.ready":
        return NeverReady(fault.code or "ReadinessFailed", message)
    if fault.status == 403:
        if fault.code == "quota":
            return Exhausted("quota", message)
        return Forbidden(verb, _RESOURCES[noun])
    if fault.status == 409:
        return AlreadyExists(message) if verb == "create" else VersionConflict(message)
    if fault.status == 429:
        return Exhausted("pool" if noun == "pool" else "quota", message, 1.0)
    by_status: dict[int, type[PortError]] = {404: NotFound, 400: Invalid, 422: Invalid}
    return by_status.get(fault.status, Unavailable)(message)
