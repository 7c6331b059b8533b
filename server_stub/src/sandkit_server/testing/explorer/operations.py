"""The server's own flows over its own adapters, driven by a tape: only cluster, caches and clock are ours."""

from __future__ import annotations

from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, NoReturn, cast

from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.creation import Creation
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.idempotency import request_digest
from sandkit_server.core.model import ClaimSource, CreateSandbox, ImageSource, Volume
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import IdSource, PoolStore, Ports, SnapshotStore
from sandkit_server.core.readiness import Readiness
from sandkit_server.core.reconciliation import Reconciler
from sandkit_server.core.removal import Removal
from sandkit_server.core.sandboxes import Sandboxes
from sandkit_server.core.supervision import Supervisor
from sandkit_server.core.turns import Turns
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Call, Object
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, Resource
from sandkit_server.runtimes.kubernetes.claims import KubernetesClaims
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.providers.batch_sandbox import BatchSandboxes
from sandkit_server.runtimes.kubernetes.reach import Reach
from sandkit_server.runtimes.kubernetes.settings import PodSettings
from sandkit_server.runtimes.kubernetes.workloads import KubernetesWorkloads
from sandkit_server.testing.explorer.boards import NAMESPACE
from sandkit_server.testing.explorer.programs import Library, Program, Tape
from sandkit_server.testing.explorer.verdicts import SUCCESS

# Tried less often than by default: each further attempt is one more lap of the same circle.
POLICY = Policy(contention_attempts=3)


class TapeCluster:
    """A :class:`~sandkit_server.kubernetes.calls.Cluster` whose answers are on the tape."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        return NAMESPACE

    async def send(self, call: Call) -> Object:
        """Wait for what the explorer gives."""
        answer: Object = await self._tape.ask(call)
        return answer


class TapeCache:
    """What a cache holds, read from the tape; looks like :class:`~sandkit_server.kubernetes.cache.Cache`."""

    def __init__(
        self, tape: Tape, library: Library, resource: Resource, labels: Mapping[str, str] | None = None
    ) -> None:
        self.resource = resource
        self._tape = tape
        self._library = library
        self._labels = labels or {}

    def get(self, name: str) -> Object | None:
        """The object of that name."""
        found: Object | None = self._tape.read("get", self.resource, name)
        if found is None:
            return None
        carried = found["metadata"].get("labels") or {}
        return found if self._labels.items() <= carried.items() else None

    def items(self) -> Iterable[Object]:
        """All objects."""
        return self._select({})

    def __iter__(self) -> Iterator[Object]:
        return iter(self._select({}))

    def labelled(self, key: str, value: str) -> Sequence[Object]:
        """The objects whose label ``key`` is ``value``."""
        return self._select({key: value})

    def observe(self, obj: Object) -> None:
        """Write through what an answer told."""
        self._tape.tell("observe", self.resource, obj["metadata"]["name"], self._library.values.number(obj))

    def forget(self, name: str, uid: str) -> None:  # noqa: ARG002 - only what was read is forgotten
        """Write through that an object is gone."""
        self._tape.tell("forget", self.resource, name)

    def _select(self, labels: Mapping[str, str]) -> Sequence[Object]:
        wanted = frozenset({**self._labels, **labels}.items())
        found: Sequence[Object] = self._tape.read("items", self.resource, wanted)
        return found


class TapeClock:
    """Time as the explorer has it."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    def now(self) -> datetime:
        """The present instant."""
        now: datetime = self._tape.read("now")
        return now

    async def sleep(self, seconds: float) -> NoReturn:
        """Nothing that is explored waits for time; time passes in steps of its own."""
        raise NotImplementedError(f"a program sleeps for {seconds} seconds")


class _TapeTurns:
    """Turns as the explorer has them; used as :class:`~sandkit_server.core.turns.Turns`."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @asynccontextmanager
    async def of(self, sandbox_id: str) -> AsyncIterator[None]:
        """Wait for the turn; it ends with the block."""
        await self._tape.turn(sandbox_id)
        try:
            yield
        finally:
            self._tape.tell("turn over", sandbox_id)


class _NoReadiness:
    """The watch of a new workload is a task of its own; what it may come to is an operation of its own."""

    def watch(self, sandbox_id: str, created_at: datetime) -> None:
        """Take no note."""


class _Creates:
    """The ids of creates under way, as a look needs them."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape

    @property
    def under_way(self) -> Collection[str]:
        """Of this server."""
        ids: Collection[str] = self._tape.read("under way")
        return ids


class ServerParts:
    """One server process over a tape."""

    def __init__(self, tape: Tape, library: Library) -> None:
        cluster, self.clock = TapeCluster(tape), TapeClock(tape)
        cache = cast(Cache, TapeCache(tape, library, BATCH_SANDBOXES))
        self.workloads = KubernetesWorkloads(
            BatchSandboxes(PodSettings()),
            Objects(cluster, cache),
            cluster,
            None,
            cast(Reach, None),
            self.clock,
        )
        self.claims = ClaimKeeper(KubernetesClaims(cluster), POLICY)
        turns = cast(Turns, _TapeTurns(tape))
        self.removal = Removal(self.workloads, self.claims, POLICY, turns)
        self.sandboxes = Sandboxes(self.workloads, self.clock, POLICY)
        ports = Ports(
            workloads=self.workloads,
            claims=KubernetesClaims(cluster),
            snapshots=cast(SnapshotStore, None),
            pools=cast(PoolStore, None),
            clock=self.clock,
            ids=cast(IdSource, None),
        )
        readiness = cast(Readiness, _NoReadiness())
        self.creation = Creation(ports, POLICY, self.claims, self.removal, readiness, cast(Supervisor, None))
        self.reconciler = Reconciler(
            self.workloads, self.claims, cast(Creation, _Creates(tape)), readiness, self.removal
        )


class Operations:
    """Makes the programs of a server."""

    def __init__(self, library: Library, part_of: Callable[[str], int]) -> None:
        self._library = library
        self._part_of = part_of

    def create(
        self, sandbox: str, claims: Mapping[str, bool], *, lifetime: int | None = None, keyed: bool = False
    ) -> Program:
        """A create that mounts ``claims``; true for those that go with the sandbox."""
        request = CreateSandbox(
            image=ImageSource(uri="app:1"),
            entrypoint=("sleep", "infinity"),
            timeout_seconds=lifetime,
            resource_limits={"cpu": "100m"},
            volumes=tuple(
                Volume(
                    name=name,
                    mount_path=f"/{name}",
                    claim=ClaimSource(claim_name=name, delete_on_sandbox_termination=managed),
                )
                for name, managed in claims.items()
            ),
        )
        digest = request_digest(sandbox, request)
        return self._of(
            sandbox, "create", lambda parts: parts.creation._make(sandbox, request, digest, keyed)
        )

    def delete(self, sandbox: str) -> Program:
        """A delete."""
        return self._of(sandbox, "delete", lambda parts: parts.removal.delete(sandbox))

    def pause(self, sandbox: str) -> Program:
        """A pause."""
        return self._of(sandbox, "pause", lambda parts: parts.sandboxes.pause(sandbox))

    def resume(self, sandbox: str) -> Program:
        """A resume."""
        return self._of(sandbox, "resume", lambda parts: parts.sandboxes.resume(sandbox))

    def renew(self, sandbox: str, expires_at: datetime) -> Program:
        """A renewal."""
        return self._of(sandbox, "renew", lambda parts: parts.sandboxes.renew(sandbox, expires_at))

    def give_up(self, sandbox: str) -> Program:
        """What the watch of a workload does when its time is over."""
        return self._of(
            sandbox, "give up", lambda parts: parts.removal.give_up(sandbox, "ReadyTimeout", "Too late.")
        )

    def look(self) -> Program:
        """One look for what a crash has left."""
        return self._program("look", lambda parts: parts.reconciler.look(parts.clock, POLICY, starting=False))

    def _of(self, sandbox: str, what: str, work: Callable[[ServerParts], Awaitable[Any]]) -> Program:
        return self._program(f"{what} {sandbox}", work, self._part_of(sandbox))

    def _program(
        self, name: str, work: Callable[[ServerParts], Awaitable[Any]], part: int | None = None
    ) -> Program:
        def start(tape: Tape) -> Coroutine[Any, Any, str]:
            return _outcome(work(ServerParts(tape, self._library)))

        return Program(name, start, self._library, part)


async def _outcome(work: Awaitable[Any]) -> str:
    try:
        await work
    except SandkitError as error:
        left = " and something is left" if "nor could it be taken back" in error.message else ""
        return f"{error.code.value}{left}"
    except Exception as error:  # noqa: BLE001 - a crash of the product is a finding, not the explorer's own
        return f"crashed: {error!r}"
    return SUCCESS
