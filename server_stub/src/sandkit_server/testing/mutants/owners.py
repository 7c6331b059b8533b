"""Servers whose owner references, pauses and restarts lose claims."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sandkit_server.core import ownership
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import Claim, OwnerReference, Workload
from sandkit_server.core.reconciliation import Reconciler
from sandkit_server.core.removal import Removal
from sandkit_server.runtimes.memory.claim_store import MemoryClaimStore
from sandkit_server.runtimes.memory.garbage import GarbageCollector
from sandkit_server.runtimes.memory.pausing import RootfsPause
from sandkit_server.runtimes.memory.records import PodRecord, WorkloadRecord
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.runtimes.memory.volume_table import VolumeTable, as_claim
from sandkit_server.testing.mutants.mutant import Mutant, Substitution, always, swap

Call = Callable[..., Awaitable[Any]]


def _orphan_when(condition: Callable[[WorkloadRecord], bool]) -> Substitution:
    """Delete the workload object and leave its dependents, as ``propagationPolicy: Orphan`` does."""

    def make(original: Callable[..., None]) -> Callable[..., None]:
        def gone(self: GarbageCollector, record: WorkloadRecord) -> None:
            if condition(record):
                for volume in self._volumes:
                    volume.owners = [edge for edge in volume.owners if edge.uid != record.uid]
            original(self, record)

        return gone

    return Substitution(GarbageCollector, "workload_gone", make)


def _no_sweep_when(condition: Callable[[Workload], bool]) -> tuple[Substitution, ...]:
    """A delete that works at once does not sweep; after a failed attempt the ordinary path takes over."""
    failed: set[str] = set()

    def remember(original: Call) -> Call:
        async def delete_workload(self: Removal, sandbox_id: str) -> PortError | None:
            error: PortError | None = await original(self, sandbox_id)
            if error is not None:
                failed.add(sandbox_id)
            return error

        return delete_workload

    def make(original: Call) -> Call:
        async def delete(self: Removal, sandbox_id: str) -> None:
            record = self._workloads._engine.workloads.find(sandbox_id)  # type: ignore[attr-defined]
            skips = record is not None and sandbox_id not in failed and condition(record.port)
            if skips and await self._delete_workload(sandbox_id) is None:
                return
            await original(self, sandbox_id)

        return delete

    return (Substitution(Removal, "_delete_workload", remember), Substitution(Removal, "delete", make))


def _is_running(workload: Workload) -> bool:
    return workload.sandbox.status.state is SandboxState.RUNNING


def _is_paused(workload: Workload) -> bool:
    return workload.sandbox.status.state is SandboxState.PAUSED


def _was_deleted_running(record: WorkloadRecord) -> bool:
    by_call = record.state is SandboxState.TERMINATED and record.reason is None
    return by_call and record.pause_snapshot is None


def _was_deleted_paused(record: WorkloadRecord) -> bool:
    return record.reason is None and record.pause_snapshot is not None


def _expired_running(record: WorkloadRecord) -> bool:
    return record.reason == "Expired" and record.generation == 1


def _replace_owners(_original: Call) -> Call:
    async def add_owner(self: MemoryClaimStore, name: str, uid: str, owner: OwnerReference) -> Claim:
        async with self._at("claim.patch", name):
            volume = self._engine.volumes.get(name, uid)
            volume.owners = []
            self._engine.volumes.edit(volume, {}, [owner])
            return as_claim(volume)

    return add_owner


def _as_controller(original: Callable[..., OwnerReference | None]) -> Callable[..., OwnerReference | None]:
    def reference(workload: Any) -> OwnerReference | None:
        owner = original(workload)
        return None if owner is None else replace(owner, controller=True, block_owner_deletion=True)

    return reference


def _own_all_mounted(original: Call) -> Call:
    async def own(self: ClaimKeeper, workload: Workload, managed: Iterable[Claim]) -> Any:
        managed = list(managed)
        lost = await original(self, workload, managed)
        engine = self._store._engine  # type: ignore[attr-defined]
        owner = ownership.owner_reference(workload.ref)
        record = engine.workloads.find(workload.sandbox.id)
        if not managed or record is None or owner is None:
            return lost
        for volume in record.spec.request.volumes:
            claim = engine.volumes.find(volume.claim.claim_name) if volume.claim is not None else None
            if claim is not None and not claim.labels and not claim.owners:
                engine.volumes.edit(claim, {}, [owner])
        return lost

    return own


def _never_released(original: Callable[..., None]) -> Callable[..., None]:
    def unmount(self: VolumeTable, pod_uid: str) -> None:
        stuck = [record for record in self if record.terminating and not record.owners]
        for record in stuck:
            # Who uses it is noted under the name of the pod, and that name is never taken off the list.
            record.mounted.add("a pod that is gone")
        original(self, pod_uid)

    return unmount


def _recreate_claims(original: Call) -> Call:
    async def pause(self: RootfsPause, record: WorkloadRecord) -> None:
        await original(self, record)
        if record.state is not SandboxState.PAUSED:
            return
        for volume in list(self._engine.volumes):
            if volume.labels.get(ownership.ID_LABEL) == record.id:
                self._engine.volumes.delete(volume)
                self._engine.volumes.add(volume.name, volume.labels, owners=volume.owners)

    return pause


def _disown_while_paused(original: Call) -> Call:
    async def pause(self: RootfsPause, record: WorkloadRecord) -> None:
        await original(self, record)
        if record.state is not SandboxState.PAUSED:
            return
        for volume in list(self._engine.volumes):
            if volume.labels.get(ownership.ID_LABEL) == record.id:
                self._engine.volumes.disown(volume, record.uid)

    return pause


def _without_volumes(original: Callable[..., PodRecord]) -> Callable[..., PodRecord]:
    def pod(self: Starter, record: WorkloadRecord, ref: str, files: Any) -> PodRecord:
        made = original(self, record, ref, files)
        if record.state is SandboxState.RESUMING:
            made.volumes = ()
        return made

    return pod


def _finish_without(*states: SandboxState) -> Callable[[Call], Call]:
    def make(original: Call) -> Call:
        async def finish(self: Reconciler, workload: Workload, managed: Sequence[Claim]) -> None:
            if workload.sandbox.status.state not in states:
                await original(self, workload, managed)

        return finish

    return make


def _forget_deletes() -> tuple[Substitution, ...]:
    """What was being deleted is in nobody's memory but the old server's, and is nobody's orphan either."""
    begun: set[str] = set()

    def note(original: Call) -> Call:
        async def delete(self: Removal, sandbox_id: str) -> None:
            begun.add(sandbox_id)
            await original(self, sandbox_id)

        return delete

    def leave(original: Callable[..., Any]) -> Callable[..., Any]:
        def orphaned(*arguments: Any) -> list[Claim]:
            found = original(*arguments)
            return [claim for claim in found if claim.labels.get(ownership.ID_LABEL) not in begun]

        return orphaned

    return (
        *swap(Removal, "delete", note),
        *swap(ownership, "orphaned", leave),
        *swap(Reconciler, "_finish", _finish_without(SandboxState.STOPPING)),
    )


OWNERS = (
    Mutant(
        id="volumes-opted-in-claim-stays",
        requirement="VOL-02",
        defect="A delete orphans what the workload owns, and relies on a sweep that was never written.",
        substitutions=(_orphan_when(_was_deleted_running), *_no_sweep_when(_is_running)),
    ),
    Mutant(
        id="volumes-owner-reference-lost",
        requirement="VOL-06",
        defect="The patch for the owner reference has the wrong content type, and its refusal is only "
        "logged.",
        substitutions=swap(ownership, "owner_reference", always(None)),
    ),
    Mutant(
        id="volumes-owner-reference-replaces-others",
        requirement="VOL-06",
        defect="The owner reference is written as a whole list, and owners that were there are lost.",
        substitutions=swap(MemoryClaimStore, "add_owner", _replace_owners),
    ),
    Mutant(
        id="volumes-owner-reference-blocks",
        requirement="VOL-06",
        defect="The owner reference claims to be the controller and to block its owner's deletion.",
        substitutions=swap(ownership, "owner_reference", _as_controller),
    ),
    Mutant(
        id="volumes-expiry-orphans-claims",
        requirement="VOL-07",
        defect="The expiry deletes the workload object in a way that leaves its dependents.",
        substitutions=(_orphan_when(_expired_running),),
    ),
    Mutant(
        id="volumes-every-claim-gets-an-owner",
        requirement="VOL-08",
        defect="When one claim of a request is opted in, all of its claims get the owner reference.",
        substitutions=swap(ClaimKeeper, "own", _own_all_mounted),
        also={"VOL-22": "A claim with an owner goes with a paused sandbox as well."},
    ),
    Mutant(
        id="volumes-claim-in-use-hangs",
        requirement="VOL-21",
        defect="A claim that was deleted while a pod used it stays Terminating after the pod has exited.",
        substitutions=swap(VolumeTable, "unmount", _never_released),
    ),
    Mutant(
        id="volumes-paused-sandbox-keeps-its-claims",
        requirement="VOL-22",
        defect="Deleting a paused sandbox takes a path of its own, which removes the snapshot and no claim.",
        substitutions=(_orphan_when(_was_deleted_paused), *_no_sweep_when(_is_paused)),
    ),
    Mutant(
        id="volumes-pause-recreates-claims",
        requirement="VOL-23",
        defect="A pause deletes the workload object, its claim is collected, and made again, empty.",
        substitutions=swap(RootfsPause, "pause", _recreate_claims),
    ),
    Mutant(
        id="volumes-pause-disowns-claims",
        requirement="VOL-23",
        defect="A pause removes the owner reference to save the claim, and the resume does not put it back.",
        substitutions=swap(RootfsPause, "pause", _disown_while_paused),
    ),
    Mutant(
        id="volumes-resume-forgets-the-mounts",
        requirement="VOL-23",
        defect="The resumed pod is made from the committed image alone, without its volumes.",
        substitutions=swap(Starter, "_pod", _without_volumes),
    ),
    Mutant(
        id="volumes-restart-forgets-claims",
        requirement="VOL-24",
        defect="After a restart nobody looks for claims whose create never came to its workload.",
        substitutions=swap(ownership, "orphaned", always(())),
        also={"VOL-25": "A claim whose workload has gone by then is found by the same look."},
    ),
    Mutant(
        id="volumes-restart-sets-no-owner",
        requirement="VOL-24",
        defect="After a restart nobody finishes the owner references that a create had begun.",
        substitutions=swap(
            Reconciler, "_finish", _finish_without(SandboxState.RUNNING, SandboxState.PENDING)
        ),
    ),
    Mutant(
        id="volumes-restart-forgets-the-sweep",
        requirement="VOL-25",
        defect="After a restart nobody sweeps for the deletes that were under way.",
        substitutions=_forget_deletes(),
    ),
)
