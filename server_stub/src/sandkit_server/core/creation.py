"""Creating a sandbox, and leaving nothing behind when that fails at any point."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sandkit_server.core import lifecycle, ownership, validation
from sandkit_server.core.claims import ClaimKeeper, refused
from sandkit_server.core.errors import ErrorCode, Killed, SandkitError, invalid_request
from sandkit_server.core.idempotency import derived_id, request_digest, require_same
from sandkit_server.core.model import Caller, CreateSandbox, Sandbox
from sandkit_server.core.ownership import CreateStage
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import AlreadyExists, NeverReady, NoEffect, NotFound, PortError
from sandkit_server.core.ports import Claim, Ports, Workload, WorkloadSpec
from sandkit_server.core.readiness import TIMEOUT_REASON, Readiness
from sandkit_server.core.removal import Removal
from sandkit_server.core.supervision import Supervisor
from sandkit_server.core.translation import RETRY_SECONDS, translate, translate_create, unavailable

ID_PREFIX = "sbx"
SNAPSHOT_ENTRYPOINT = ("tail", "-f", "/dev/null")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    digest: str
    task: asyncio.Task[Sandbox]


class Creation:
    """Each create runs as a task of its own, so that a caller who hangs up cannot leave half a sandbox."""

    def __init__(
        self,
        ports: Ports,
        policy: Policy,
        claims: ClaimKeeper,
        removal: Removal,
        readiness: Readiness,
        supervisor: Supervisor,
    ) -> None:
        self._ports = ports
        self._policy = policy
        self._claims = claims
        self._removal = removal
        self._readiness = readiness
        self._supervisor = supervisor
        self._running: dict[str, _UnderWay] = {}
        self._closing = False
        self._killed = False

    @property
    def under_way(self) -> Collection[str]:
        """Ids whose create has begun and not ended in this server."""
        return self._running.keys()

    async def create(self, request: CreateSandbox, caller: Caller, key: str | None) -> Sandbox:
        """Check everything, then make the sandbox. Raises SandkitError, and then nothing is left."""
        if self._closing:
            raise unavailable("The server is shutting down.")
        faults = validation.create_faults(
            request, self._policy, self._ports.workloads.capabilities.volume_backends
        )
        if faults:
            raise invalid_request(faults)
        sandbox_id = self._ports.ids.new(ID_PREFIX) if key is None else derived_id(ID_PREFIX, caller, key)
        digest = request_digest(sandbox_id, request)
        task = self._join(sandbox_id, digest) or self._begin(sandbox_id, request, digest, key is not None)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError as error:
            if task.cancelled() and not _is_being_cancelled():
                raise self._ended() from error
            if key is None:
                self._supervisor.spawn(f"discard of {sandbox_id}", self._discard(sandbox_id, task))
            raise

    async def close(self, grace: float) -> None:
        """Refuse new creates and let those under way end, for at most ``grace`` real seconds."""
        self._closing = True
        tasks = {entry.task for entry in self._running.values()}
        if tasks:
            await asyncio.wait(tasks, timeout=grace)

    def kill(self) -> None:
        """Take note that nobody may be answered any more."""
        self._killed = True

    def _ended(self) -> BaseException:
        return Killed() if self._killed else unavailable("The server is shutting down.")

    def _join(self, sandbox_id: str, digest: str) -> asyncio.Task[Sandbox] | None:
        entry = self._running.get(sandbox_id)
        if entry is None:
            return None
        require_same(entry.digest, digest)
        return entry.task

    def _begin(
        self, sandbox_id: str, request: CreateSandbox, digest: str, keyed: bool
    ) -> asyncio.Task[Sandbox]:
        work = self._make(sandbox_id, request, digest, keyed)
        task = self._supervisor.spawn(f"create of {sandbox_id}", work)
        self._running[sandbox_id] = _UnderWay(digest, task)
        task.add_done_callback(lambda _: self._running.pop(sandbox_id, None))
        return task

    async def _discard(self, sandbox_id: str, task: asyncio.Task[Sandbox]) -> None:
        """Nobody will ever know the id of this sandbox: take it away again."""
        await asyncio.wait({task})
        if not task.cancelled() and task.exception() is None:
            _log.info("sandbox %s: its caller hung up, deleting it", sandbox_id)
            async with self._removal.turns.of(sandbox_id):
                await self._removal.roll_back(sandbox_id, ownership.Rollback.DELETE_THEN_SWEEP)

    async def _make(self, sandbox_id: str, request: CreateSandbox, digest: str, keyed: bool) -> Sandbox:
        async with self._removal.turns.of(sandbox_id):
            made = await self._place(sandbox_id, request, digest, keyed)
        return made if isinstance(made, Sandbox) else await self._made(made)

    async def _place(
        self, sandbox_id: str, request: CreateSandbox, digest: str, keyed: bool
    ) -> Sandbox | Workload:
        """The new workload with its claims; or what an earlier create under the same key has made."""
        if keyed and (existing := await self._find(sandbox_id, digest)):
            return existing.sandbox
        spec = await self._spec(sandbox_id, request, digest)
        await self._preflight(spec)
        plan = await self._claims.plan(sandbox_id, request.volumes)
        stage = CreateStage.CLAIMS
        managed: Sequence[Claim] = ()
        try:
            managed = await self._claims.make(sandbox_id, plan)
            stage = CreateStage.WORKLOAD
            workload = await self._ports.workloads.create(spec)
        except AlreadyExists as error:
            if keyed and (existing := await self._find(sandbox_id, digest)):
                return existing.sandbox
            raise translate_create(error, request.pool_ref) from error
        except Exception as error:
            unclear = keyed and stage is CreateStage.WORKLOAD and not isinstance(error, NoEffect)
            found = await self._find(sandbox_id, digest) if unclear else None
            if found is None:
                raise await self._failed(sandbox_id, stage, error, request.pool_ref, keyed=keyed) from error
            # Taking it back is not ours alone to decide: who repeats the create elsewhere is told of it.
            unforeseen = None if isinstance(error, PortError) else error
            _log.warning(
                "sandbox %s: is there, though its create failed: %s", sandbox_id, error, exc_info=unforeseen
            )
            workload = found
        if lost := await self._claims.own(workload, managed):
            vanished = refused(ownership.after_lost_claims(lost))
            raise await self._failed(sandbox_id, CreateStage.READY, vanished, request.pool_ref)
        return workload

    async def _preflight(self, spec: WorkloadSpec) -> None:
        try:
            await self._ports.workloads.preflight(spec)
        except PortError as error:
            raise translate_create(error, spec.request.pool_ref) from error

    async def _made(self, workload: Workload) -> Sandbox:
        sandbox = workload.sandbox
        if not self._policy.wait_ready:
            self._readiness.watch(sandbox.id, sandbox.created_at)
            return sandbox
        try:
            await self._readiness.await_ready(sandbox.id, sandbox.created_at)
            return (await self._ports.workloads.get(sandbox.id)).sandbox
        except Exception as error:
            async with self._removal.turns.of(sandbox.id):
                failure = await self._failed(sandbox.id, CreateStage.READY, error, None)
            raise failure from error

    async def _find(self, sandbox_id: str, digest: str) -> Workload | None:
        """What the same create has made. Raises SandkitError, for a key that is used otherwise, too."""
        try:
            workload = await self._ports.workloads.get(sandbox_id)
        except NotFound:
            return None
        except PortError as error:
            raise translate(error) from error
        require_same(workload.request_digest, digest)
        return workload

    async def _spec(self, sandbox_id: str, request: CreateSandbox, digest: str) -> WorkloadSpec:
        lifetime = request.timeout_seconds
        now = self._ports.clock.now()
        return WorkloadSpec(
            sandbox_id=sandbox_id,
            request=request,
            entrypoint=request.entrypoint or (SNAPSHOT_ENTRYPOINT if request.snapshot_id else ()),
            request_digest=digest,
            env={name: value for name, value in request.env.items() if value is not None},
            expires_at=None if lifetime is None else now + timedelta(seconds=lifetime),
            image_ref=await self._snapshot_image(request.snapshot_id),
        )

    async def _snapshot_image(self, snapshot_id: str | None) -> str | None:
        if snapshot_id is None:
            return None
        if not self._ports.workloads.capabilities.snapshots:
            raise SandkitError(ErrorCode.SNAPSHOT_UNSUPPORTED_RUNTIME, "This runtime has no snapshots.")
        try:
            stored = await self._ports.snapshots.get(snapshot_id)
        except NotFound as error:
            message = f"There is no snapshot {snapshot_id}."
            raise SandkitError(ErrorCode.SNAPSHOT_NOT_FOUND, message) from error
        except PortError as error:
            raise translate(error) from error
        lifecycle.admit("createSandbox", stored.snapshot.status.state, f"snapshot {snapshot_id}")
        return stored.image_ref

    async def _failed(
        self, sandbox_id: str, stage: CreateStage, error: Exception, pool: str | None, *, keyed: bool = False
    ) -> SandkitError:
        if not isinstance(error, (PortError, SandkitError)):
            _log.error("sandbox %s: create crashed", sandbox_id, exc_info=error)
        clean = await self._removal.roll_back(sandbox_id, ownership.rollback_after(stage, error, keyed=keyed))
        answer = _never_ready(error) if isinstance(error, NeverReady) else translate_create(error, pool)
        if clean:
            return answer
        message = (
            f"Sandbox {sandbox_id} could not be created, nor could it be taken back: {answer.message} "
            f"Delete sandbox {sandbox_id} to reclaim what it holds."
        )
        return SandkitError(answer.code, message, retry_after=answer.retry_after)


def _is_being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _never_ready(error: NeverReady) -> SandkitError:
    if error.reason == TIMEOUT_REASON:
        return SandkitError(ErrorCode.SANDBOX_READY_TIMEOUT, error.message, retry_after=RETRY_SECONDS)
    return SandkitError(ErrorCode.SANDBOX_CREATE_FAILED, f"{error.reason}: {error.message}")
