"""Servers that make and sweep claims wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sandkit_server.core import lifecycle, ownership
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.ownership import CreateStage, Rollback
from sandkit_server.core.port_errors import NoEffect, NotFound, PortError
from sandkit_server.core.ports import Claim, ClaimTemplate, Ports
from sandkit_server.core.removal import Removal
from sandkit_server.core.translation import translate
from sandkit_server.runtimes.memory.claim_store import MemoryClaimStore
from sandkit_server.testing.mutants.mutant import Mutant, Substitution, overlay, ports, swap

Call = Callable[..., Awaitable[Any]]

# A claim is made shortly before its workload; one that is older was there before.
_JUST_BEFORE = timedelta(milliseconds=50)


def _as_docker_rm_v(original: Call) -> Call:
    async def delete(self: Removal, sandbox_id: str) -> None:
        workload = self._workloads._engine.workloads.find(sandbox_id)  # type: ignore[attr-defined]
        await original(self, sandbox_id)
        if workload is None or workload.pause_snapshot is not None:
            return
        oldest = workload.created_at - _JUST_BEFORE
        for volume in workload.spec.request.volumes:
            claim = self._workloads._engine.volumes.find(volume.claim.claim_name)  # type: ignore[attr-defined]
            if claim is not None and not claim.labels and claim.created_at >= oldest:
                self._workloads._engine.volumes.delete(claim)  # type: ignore[attr-defined]

    return delete


def _labels_later(real: Ports) -> Ports:
    async def create(store: MemoryClaimStore, template: ClaimTemplate) -> Claim:
        await store.create(replace(template, labels={}))
        record = store._engine.volumes.get(template.name)
        store._engine.volumes.edit(record, template.labels, ())
        return await store.get(template.name)

    return replace(real, claims=overlay(real.claims, create=create))


def _by_id_alone(claims: Iterable[Claim], sandbox_id: str) -> list[Claim]:
    return [claim for claim in claims if claim.labels.get(ownership.ID_LABEL) == sandbox_id]


def _list_by_id(real: Ports) -> Ports:
    async def listed(store: MemoryClaimStore, labels: Mapping[str, str]) -> Any:
        if ownership.ID_LABEL in labels:
            labels = {ownership.ID_LABEL: labels[ownership.ID_LABEL]}
        return await store.list(labels)

    return replace(real, claims=overlay(real.claims, list=listed))


def _no_sweep_for_strangers(original: Call) -> Call:
    async def delete(self: Removal, sandbox_id: str) -> None:
        try:
            await self._workloads.get(sandbox_id)
        except NotFound as error:
            raise lifecycle.unknown("deleteSandbox", sandbox_id) from error
        except PortError as error:
            raise translate(error) from error
        await original(self, sandbox_id)

    return delete


def _sweep_whatever_happened(original: Call) -> Call:
    async def delete(self: Removal, sandbox_id: str) -> None:
        try:
            await original(self, sandbox_id)
        except SandkitError:
            await self._claims.sweep(sandbox_id)
            raise

    return delete


def _strict_sweep(_original: Call) -> Call:
    async def sweep(self: ClaimKeeper, sandbox_id: str) -> None:
        try:
            for claim in await self._store.list(ownership.management_labels(sandbox_id)):
                await self._store.delete(claim.name, claim.uid)
        except NotFound:
            return
        except PortError as error:
            raise translate(error) from error

    return sweep


def _strict_owner(_original: Call) -> Call:
    async def own(self: ClaimKeeper, workload: Any, managed: Iterable[Claim]) -> Sequence[str]:
        owner = ownership.owner_reference(workload.ref)
        assert owner is not None
        for claim in ownership.claims_to_own(managed, workload.sandbox.id, owner):
            try:
                await self._store.add_owner(claim.name, claim.uid, owner)
            except PortError as error:
                raise translate(error) from error
        return ()

    return own


def _rollback(choose: Callable[[CreateStage, Exception], Rollback | None]) -> tuple[Substitution, ...]:
    def make(original: Callable[..., Rollback]) -> Callable[..., Rollback]:
        def after(stage: CreateStage, error: Exception, *, keyed: bool) -> Rollback:
            return choose(stage, error) or original(stage, error, keyed=keyed)

        return after

    return swap(ownership, "rollback_after", make)


def _forget_earlier_claims(stage: CreateStage, error: Exception) -> Rollback | None:
    lost_race = isinstance(error, SandkitError) and error.code is ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER
    return Rollback.NOTHING if stage is CreateStage.CLAIMS and not lost_race else None


def _forget_after_the_workload(stage: CreateStage, error: Exception) -> Rollback | None:
    return Rollback.NOTHING if stage is CreateStage.WORKLOAD and not isinstance(error, NoEffect) else None


def _forget_after_preflight(stage: CreateStage, error: Exception) -> Rollback | None:
    return Rollback.NOTHING if stage is CreateStage.WORKLOAD and isinstance(error, NoEffect) else None


def _sweep_in_any_case(original: Call) -> Call:
    async def roll_back(self: Removal, sandbox_id: str, rollback: Rollback) -> bool:
        clean: bool = await original(self, sandbox_id, rollback)
        await self._claims.sweep(sandbox_id)
        return clean

    return roll_back


def _release_without_sweep(_original: Call) -> Call:
    async def give_up(self: Removal, sandbox_id: str, reason: str, message: str) -> None:
        try:
            workload = await self._workloads.get(sandbox_id)
            await self._workloads.abandon(sandbox_id, workload.version, reason, message)
        except PortError:
            return

    return give_up


CLAIMS = (
    Mutant(
        id="volumes-delete-takes-every-claim",
        requirement="VOL-01",
        defect="Deleting a sandbox deletes the volumes it was created with, as `docker rm -v` does, "
        "opted in or not.",
        substitutions=swap(Removal, "delete", _as_docker_rm_v),
    ),
    Mutant(
        id="volumes-labels-come-later",
        requirement="VOL-04",
        defect="The claim is created first and labelled by a second call.",
        alter=ports(_labels_later),
        also={"VOL-24": "Killed between the two calls, it leaves a claim that nobody can tell as its own."},
    ),
    Mutant(
        id="volumes-sweep-by-one-label",
        requirement="VOL-05",
        defect="The sweep selects claims by the sandbox's id alone.",
        alter=ports(_list_by_id),
        substitutions=swap(ownership, "sweepable", lambda _original: _by_id_alone),
    ),
    Mutant(
        id="volumes-unknown-id-is-not-swept",
        requirement="VOL-09",
        defect="A delete of an unknown id answers 404 at once, so that a retry reclaims nothing.",
        substitutions=swap(Removal, "delete", _no_sweep_for_strangers),
    ),
    Mutant(
        id="volumes-sweep-after-a-failed-delete",
        requirement="VOL-10",
        defect="The sweep stands in a `finally`, and runs under a workload that could not be deleted.",
        substitutions=swap(Removal, "delete", _sweep_whatever_happened),
    ),
    Mutant(
        id="volumes-failed-sweep-fails-the-delete",
        requirement="VOL-11",
        defect="An error while claims are swept becomes the answer of the delete.",
        substitutions=swap(ClaimKeeper, "sweep", _strict_sweep),
    ),
    Mutant(
        id="volumes-failed-owner-fails-the-create",
        requirement="VOL-11",
        defect="A claim whose owner reference is refused fails a create whose workload runs already.",
        substitutions=swap(ClaimKeeper, "own", _strict_owner),
    ),
    Mutant(
        id="volumes-earlier-claims-are-forgotten",
        requirement="VOL-12",
        defect="When the second claim cannot be made the create fails, and nobody thinks of the first.",
        substitutions=_rollback(_forget_earlier_claims),
    ),
    Mutant(
        id="volumes-no-rollback-of-the-workload",
        requirement="VOL-13",
        defect="When creating the workload fails, its claims stay, although it was never made.",
        substitutions=_rollback(_forget_after_the_workload),
    ),
    Mutant(
        id="volumes-rollback-sweeps-under-a-workload",
        requirement="VOL-13",
        defect="The roll-back sweeps the claims although the workload could not be taken back and may live.",
        substitutions=swap(Removal, "roll_back", _sweep_in_any_case),
    ),
    Mutant(
        id="volumes-never-ready-keeps-its-claims",
        requirement="VOL-13",
        defect="A sandbox that never gets ready is taken down without its claims.",
        substitutions=swap(Removal, "give_up", _release_without_sweep),
    ),
    Mutant(
        id="volumes-preflight-refusal-leaves-claims",
        requirement="VOL-14",
        defect="A workload that the engine refuses outright counts as nothing made, and the claims are "
        "forgotten.",
        substitutions=_rollback(_forget_after_preflight),
    ),
)
