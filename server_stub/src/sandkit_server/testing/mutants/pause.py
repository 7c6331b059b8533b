"""Servers that pause wrongly."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import Page, PageRequest, Sandbox, SandboxFilter, SandboxState
from sandkit_server.core.ports import Ports, Workload
from sandkit_server.core.sandboxes import Sandboxes
from sandkit_server.core.service import LifecycleService
from sandkit_server.http.application import Application
from sandkit_server.http.exchange import Answer, Request
from sandkit_server.main import Alterations
from sandkit_server.runtimes.memory.pausing import RootfsPause
from sandkit_server.runtimes.memory.pod_table import PodTable
from sandkit_server.runtimes.memory.records import WorkloadRecord
from sandkit_server.testing.mutants.exchanges import Reply, answers
from sandkit_server.testing.mutants.lenient import forgives, losers_win, shrugs
from sandkit_server.testing.mutants.mutant import Mutant, always, overlay, ports, service, swap

Call = Callable[..., Awaitable[Any]]


def _pause_after_the_resume() -> Alterations:
    begun: set[asyncio.Task[None]] = set()

    async def pause(real: LifecycleService, sandbox_id: str) -> Sandbox:
        sandbox = await real.get_sandbox(sandbox_id)
        if sandbox.status.state is not SandboxState.RESUMING:
            return await real.pause(sandbox_id)
        task = asyncio.get_running_loop().create_task(_pause_when_running(real, sandbox_id))
        begun.add(task)
        task.add_done_callback(begun.discard)
        return sandbox

    return service(pause=pause)


async def _pause_when_running(real: LifecycleService, sandbox_id: str) -> None:
    while True:
        try:
            await real.pause(sandbox_id)
        except SandkitError as error:
            if error.code is not ErrorCode.SANDBOX_INVALID_STATE:
                return
            await asyncio.sleep(0.005)
        else:
            return


def _own_request_id(reply: Reply) -> None:
    if reply.is_for("POST", "/pause") and reply.status == 202:
        reply.put(b"x-request-id", b"pause-accepted")


def _show_the_pod_going(original: Call) -> Call:
    async def release(self: RootfsPause, record: WorkloadRecord) -> None:
        if record.state is SandboxState.PAUSING:
            sandbox = record.port.sandbox
            status = replace(sandbox.status, state=SandboxState.PENDING)
            record.port = replace(record.port, sandbox=replace(sandbox, status=status))
            await asyncio.sleep(0.1)
        await original(self, record)

    return release


def _pause_then_check(original: Call) -> Call:
    async def serve(self: Application, scope: Any, path: str, identifier: str, receive: Any) -> Answer:
        try:
            answer: Answer = await original(self, scope, path, identifier, receive)
        except SandkitError as error:
            if error.code is ErrorCode.REQUEST_UNAUTHORIZED and path.endswith("/pause"):
                route, parameters = self.router.match("POST", path)
                await route.handler(Request(identifier, "POST", path, b"", [], parameters, _no_body))
            raise
        return answer

    return serve


async def _no_body() -> bytes:
    return b""


def _pause_anyway(_original: Call) -> Call:
    """The provider cannot pause, but the record of the sandbox is changed before it is asked."""

    async def pause(self: Sandboxes, sandbox_id: str) -> Sandbox:
        workload = await self._workloads.get(sandbox_id)
        try:
            await self._workloads.request_pause(sandbox_id, workload.version)
        finally:
            message = "This runtime cannot pause sandboxes."
            raise SandkitError(ErrorCode.SANDBOX_API_NOT_SUPPORTED, message)

    return pause


def _forget_metadata(original: Call) -> Call:
    async def pause(self: RootfsPause, record: WorkloadRecord) -> None:
        await original(self, record)
        if record.state is SandboxState.PAUSED:
            sandbox = record.port.sandbox
            record.port = replace(record.port, sandbox=replace(sandbox, entrypoint=()))

    return pause


async def _paused_counts_as_running(
    real: LifecycleService, selection: SandboxFilter, page: PageRequest
) -> Page[Sandbox]:
    if {state.casefold() for state in selection.states} == {"running"}:
        selection = replace(selection, states=frozenset({"Running", "Paused"}))
    return await real.list_sandboxes(selection, page)


def _keep_the_pod(_original: Call) -> Call:
    async def release(_self: RootfsPause, _record: WorkloadRecord) -> None:
        return

    return release


def _pod_first(original: Call) -> Call:
    async def attempt(self: RootfsPause, record: WorkloadRecord) -> Any:
        pods = self._engine.pods
        pod = pods.of(record.id)
        if pod is None:
            return await original(self, record)
        pods.remove(pod)
        pods._of_sandbox[record.id] = pod
        try:
            snapshot = await original(self, record)
        except BaseException:
            pods.add(pod)
            raise
        del pods._of_sandbox[record.id]
        return snapshot

    return attempt


def _replicas_do_not_matter(real: Ports) -> Ports:
    async def get(workloads: Any, sandbox_id: str) -> Workload:
        workload: Workload = await workloads.get(sandbox_id)
        return replace(workload, replicas=1)

    return replace(real, workloads=overlay(real.workloads, get=get))


def _date_of_creation(reply: Reply) -> None:
    body = reply.json
    if reply.is_for("GET", "/sandboxes/[^/]+") and reply.status == 200 and "status" in body:
        body["status"]["lastTransitionAt"] = body["createdAt"]
        reply.write(body)


PAUSE = (
    Mutant(
        id="pause-answers-with-its-own-request-id",
        requirement="PAU-01",
        defect="An accepted pause is answered from a queue worker, which knows nothing of the caller's "
        "request id.",
        alter=answers(_own_request_id),
    ),
    Mutant(
        id="pause-shows-the-pod-pending",
        requirement="PAU-02",
        defect="The state follows the pod: while a pause releases it, the sandbox is shown as Pending.",
        substitutions=swap(RootfsPause, "release_pod", _show_the_pod_going),
    ),
    Mutant(
        id="pause-accepts-an-unknown-id",
        requirement="PAU-03",
        defect="A pause is put into a queue without a look whether the sandbox exists.",
        alter=forgives("pause", ErrorCode.SANDBOX_SANDBOX_NOT_FOUND),
    ),
    Mutant(
        id="pause-runs-before-the-key-is-checked",
        requirement="PAU-04",
        defect="The key is checked on the way out: without one the answer is 401, but the pause has begun.",
        substitutions=swap(Application, "_serve", _pause_then_check),
    ),
    Mutant(
        id="pause-of-pending-accepted",
        requirement="PAU-05",
        defect="Only Paused is refused; a pause of a sandbox that is still Pending is accepted and "
        "forgotten.",
        alter=shrugs("pause", SandboxState.PENDING),
    ),
    Mutant(
        id="pause-second-pause-accepted",
        requirement="PAU-06",
        defect="A pause of a sandbox that is Pausing is accepted, since it is what the caller wants anyway.",
        alter=shrugs("pause", SandboxState.PAUSING),
    ),
    Mutant(
        id="pause-of-paused-accepted",
        requirement="PAU-07",
        defect="A pause of a Paused sandbox is accepted as if it were idempotent.",
        alter=shrugs("pause", SandboxState.PAUSED),
    ),
    Mutant(
        id="pause-during-a-resume-is-queued",
        requirement="PAU-08",
        defect="A pause during a resume is accepted and carried out when the resume is over.",
        alter=_pause_after_the_resume(),
    ),
    Mutant(
        id="pause-of-failed-accepted",
        requirement="PAU-09",
        defect="A Failed sandbox counts as stopped, so its pause is accepted.",
        alter=shrugs("pause", SandboxState.FAILED),
    ),
    Mutant(
        id="pause-without-provider-still-begins",
        requirement="PAU-10",
        defect="A provider that cannot pause is found out only after the sandbox has been marked Pausing.",
        substitutions=swap(Sandboxes, "pause", _pause_anyway),
        options=("--pause-mode", "none"),
        lacks=("pause", "pause.rootfs"),
    ),
    Mutant(
        id="pause-loses-the-entrypoint",
        requirement="PAU-11",
        defect="A Paused sandbox is shown from what is left of it, and the entrypoint went with the pod.",
        substitutions=swap(RootfsPause, "pause", _forget_metadata),
    ),
    Mutant(
        id="pause-lists-paused-as-running",
        requirement="PAU-12",
        defect="The filter Running asks for what is not stopped, and so finds Paused sandboxes too.",
        alter=service(list_sandboxes=_paused_counts_as_running),
    ),
    Mutant(
        id="pause-keeps-the-pod",
        requirement="PAU-13",
        defect="The sandbox is called Paused once its snapshot is there, and the pod goes on running.",
        substitutions=swap(RootfsPause, "release_pod", _keep_the_pod),
    ),
    Mutant(
        id="pause-freezes-nothing",
        requirement="PAU-13",
        defect="A pause by freezing notes the state and never tells the cgroup.",
        substitutions=swap(PodTable, "set_frozen", always(None)),
        options=("--pause-mode", "freeze"),
        lacks=("pause.rootfs",),
        choices={"pauseMode": "freeze"},
    ),
    Mutant(
        id="pause-removes-the-pod-first",
        requirement="PAU-14",
        defect="The pod is deleted before the commit, whose files come from what the node still holds.",
        substitutions=swap(RootfsPause, "_attempt", _pod_first),
    ),
    Mutant(
        id="pause-race-has-many-winners",
        requirement="PAU-15",
        defect="A pause that lost the compare-and-set is answered 202, since the sandbox is pausing all "
        "the same.",
        substitutions=losers_win(SandboxState.PAUSING),
    ),
    Mutant(
        id="pause-ignores-replicas",
        requirement="PAU-16",
        defect="The number of replicas is never looked at, and only the first of two pods is paused.",
        alter=ports(_replicas_do_not_matter),
    ),
    Mutant(
        id="pause-never-moves-the-date",
        requirement="PAU-18",
        defect="lastTransitionAt is filled with the instant of creation.",
        alter=answers(_date_of_creation),
    ),
)
