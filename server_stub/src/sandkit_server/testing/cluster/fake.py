"""The abstract cluster as a port: what reconcilers and adapters are tested against in their unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import PODS, Resource
from sandkit_server.kubernetes.watch import Event
from sandkit_server.testing.cluster import collector, jobs, node
from sandkit_server.testing.cluster.faults import Fault, Faults
from sandkit_server.testing.cluster.history import History
from sandkit_server.testing.cluster.state import State, apply
from sandkit_server.testing.cluster.storage import not_found

BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
# More rounds than any test needs; a controller that never rests is a defect of the fake.
_ROUNDS: Final = 1_000
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})

Controller = Callable[[State], Iterable[Call]]

# The control plane's own controllers.
CONTROL_PLANE: Final[tuple[Controller, ...]] = (collector.collect, collector.release_claims, jobs.run_jobs)
# A node that runs whatever it is given, at once.
WILLING: Final[tuple[Controller, ...]] = (node.start, node.bind_claims)


class FakeCluster:
    """Carries out calls on an abstract state; a :class:`~sandkit_server.kubernetes.watch.WatchedCluster`.

    Controllers act only when a test lets them (:meth:`settle`, :meth:`play`); so it sees what stands before
    and after.

    Attributes:
        state: Everything stored; a test may read it and may replace it.
        sent: Every call that arrived, in order, refused ones included.
        faults: What a test arms against coming calls.
    """

    def __init__(self, *, now: Callable[[], datetime] | None = None, namespace: str = "default") -> None:
        """An empty cluster; ``now`` tells the time, which otherwise stands still until :meth:`advance`."""
        self._clock = now
        self.state = State(now=now() if now is not None else BEGINNING, namespace=namespace)
        self.sent: list[Call] = []
        self.faults = Faults()
        self._logs: dict[tuple[str, str], str] = {}
        self._history = History()
        self._changed = asyncio.Event()
        self._broken = 0

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return self.state.namespace

    async def send(self, call: Call) -> Object:
        """Carry out a call; see :class:`sandkit_server.kubernetes.calls.Cluster`."""
        self.sent.append(call)
        # As over a network, others get their turn before and after.
        await asyncio.sleep(0)
        self.faults.strike(call)
        answer = self.act(call)
        self.faults.strike(call, after=True)
        await asyncio.sleep(0)
        return answer

    def act(self, call: Call) -> Object:
        """Carry out a call at once, behind everybody's back. Raises as :meth:`send`."""
        before = self.state if self._clock is None else replace(self.state, now=self._clock())
        applied = apply(before, call)
        if isinstance(applied.answer, PortError):
            raise applied.answer
        if applied.state.version != self.state.version:
            self._record(before, applied.state)
        self.state = applied.state
        return applied.answer

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = _NO_LABELS
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version``; see :class:`sandkit_server.kubernetes.watch.WatchedCluster`."""
        seen, era = int(version), self._broken
        while era == self._broken:
            # Taken before looking, so that no change between the look and the wait is missed.
            changed, latest = self._changed, self.state.version
            for event in list(self._history.after(seen, resource, labels)):
                yield event
            seen = max(seen, latest)
            if changed is self._changed:
                await changed.wait()

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        """What :meth:`say` gave; see :class:`sandkit_server.kubernetes.calls.PodLogs`."""
        if self.state.find(PODS, pod) is None:
            raise not_found(PODS, pod)
        text = self._logs.get((pod, container), "")
        return text if lines is None else "".join(text.splitlines(keepends=True)[-lines:])

    def say(self, pod: str, text: str, *, container: str = "") -> None:
        """Have a container write to its log; without a name it is the only one of the pod."""
        self._logs[pod, container] = self._logs.get((pod, container), "") + text

    def find(self, resource: Resource, name: str) -> Object | None:
        """One stored object, or ``None``."""
        return self.state.find(resource, name)

    def all(self, resource: Resource) -> Iterator[Object]:
        """The stored objects of one kind, by name."""
        return self.state.all(resource)

    def refuse(self, verb: Verb, resource: Resource, error: Callable[[], PortError], **when: object) -> Fault:
        """Arm a fault against the next such call; ``when`` are further fields of a :class:`Fault`."""
        return self.faults.arm(Fault(verb=verb, resource=resource, error=error, **when))  # type: ignore[arg-type]

    def advance(self, seconds: float) -> None:
        """Move the time of a cluster that has no clock of its own."""
        self.state = replace(self.state, now=self.state.now + timedelta(seconds=seconds))

    def collect(self) -> None:
        """Let the control plane's own controllers act until none has anything to do; no node takes part."""
        self.settle_with(*CONTROL_PLANE)

    def settle(self) -> None:
        """Likewise, and the node confirms the pods that were deleted."""
        self.settle_with(*CONTROL_PLANE, node.terminate)

    def play(self) -> None:
        """Settle, with a node that runs every pod; none ends by itself."""
        self.settle_with(*CONTROL_PLANE, node.terminate, *WILLING)

    def settle_with(self, *controllers: Controller) -> None:
        """Let exactly these controllers act until none has anything to do."""
        for _ in range(_ROUNDS):
            if not self._round(controllers):
                return
        raise AssertionError("the controllers never rest")

    def compact(self) -> None:
        """Forget the history: watches from before now are refused as too old."""
        self._history.compact(self.state.version)

    def break_watches(self) -> None:
        """End every watch under way, as a proxy or a restart of the API server does."""
        self._broken += 1
        self._wake()

    def _round(self, controllers: Iterable[Controller]) -> bool:
        acted = False
        for controller in controllers:
            for call in controller(self.state):
                try:
                    self.act(call)
                except PortError:
                    continue  # decided on what an earlier call of this round has changed
                acted = True
        return acted

    def _record(self, before: State, after: State) -> None:
        changed = [
            key
            for key in {*before.objects, *after.objects}
            if before.objects.get(key) is not after.objects.get(key)
        ]
        for key in changed:
            self._history.record(before, after, key)
        self._wake()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
