"""Servers that resume wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Endpoint, EndpointQuery, Sandbox, SandboxState, SnapshotState
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.failure import StepFailed
from sandkit_server.runtimes.memory.pausing import RootfsPause
from sandkit_server.runtimes.memory.provider import MemoryWorkloads
from sandkit_server.runtimes.memory.records import PodRecord, WorkloadRecord
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.testing.mutants.exchanges import Reply, answers
from sandkit_server.testing.mutants.lenient import forgives, losers_win, shrugs
from sandkit_server.testing.mutants.mutant import Mutant, swap

Call = Callable[..., Awaitable[Any]]


def _created_instead_of_accepted(reply: Reply) -> None:
    if reply.is_for("POST", "/resume") and reply.status == 202:
        reply.status = 200


def _restart_what_runs(original: Call) -> Call:
    async def resume(self: LifecycleService, sandbox_id: str) -> Sandbox:
        try:
            resumed: Sandbox = await original(self, sandbox_id)
        except SandkitError:
            # Refused as it should be, but the pod was replaced before the state was looked at.
            for pod in list(_engine_of(self).pods):
                if pod.sandbox_id == sandbox_id:
                    for process in pod.processes:
                        process.pid += 1
            raise
        return resumed

    return resume


def _engine_of(lifecycle: LifecycleService) -> MemoryEngine:
    engine: MemoryEngine = lifecycle._ports.workloads._engine  # type: ignore[attr-defined]
    return engine


def _from_the_public_image(original: Call) -> Call:
    async def pull(self: Starter, record: WorkloadRecord, ref: str, *, is_committed: bool) -> Any:
        files = await original(self, record, ref, is_committed=is_committed)
        return {} if is_committed and record.state is SandboxState.RESUMING else files

    return pull


def _without_environment(original: Callable[..., PodRecord]) -> Callable[..., PodRecord]:
    def pod(self: Starter, record: WorkloadRecord, ref: str, files: Any) -> PodRecord:
        made = original(self, record, ref, files)
        if record.state is SandboxState.RESUMING:
            made.env = {}
        return made

    return pod


_FIRST_FILES: dict[str, Any] = {}


def _from_the_first_snapshot(original: Call) -> Call:
    async def pull(self: Starter, record: WorkloadRecord, ref: str, *, is_committed: bool) -> Any:
        files = await original(self, record, ref, is_committed=is_committed)
        if record.state is SandboxState.RESUMING:
            return _FIRST_FILES.setdefault(record.id, files)
        return files

    return pull


def _old_address(original: Call) -> Call:
    async def endpoint(self: MemoryWorkloads, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        record = self._engine.workloads.get(sandbox_id)
        if record.generation > 1:
            message = f"no address is known for sandbox {sandbox_id}"
            raise SandkitError(ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, message)
        found: Endpoint = await original(self, sandbox_id, query)
        return found

    return endpoint


def _drop_the_snapshot(original: Call) -> Call:
    async def bring_up(
        self: Starter, record: WorkloadRecord, state: SandboxState, committed: str | None
    ) -> None:
        try:
            await original(self, record, state, committed)
        except StepFailed:
            if state is SandboxState.RESUMING:
                for snapshot in self._engine.snapshots.of_pause(record.id):
                    self._engine.snapshots.remove(snapshot)
            raise

    return bring_up


def _stay_in_the_pool(original: Call) -> Call:
    async def pause(self: RootfsPause, record: WorkloadRecord) -> None:
        pool = record.pool_ref
        await original(self, record)
        if record.state is SandboxState.PAUSED:
            record.pool_ref = pool

    return pause


def _wait_for_the_snapshot(original: Call) -> Call:
    async def resume(self: RootfsPause, record: WorkloadRecord) -> None:
        while True:
            snapshot = self._engine.snapshots.find(record.pause_snapshot)
            if snapshot is not None and snapshot.state is SnapshotState.READY:
                break
            await self._engine.clock.sleep(1.0)
        await original(self, record)

    return resume


RESUME = (
    Mutant(
        id="resume-answers-200",
        requirement="RES-01",
        defect="A resume is answered 200, as if it were done already.",
        alter=answers(_created_instead_of_accepted),
        also={
            "RES-09": "The winner of a race is told by its 202.",
            "API-03": "200 is no answer the description gives for a resume.",
        },
    ),
    Mutant(
        id="resume-of-running-accepted",
        requirement="RES-02",
        defect="A resume of what runs is accepted, since the caller has what it wants.",
        alter=shrugs("resume", SandboxState.RUNNING),
    ),
    Mutant(
        id="resume-of-pending-accepted",
        requirement="RES-02",
        defect="Only Running is refused; a resume of a sandbox that is still Pending is accepted and "
        "forgotten.",
        alter=shrugs("resume", SandboxState.PENDING),
    ),
    Mutant(
        id="resume-restarts-what-runs",
        requirement="RES-02",
        defect="A resume of what runs is refused, but only after its processes were started anew.",
        substitutions=swap(LifecycleService, "resume", _restart_what_runs),
    ),
    Mutant(
        id="resume-during-a-pause-accepted",
        requirement="RES-03",
        defect="A resume that meets a pause is accepted and lost.",
        alter=shrugs("resume", SandboxState.PAUSING),
    ),
    Mutant(
        id="resume-second-resume-accepted",
        requirement="RES-03",
        defect="A second resume is accepted while the first is under way.",
        alter=shrugs("resume", SandboxState.RESUMING),
    ),
    Mutant(
        id="resume-of-failed-accepted",
        requirement="RES-04",
        defect="A Failed sandbox counts as stopped, so its resume is accepted.",
        alter=shrugs("resume", SandboxState.FAILED),
    ),
    Mutant(
        id="resume-accepts-an-unknown-id",
        requirement="RES-05",
        defect="A resume is put into a queue without a look whether the sandbox exists.",
        alter=forgives("resume", ErrorCode.SANDBOX_SANDBOX_NOT_FOUND),
    ),
    Mutant(
        id="resume-starts-from-the-first-image",
        requirement="RES-06",
        defect="The pod comes back from the image of the create request, and the committed files are lost.",
        substitutions=swap(Starter, "_pull", _from_the_public_image),
        also={"RES-07": "Without the files there is no newest version of them either."},
    ),
    Mutant(
        id="resume-forgets-the-environment",
        requirement="RES-06",
        defect="The resumed pod is made from the snapshot alone, without the variables of the create "
        "request.",
        substitutions=swap(Starter, "_pod", _without_environment),
    ),
    Mutant(
        id="resume-reuses-the-first-snapshot",
        requirement="RES-07",
        defect="The image is tagged by sandbox id and cached by the node, so every resume starts from "
        "the first one.",
        substitutions=swap(Starter, "_pull", _from_the_first_snapshot),
    ),
    Mutant(
        id="resume-loses-the-address",
        requirement="RES-08",
        defect="Addresses are kept per pod, and nobody enters that of the resumed one.",
        substitutions=swap(MemoryWorkloads, "endpoint", _old_address),
    ),
    Mutant(
        id="resume-race-has-many-winners",
        requirement="RES-09",
        defect="A resume that lost the compare-and-set is answered 202, since the sandbox is resuming "
        "all the same.",
        substitutions=losers_win(SandboxState.RESUMING),
    ),
    Mutant(
        id="resume-drops-the-snapshot-on-failure",
        requirement="RES-10",
        defect="A resume that cannot pull its image cleans up, and the snapshot object goes with it.",
        substitutions=swap(Starter, "bring_up", _drop_the_snapshot),
    ),
    Mutant(
        id="resume-stays-in-its-pool",
        requirement="RES-11",
        defect="The reference to the pool survives the pause, so that the pool goes on counting the sandbox.",
        substitutions=swap(RootfsPause, "pause", _stay_in_the_pool),
    ),
    Mutant(
        id="resume-swallows-a-pause",
        requirement="RES-12",
        defect="A pause that comes during a resume is acknowledged, then overwritten by the end of the "
        "resume.",
        alter=shrugs("pause", SandboxState.RESUMING),
        also={"PAU-08": "A pause acknowledged during a resume is not refused."},
    ),
    Mutant(
        id="resume-waits-for-a-lost-snapshot",
        requirement="RES-13",
        defect="A snapshot object that is not found is taken for one that is not there yet, and waited for.",
        substitutions=swap(RootfsPause, "resume", _wait_for_the_snapshot),
    ),
)
