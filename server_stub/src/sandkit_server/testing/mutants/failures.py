"""Servers that cope badly with what goes wrong: a registry, a committer, a restart."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any

from sandkit_server.core.model import SandboxState
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.controller import Controller
from sandkit_server.runtimes.memory.failure import StepFailed
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.pausing import RootfsPause
from sandkit_server.runtimes.memory.records import PodRecord, SnapshotRecord, WorkloadRecord
from sandkit_server.runtimes.memory.workload_table import WorkloadTable
from sandkit_server.runtimes.memory.workshop import Workshop
from sandkit_server.testing.mutants.mutant import Mutant, swap

Call = Callable[..., Awaitable[Any]]
Transition = Callable[..., None]


def _freeze_before_asking(original: Call) -> Call:
    async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
        pod = self._engine.pods.of(record.id)
        if pod is not None:
            self._engine.pods.set_frozen(pod, True)
        return await original(self, record)

    return attempt


def _pod_before_asking(original: Call) -> Call:
    async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
        if self._engine.settings.registry is None:
            await self.release_pod(record)
        return await original(self, record)

    return attempt


def _silent_return(original: Transition) -> Transition:
    def transition(
        self: WorkloadTable, record: WorkloadRecord, source: SandboxState, target: SandboxState, *why: Any
    ) -> None:
        failed = source is SandboxState.PAUSING and target is SandboxState.RUNNING
        original(self, record, source, target, *(() if failed else why))

    return transition


def _old_failure_kept() -> Callable[[Transition], Transition]:
    failures: dict[str, tuple[Any, ...]] = {}

    def make(original: Transition) -> Transition:
        def transition(
            self: WorkloadTable, record: WorkloadRecord, source: SandboxState, target: SandboxState, *why: Any
        ) -> None:
            if source is SandboxState.PAUSING:
                if target is SandboxState.RUNNING:
                    failures[record.id] = why
                elif target is SandboxState.PAUSED:
                    why = why or failures.get(record.id, ())
            original(self, record, source, target, *why)

        return transition

    return make


def _new_pod_after(reason: str) -> Callable[[Call], Call]:
    def make(original: Call) -> Call:
        async def commit(self: Committer, snapshot: SnapshotRecord, pod: PodRecord) -> Any:
            try:
                return await original(self, snapshot, pod)
            except StepFailed as failure:
                if failure.reason == reason and snapshot.purpose == "pause":
                    self._engine.pods.remove(pod)
                    self._engine.pods.add(replace(pod, uid=new_uid()))
                raise

        return commit

    return make


def _no_thaw_after_a_crash(original: Call) -> Call:
    async def commit(self: Committer, snapshot: SnapshotRecord, pod: PodRecord) -> Any:
        try:
            return await original(self, snapshot, pod)
        except StepFailed as failure:
            if "crashed" in failure.message:
                self._engine.pods.set_frozen(pod, True)
            raise

    return commit


def _no_deadline(_original: Call) -> Call:
    async def within(_self: Workshop, _seconds: float, _reason: str, work: Coroutine[Any, Any, Any]) -> Any:
        return await work

    return within


def _tried_once() -> Callable[[Call], Call]:
    failed: dict[str, StepFailed] = {}

    def make(original: Call) -> Call:
        async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
            if record.id in failed:
                raise failed[record.id]
            try:
                return await original(self, record)
            except StepFailed as failure:
                failed[record.id] = failure
                raise

        return attempt

    return make


def _only_what_is_new(*forgotten: SandboxState) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A new server sees to what is asked of it, and to some states it finds, but not to ``forgotten``."""

    def make(original: Callable[[Controller], None]) -> Callable[[Controller], None]:
        def start(self: Controller) -> None:
            left = {record.id for record in self._engine.workloads if record.state in forgotten}
            poke = self.poke

            def poke_others(sandbox_id: str) -> None:
                if sandbox_id not in left:
                    poke(sandbox_id)

            self.poke = poke_others  # type: ignore[method-assign]
            original(self)
            self.poke = poke  # type: ignore[method-assign]

        return start

    return make


def _still_frozen(original: Callable[..., None]) -> Callable[..., None]:
    def tidy_up(self: RootfsPause, record: WorkloadRecord) -> None:
        pod = self._engine.pods.of(record.id)
        frozen = pod is not None and any(process.frozen for process in pod.processes)
        original(self, record)
        if pod is not None and frozen and record.state is SandboxState.PAUSING:
            self._engine.workloads.transition(
                record, SandboxState.PAUSING, SandboxState.RUNNING, "Interrupted", "The server was restarted."
            )
            self._engine.pods.set_frozen(pod, True)

    return tidy_up


def _gone_enough(original: Call) -> Call:
    async def release(self: RootfsPause, record: WorkloadRecord) -> None:
        try:
            await original(self, record)
        except Exception:  # noqa: BLE001 - the mistake is to swallow whatever comes
            return

    return release


def _command_line_in_the_message(original: Call) -> Call:
    async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
        try:
            return await original(self, record)
        except StepFailed as failure:
            image = record.spec.request.image
            if image is None or image.auth is None:
                raise
            command = f"login -u {image.auth.username} -p {image.auth.password}"
            raise StepFailed(failure.reason, f"{failure.message} ({command})") from failure

    return attempt


def _command_line_in_the_log(original: Call) -> Call:
    async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
        image = record.spec.request.image
        if image is not None and image.auth is not None:
            record.output.append(f"login -u {image.auth.username} -p {image.auth.password}")
        return await original(self, record)

    return attempt


_NO_REGISTRY: dict[str, Any] = {
    "options": ("--without", "registry"),
    "choices": {"registry": "none"},
}

FAILURES = (
    Mutant(
        id="fault-freezes-before-the-registry-is-asked",
        requirement="FLT-01",
        defect="The processes are stopped, and only then is there found to be no registry.",
        substitutions=swap(RootfsPause, "_attempt", _freeze_before_asking),
        **_NO_REGISTRY,
    ),
    Mutant(
        id="fault-releases-the-pod-before-the-registry-is-asked",
        requirement="FLT-01",
        defect="The pod is given away, and only then is there found to be no registry.",
        substitutions=swap(RootfsPause, "_attempt", _pod_before_asking),
        **_NO_REGISTRY,
    ),
    Mutant(
        id="fault-of-a-pause-is-silent",
        requirement="FLT-02",
        defect="A pause that fails puts the sandbox back to Running and tells nobody why.",
        substitutions=swap(WorkloadTable, "transition", _silent_return),
    ),
    Mutant(
        id="fault-of-the-push-restarts-the-pod",
        requirement="FLT-04",
        defect="After a push that was rejected the pod is made anew, to be on the safe side.",
        substitutions=swap(Committer, "commit", _new_pod_after("PushFailed")),
    ),
    Mutant(
        id="fault-of-the-committer-leaves-processes-frozen",
        requirement="FLT-05",
        defect="The committer thaws what it froze, so one that is killed leaves it frozen.",
        substitutions=swap(Committer, "commit", _no_thaw_after_a_crash),
    ),
    Mutant(
        id="fault-of-a-hanging-commit-lasts",
        requirement="FLT-06",
        defect="The commit job has no deadline.",
        substitutions=swap(Workshop, "within", _no_deadline),
    ),
    Mutant(
        id="fault-shown-after-its-repair",
        requirement="FLT-07",
        defect="The reason of a failed pause is written to the status and never removed.",
        substitutions=swap(WorkloadTable, "transition", _old_failure_kept()),
    ),
    Mutant(
        id="fault-makes-the-next-pause-fail",
        requirement="FLT-08",
        defect="A pause is compared with the last one, and if nothing has changed it has its result.",
        substitutions=swap(RootfsPause, "_attempt", _tried_once()),
        also={"FLT-07": "The result does not change when the cause is repaired."},
    ),
    Mutant(
        id="fault-restart-forgets-pauses",
        requirement="FLT-10",
        defect="A pause lives in a task of the server, and with the server it is gone.",
        substitutions=swap(Controller, "start", _only_what_is_new(SandboxState.PAUSING)),
    ),
    Mutant(
        id="fault-restart-forgets-resumes",
        requirement="FLT-10",
        defect="A resume lives in a task of the server, and with the server it is gone.",
        substitutions=swap(Controller, "start", _only_what_is_new(SandboxState.RESUMING)),
    ),
    Mutant(
        id="fault-restart-leaves-processes-frozen",
        requirement="FLT-10",
        defect="A new server gives up the pauses of the old one, and does not thaw what that one froze.",
        substitutions=swap(RootfsPause, "tidy_up", _still_frozen),
    ),
    Mutant(
        id="fault-of-the-pod-removal-ignored",
        requirement="FLT-11",
        defect="A pod that could not be deleted counts as gone.",
        substitutions=swap(RootfsPause, "release_pod", _gone_enough),
    ),
    Mutant(
        id="fault-message-quotes-the-command",
        requirement="FLT-13",
        defect="The message of a failed push quotes the command that failed, password and all.",
        substitutions=swap(RootfsPause, "_attempt", _command_line_in_the_message),
        also={"API-25": "The password was part of the create request."},
    ),
    Mutant(
        id="fault-log-quotes-the-command",
        requirement="FLT-13",
        defect="The commands of a commit are logged where the sandbox's own output goes.",
        substitutions=swap(RootfsPause, "_attempt", _command_line_in_the_log),
        also={"API-25": "The password was part of the create request."},
    ),
)
