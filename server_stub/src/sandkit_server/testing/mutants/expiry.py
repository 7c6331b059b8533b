"""Servers that renew and expire wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from sandkit_server.core import validation
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.pausing import RootfsPause
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.runtimes.memory.stopping import Stopper
from sandkit_server.testing.mutants.lenient import forgives
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Awaitable[Any]]

_IN_TRANSITION = (SandboxState.PAUSING, SandboxState.RESUMING)


async def _only_while_running(real: LifecycleService, sandbox_id: str, expires_at: datetime) -> datetime:
    sandbox = await real.get_sandbox(sandbox_id)
    if sandbox.status.state is SandboxState.PAUSED:
        raise SandkitError(ErrorCode.SANDBOX_INVALID_STATE, "Only a running sandbox can be renewed.")
    return await real.renew(sandbox_id, expires_at)


def _restore_the_expiry(original: Call) -> Call:
    async def resume(self: RootfsPause, record: WorkloadRecord) -> None:
        await original(self, record)
        if record.state is SandboxState.RUNNING and record.spec.expires_at is not None:
            record.expires_at = record.spec.expires_at
            self._engine.workloads.publish(record)

    return resume


async def _forgotten_in_transition(real: LifecycleService, sandbox_id: str, expires_at: datetime) -> datetime:
    sandbox = await real.get_sandbox(sandbox_id)
    if sandbox.status.state in _IN_TRANSITION and sandbox.expires_at is not None:
        return expires_at
    return await real.renew(sandbox_id, expires_at)


def _any_instant(original: Callable[..., None]) -> Callable[..., None]:
    def check(expires_at: datetime, now: datetime, policy: Any) -> None:
        if expires_at > now:
            original(expires_at, now, policy)

    return check


def _timer_skips(*states: SandboxState) -> Callable[[Call], Call]:
    """The timer fires once, and what it does not like it leaves to a next look that never comes."""

    def make(original: Call) -> Call:
        async def await_expiry(self: Controller, record: WorkloadRecord) -> None:
            assert record.expires_at is not None
            await self._engine.clock.sleep((record.expires_at - self._engine.clock.now()).total_seconds())
            if record.state not in states:
                await original(self, record)

        return await_expiry

    return make


def _keep_expired_snapshots(original: Call) -> Call:
    async def stop(self: Stopper, record: WorkloadRecord) -> None:
        kept = self._engine.snapshots.of_pause(record.id) if record.reason == "Expired" else []
        await original(self, record)
        for snapshot in kept:
            self._engine.snapshots.add(snapshot)

    return stop


EXPIRY = (
    Mutant(
        id="expiry-renewal-refused-while-paused",
        requirement="TTL-01",
        defect="Renewing asks for a running sandbox, so a paused one cannot be kept alive.",
        alter=service(renew=_only_while_running),
    ),
    Mutant(
        id="expiry-of-the-create-comes-back",
        requirement="TTL-01",
        defect="A resume builds the workload from the create request again, and with it the expiry of then.",
        substitutions=swap(RootfsPause, "resume", _restore_the_expiry),
        also={"TTL-02": "The end of a resume brings the old expiry back here just as well."},
    ),
    Mutant(
        id="expiry-renewal-lost-in-transition",
        requirement="TTL-02",
        defect="A renewal during a transition is answered 200 and overwritten when the transition ends.",
        alter=service(renew=_forgotten_in_transition),
    ),
    Mutant(
        id="expiry-renewal-into-the-past-accepted",
        requirement="TTL-03",
        defect="The instant of a renewal is not compared with now, so that a sandbox can be renewed to "
        "death.",
        substitutions=swap(validation, "check_renewal", _any_instant),
    ),
    Mutant(
        id="expiry-renewal-without-an-expiry-accepted",
        requirement="TTL-04",
        defect="A renewal of a sandbox without an expiry is answered 200 with the instant it asked for.",
        alter=forgives(
            "renew", ErrorCode.SANDBOX_NO_AUTOMATIC_EXPIRATION, lambda _sandbox_id, expires_at: expires_at
        ),
    ),
    Mutant(
        id="expiry-skips-paused-sandboxes",
        requirement="TTL-05",
        defect="The timer terminates what runs; a paused sandbox costs nothing and is left alone for ever.",
        substitutions=swap(Controller, "_await_expiry", _timer_skips(SandboxState.PAUSED)),
    ),
    Mutant(
        id="expiry-leaves-the-pause-snapshot",
        requirement="TTL-05",
        defect="Expiry deletes the workload and not the snapshot of its pause; only the delete call "
        "does both.",
        substitutions=swap(Stopper, "stop", _keep_expired_snapshots),
        also={"TTL-06": "A snapshot is left likewise when the expiry comes in the middle of a pause."},
    ),
    Mutant(
        id="expiry-skips-sandboxes-in-transition",
        requirement="TTL-06",
        defect="The timer fires once, finds the sandbox in transition, and nobody looks again.",
        substitutions=swap(Controller, "_await_expiry", _timer_skips(*_IN_TRANSITION)),
    ),
)
