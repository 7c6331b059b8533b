"""Servers that delete wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.records import JobRecord, WorkloadRecord
from sandkit_server.runtimes.memory.stopping import Stopper
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Awaitable[Any]]

_IN_TRANSITION = (SandboxState.PAUSING, SandboxState.RESUMING)


def _keep_snapshots(original: Call) -> Call:
    async def stop(self: Stopper, record: WorkloadRecord) -> None:
        kept = self._engine.snapshots.of_pause(record.id) if record.reason != "Expired" else []
        await original(self, record)
        for snapshot in kept:
            self._engine.snapshots.add(snapshot)

    return stop


def _leave_a_job(original: Call) -> Call:
    async def stop(self: Stopper, record: WorkloadRecord) -> None:
        paused = record.pause_snapshot
        await original(self, record)
        if paused is not None and record.reason != "Expired":
            self._engine.jobs.add(
                JobRecord(name=f"commit-{paused}", sandbox_id=record.id, snapshot_id=paused)
            )

    return stop


def _finish_the_transition(original: Callable[..., None]) -> Callable[..., None]:
    """Deleted while in transition: noted, and undone by the late step that writes its own end state."""

    def terminate(
        self: Controller, record: WorkloadRecord, reason: str | None = None, message: str | None = None
    ) -> None:
        if reason is None and record.state in _IN_TRANSITION:
            return
        original(self, record, reason, message)

    return terminate


async def _strict_second_delete(real: LifecycleService, sandbox_id: str) -> None:
    try:
        state = (await real.get_sandbox(sandbox_id)).status.state
    except SandkitError:
        state = None
    if state is SandboxState.STOPPING:
        message = f"Sandbox {sandbox_id} is being deleted already."
        raise SandkitError(ErrorCode.SANDBOX_INVALID_STATE, message)
    await real.delete_sandbox(sandbox_id)


DELETION = (
    Mutant(
        id="deletion-leaves-the-pause-snapshot",
        requirement="DEL-01",
        defect="Deleting a paused sandbox removes the workload and forgets the snapshot objects of its "
        "pauses.",
        substitutions=swap(Stopper, "stop", _keep_snapshots),
        also={"DEL-02": "A snapshot is left likewise when the delete comes in the middle of a pause."},
    ),
    Mutant(
        id="deletion-leaves-the-commit-job",
        requirement="DEL-01",
        defect="Deleting a paused sandbox leaves its finished commit job to a clean-up that does not exist.",
        substitutions=swap(Stopper, "stop", _leave_a_job),
        also={"DEL-02": "The job of a sandbox deleted in the middle of a resume is left likewise."},
    ),
    Mutant(
        id="deletion-undone-by-a-late-step",
        requirement="DEL-02",
        defect="A delete during a transition is acknowledged, and undone by the step that finishes late.",
        substitutions=swap(Controller, "terminate", _finish_the_transition),
    ),
    Mutant(
        id="deletion-second-delete-refused",
        requirement="DEL-03",
        defect="A delete of a sandbox that is Stopping is refused with 409.",
        alter=service(delete_sandbox=_strict_second_delete),
        also={"API-90": "It deletes a sandbox that is Stopping, too."},
    ),
)
