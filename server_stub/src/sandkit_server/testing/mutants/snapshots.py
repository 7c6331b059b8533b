"""Servers that take, list and delete snapshots wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from sandkit_server.core import snapshots
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import (
    Caller,
    Page,
    PageRequest,
    SandboxState,
    Snapshot,
    SnapshotFilter,
    SnapshotState,
)
from sandkit_server.core.ports import Ports
from sandkit_server.core.service import LifecycleService
from sandkit_server.core.snapshots import Snapshots
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import PodRecord, SnapshotRecord, WorkloadRecord
from sandkit_server.runtimes.memory.snapshotting import SnapshotController
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.testing.mutants.exchanges import Reply, answers, asked
from sandkit_server.testing.mutants.lenient import admits, chokes
from sandkit_server.testing.mutants.mutant import Mutant, always, overlay, ports, service, swap

Call = Callable[..., Awaitable[Any]]
Files = Mapping[str, bytes]


def _names_itself(reply: Reply) -> None:
    if reply.is_for("POST", "/snapshots") and reply.status == 202:
        body = reply.json
        reply.write({**body, "sandboxId": body["id"]})


async def _unique_names(
    real: LifecycleService, sandbox_id: str, name: str | None, caller: Caller, key: str | None = None
) -> Snapshot:
    if name is not None:
        same = await real.list_snapshots(SnapshotFilter(sandbox_id=sandbox_id, name=name), PageRequest(1, 1))
        if same.total_items and key is None:
            raise SandkitError(
                ErrorCode.SNAPSHOT_INVALID_SOURCE_STATE, f"There is a snapshot {name} already."
            )
    return await real.create_snapshot(sandbox_id, name, caller, key)


async def _always_named(
    real: LifecycleService, sandbox_id: str, name: str | None, caller: Caller, key: str | None = None
) -> Snapshot:
    return await real.create_snapshot(sandbox_id, name or f"snapshot-of-{sandbox_id}", caller, key)


def _restart_the_source(original: Call) -> Call:
    async def commit(self: Committer, snapshot: SnapshotRecord, pod: PodRecord) -> Any:
        image = await original(self, snapshot, pod)
        if snapshot.purpose == "user":
            self._engine.pods.remove(pod)
            self._engine.pods.add(replace(pod, uid=new_uid()))
        return image

    return commit


def _show_the_freeze(original: Call) -> Call:
    async def commit(self: Committer, snapshot: SnapshotRecord, pod: PodRecord) -> Any:
        record = self._engine.workloads.find(snapshot.sandbox_id)
        if snapshot.purpose == "user" and record is not None:
            sandbox = record.port.sandbox
            status = replace(sandbox.status, state=SandboxState.PAUSING)
            record.port = replace(record.port, sandbox=replace(sandbox, status=status))
        try:
            return await original(self, snapshot, pod)
        finally:
            if snapshot.purpose == "user" and record is not None:
                self._engine.workloads.publish(record)

    return commit


def _restored(choose: Callable[[Starter, PodRecord, Files], Files]) -> Callable[[Call], Call]:
    """What a new sandbox finds in its root, by the image and the pod that the image was taken of."""

    def make(original: Call) -> Call:
        async def pull(self: Starter, record: WorkloadRecord, ref: str, *, is_committed: bool) -> Any:
            files: Files = await original(self, record, ref, is_committed=is_committed)
            snapshot = self._engine.snapshots.find(record.spec.request.snapshot_id)
            source = None if snapshot is None else self._engine.pods.of(snapshot.sandbox_id)
            return files if source is None or not is_committed else choose(self, source, files)

        return pull

    return make


def _with_volumes(starter: Starter, source: PodRecord, files: Files) -> Files:
    mounted = {
        f"{volume.mount_path}/{path}": content
        for volume in source.volumes
        if volume.claim is not None
        for path, content in starter._engine.volumes.get(volume.claim.claim_name).files.items()
    }
    return {**files, **mounted}


def _without_reason(_original: Callable[..., None]) -> Callable[..., None]:
    def fail(self: SnapshotController, snapshot: SnapshotRecord, _reason: str, _message: str) -> None:
        self._engine.snapshots.transition(snapshot, SnapshotState.FAILED, None, None)

    return fail


def _fail_the_source(original: Callable[..., None]) -> Callable[..., None]:
    def fail(self: SnapshotController, snapshot: SnapshotRecord, reason: str, message: str) -> None:
        original(self, snapshot, reason, message)
        record = self._engine.workloads.find(snapshot.sandbox_id)
        if record is not None and record.state is SandboxState.RUNNING:
            self._engine.workloads.transition(
                record, SandboxState.RUNNING, SandboxState.FAILED, reason, message
            )

    return fail


def _listed(change: Callable[[SnapshotFilter], SnapshotFilter]) -> Call:
    async def listed(real: LifecycleService, selection: SnapshotFilter, page: PageRequest) -> Page[Snapshot]:
        return await real.list_snapshots(change(selection), page)

    return listed


_STATES = {state.value for state in SnapshotState}


def _exact_case(selection: SnapshotFilter) -> SnapshotFilter:
    states = {state if state in _STATES else f"no such state {state}" for state in selection.states}
    return replace(selection, states=frozenset(states))


def _one_state(selection: SnapshotFilter) -> SnapshotFilter:
    return replace(selection, states=frozenset(sorted(selection.states)[:1]))


def _total_of_the_page(original: Callable[..., Page[Any]]) -> Callable[..., Page[Any]]:
    def paginate(items: Any, request: PageRequest) -> Page[Any]:
        page = original(items, request)
        return replace(page, total_items=len(page.items))

    return paginate


def _clamped(query: dict[str, str]) -> None:
    if query.get("pageSize", "").isdigit():
        query["pageSize"] = str(max(int(query["pageSize"]), 1))


async def _only_ready_ones(real: LifecycleService, snapshot_id: str) -> None:
    if (await real.get_snapshot(snapshot_id)).status.state is SnapshotState.FAILED:
        raise SandkitError(
            ErrorCode.SNAPSHOT_DELETE_CONFLICT, "Only a snapshot that is Ready can be deleted."
        )
    await real.delete_snapshot(snapshot_id)


def _never_deleted(real: Ports) -> Ports:
    async def delete(_store: Any, _snapshot_id: str, _version: str) -> None:
        return

    return replace(real, snapshots=overlay(real.snapshots, delete=delete))


async def _forgotten_while_creating(real: LifecycleService, snapshot_id: str) -> None:
    if (await real.get_snapshot(snapshot_id)).status.state is not SnapshotState.CREATING:
        await real.delete_snapshot(snapshot_id)


def _without_use(_original: Call) -> Call:
    async def require_unused(_self: Snapshots, _snapshot_id: str) -> None:
        return

    return require_unused


SNAPSHOTS = (
    Mutant(
        id="snapshot-names-itself-as-its-source",
        requirement="API-113",
        defect="The answer to a snapshot has its own id where that of the sandbox belongs.",
        alter=answers(_names_itself),
    ),
    Mutant(
        id="snapshot-names-unique",
        requirement="API-115",
        defect="A second snapshot of the same name is refused.",
        alter=service(create_snapshot=_unique_names),
    ),
    Mutant(
        id="snapshot-always-named",
        requirement="API-115",
        defect="A snapshot without a name gets one.",
        alter=service(create_snapshot=_always_named),
    ),
    Mutant(
        id="snapshot-of-paused-accepted",
        requirement="API-116",
        defect="A snapshot of a Paused sandbox is accepted, and fails for want of a pod.",
        substitutions=admits("createSnapshot", "Paused"),
    ),
    Mutant(
        id="snapshot-of-pending-accepted",
        requirement="API-116",
        defect="A snapshot may be asked for before the sandbox runs.",
        substitutions=admits("createSnapshot", "Pending"),
    ),
    Mutant(
        id="snapshot-of-stopping-accepted",
        requirement="API-116",
        defect="Whether a sandbox is going away is not looked at when a snapshot is asked for.",
        substitutions=admits("createSnapshot", "Stopping"),
    ),
    Mutant(
        id="snapshot-of-an-unknown-id-crashes",
        requirement="API-117",
        defect="An id that is not of the server's making is answered 500 when a snapshot is asked for.",
        alter=chokes("create_snapshot"),
    ),
    Mutant(
        id="snapshot-restarts-its-source",
        requirement="API-118",
        defect="The pod is made anew after its root filesystem was committed.",
        substitutions=swap(Committer, "commit", _restart_the_source),
    ),
    Mutant(
        id="snapshot-shows-its-source-pausing",
        requirement="API-118",
        defect="A snapshot is taken by the code of the pause, which marks the sandbox as Pausing.",
        substitutions=swap(Committer, "commit", _show_the_freeze),
    ),
    Mutant(
        id="snapshot-is-the-image-of-its-source",
        requirement="API-119",
        defect="A sandbox out of a snapshot is started from the image its source was started from.",
        substitutions=swap(Starter, "_pull", _restored(lambda _starter, _source, _files: {})),
    ),
    Mutant(
        id="snapshot-taken-when-used",
        requirement="API-119",
        defect="The layer is shared with the source, so a sandbox out of it has what was written later.",
        substitutions=swap(Starter, "_pull", _restored(lambda _starter, source, _files: dict(source.rootfs))),
    ),
    Mutant(
        id="snapshot-with-volumes",
        requirement="API-119",
        defect="The root filesystem is archived with everything that is mounted into it.",
        substitutions=swap(Starter, "_pull", _restored(_with_volumes)),
    ),
    Mutant(
        id="snapshot-fails-without-a-reason",
        requirement="API-121",
        defect="A commit that failed is noted, and why is in the server's log only.",
        substitutions=swap(SnapshotController, "_fail", _without_reason),
    ),
    Mutant(
        id="snapshot-fails-its-source",
        requirement="API-121",
        defect="A commit that failed counts as a failure of the sandbox.",
        substitutions=swap(SnapshotController, "_fail", _fail_the_source),
    ),
    Mutant(
        id="snapshots-of-every-name",
        requirement="API-122",
        defect="The filter name is not passed on.",
        alter=service(list_snapshots=_listed(lambda selection: replace(selection, name=None))),
    ),
    Mutant(
        id="snapshots-of-every-sandbox",
        requirement="API-122",
        defect="The filter sandboxId is not passed on.",
        alter=service(list_snapshots=_listed(lambda selection: replace(selection, sandbox_id=None))),
    ),
    Mutant(
        id="snapshots-in-exact-case",
        requirement="API-159",
        defect="The state filter of snapshots is compared letter by letter.",
        alter=service(list_snapshots=_listed(_exact_case)),
    ),
    Mutant(
        id="snapshots-in-one-state",
        requirement="API-123",
        defect="Of several states that are asked for only one counts.",
        alter=service(list_snapshots=_listed(_one_state)),
    ),
    Mutant(
        id="snapshots-counted-by-the-page",
        requirement="API-124",
        defect="The total of a list of snapshots is the number of entries on the page.",
        substitutions=swap(snapshots, "paginate", _total_of_the_page),
    ),
    Mutant(
        id="snapshots-page-size-clamped",
        requirement="API-124",
        defect="A page size of 0 is read as 1.",
        alter=asked("/snapshots", _clamped),
    ),
    Mutant(
        id="snapshot-read-of-an-unknown-id-crashes",
        requirement="API-125",
        defect="An id that is not of the server's making is answered 500 when a snapshot is read.",
        alter=chokes("get_snapshot", "snap-"),
    ),
    Mutant(
        id="snapshot-delete-of-an-unknown-id-crashes",
        requirement="API-125",
        defect="An id that is not of the server's making is answered 500 when a snapshot is deleted.",
        alter=chokes("delete_snapshot", "snap-"),
    ),
    Mutant(
        id="snapshot-that-failed-stays",
        requirement="API-126",
        defect="Only a snapshot that is Ready can be deleted, so failed ones stay for ever.",
        alter=service(delete_snapshot=_only_ready_ones),
    ),
    Mutant(
        id="snapshot-deleted-on-paper",
        requirement="API-126",
        defect="A delete of a snapshot is put into a queue that nobody reads.",
        alter=ports(_never_deleted),
    ),
    Mutant(
        id="snapshot-deleted-while-creating",
        requirement="API-127",
        defect="A delete of a snapshot that is being made is acknowledged and forgotten.",
        alter=service(delete_snapshot=_forgotten_while_creating),
    ),
    Mutant(
        id="snapshot-deleted-while-in-use",
        requirement="API-128",
        defect="Nobody asks whether a sandbox is being started from the snapshot.",
        substitutions=swap(Snapshots, "_require_unused", _without_use),
    ),
    Mutant(
        id="snapshot-without-support",
        requirement="API-129",
        defect="A runtime that cannot take snapshots accepts them, and they never get ready.",
        substitutions=swap(Snapshots, "_require_support", always(None)),
        options=("--without", "snapshots"),
        lacks=("snapshots",),
    ),
)
