"""Servers that make and sweep claims wrongly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sandkit_server.core import lifecycle, ownership, volume_rules
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import ClaimSource, Volume
from sandkit_server.core.ownership import CreateStage, Proceed, Refusal, Rollback
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import NoEffect, NotFound, PortError
from sandkit_server.core.ports import Claim, ClaimTemplate, Ports
from sandkit_server.core.removal import Removal
from sandkit_server.core.translation import translate
from sandkit_server.runtimes.memory.claim_store import MemoryClaimStore
from sandkit_server.testing.mutants.mutant import Mutant, Substitution, always, overlay, ports, swap

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
    async def own(self: ClaimKeeper, workload: Any, managed: Iterable[Claim]) -> None:
        owner = ownership.owner_reference(workload.ref)
        assert owner is not None
        for claim in ownership.claims_to_own(managed, workload.sandbox.id, owner):
            try:
                await self._store.add_owner(claim.name, claim.uid, owner)
            except PortError as error:
                raise translate(error) from error

    return own


def _rollback(choose: Callable[[CreateStage, Exception], Rollback | None]) -> tuple[Substitution, ...]:
    def make(original: Callable[[CreateStage, Exception], Rollback]) -> Callable[..., Rollback]:
        def after(stage: CreateStage, error: Exception) -> Rollback:
            return choose(stage, error) or original(stage, error)

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


def _one_mount_per_claim(original: Callable[..., Any]) -> Callable[..., Any]:
    def faults(volumes: Iterable[Volume]) -> Any:
        volumes = list(volumes)
        yield from original(volumes)
        names = [volume.claim.claim_name for volume in volumes if volume.claim is not None]
        if len(set(names)) < len(names):
            message = "A claim can be mounted once."
            yield volume_rules._fault(ErrorCode.VOLUME_CONFLICTING_FLAGS, "once", message, 1, "pvc")

    return faults


def _planned(change: Callable[..., Any]) -> tuple[Substitution, ...]:
    """Change what is known about a claim before the plan is made."""

    def make(original: Callable[..., Any]) -> Callable[..., Any]:
        def plan(
            sandbox_id: str,
            wanted: Mapping[str, ClaimSource],
            existing: Mapping[str, Claim | None],
            policy: Policy,
        ) -> Any:
            return original(sandbox_id, *change(wanted, existing), policy)

        return plan

    return swap(ownership, "plan_claims", make)


def _as_if_free(claim: Claim | None) -> Claim | None:
    return None if claim is None else replace(claim, labels={})


def _ignore_owners(wanted: Mapping[str, ClaimSource], existing: Mapping[str, Claim | None]) -> Any:
    return wanted, {name: _as_if_free(claim) for name, claim in existing.items()}


def _ignore_owners_of_required(
    wanted: Mapping[str, ClaimSource], existing: Mapping[str, Claim | None]
) -> Any:
    return wanted, {
        name: claim if wanted[name].create_if_not_exists else _as_if_free(claim)
        for name, claim in existing.items()
    }


def _create_anyway(wanted: Mapping[str, ClaimSource], existing: Mapping[str, Claim | None]) -> Any:
    return {name: replace(source, create_if_not_exists=True) for name, source in wanted.items()}, existing


def _one_after_the_other(original: Call) -> Call:
    async def plan(self: ClaimKeeper, sandbox_id: str, volumes: tuple[Volume, ...]) -> Any:
        try:
            return await original(self, sandbox_id, volumes)
        except SandkitError as error:
            if error.code is ErrorCode.VOLUME_PVC_NOT_FOUND:
                others = [one for one in volumes if one.claim is None or one.claim.create_if_not_exists]
                await self.make(sandbox_id, await original(self, sandbox_id, others))
            raise

    return plan


def _adopt_what_is_there(original: Callable[..., Any]) -> Callable[..., Any]:
    def plan(
        sandbox_id: str,
        wanted: Mapping[str, ClaimSource],
        existing: Mapping[str, Claim | None],
        policy: Policy,
    ) -> Any:
        decision = original(sandbox_id, wanted, existing, policy)
        if isinstance(decision, Refusal):
            return decision
        labels = ownership.management_labels(sandbox_id)
        adopted = [
            replace(claim, labels=labels)
            for name, claim in existing.items()
            if claim is not None and wanted[name].delete_on_sandbox_termination
        ]
        return replace(decision, ours=(*decision.ours, *adopted))

    return plan


def _after_lost_race(wrong: Callable[[Claim | PortError], bool]) -> tuple[Substitution, ...]:
    def make(original: Callable[..., Proceed | Refusal]) -> Callable[..., Proceed | Refusal]:
        def after(sandbox_id: str, name: str, reread: Claim | PortError) -> Proceed | Refusal:
            return Proceed() if wrong(reread) else original(sandbox_id, name, reread)

        return after

    return swap(ownership, "after_lost_race", make)


def _mount_blindly(original: Call) -> Call:
    async def inspect(self: ClaimKeeper, name: str) -> Claim | None:
        try:
            found: Claim | None = await original(self, name)
        except SandkitError:
            return None
        return found

    return inspect


CLAIMS = (
    Mutant(
        id="volumes-delete-takes-every-claim",
        requirement="VOL-01",
        defect="Deleting a sandbox deletes the volumes it was created with, as `docker rm -v` does, "
        "opted in or not.",
        substitutions=swap(Removal, "delete", _as_docker_rm_v),
    ),
    Mutant(
        id="volumes-adopts-a-claim-of-before",
        requirement="VOL-03",
        defect="The opt-in counts for a claim that was there before: it gets owned, and goes with the "
        "sandbox.",
        substitutions=swap(ownership, "plan_claims", _adopt_what_is_there),
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
    Mutant(
        id="volumes-conflicting-flags-accepted",
        requirement="VOL-15",
        defect="Of two mounts of one claim the first decides, whatever the second says.",
        substitutions=swap(volume_rules, "_flag_faults", always(())),
    ),
    Mutant(
        id="volumes-one-mount-per-claim",
        requirement="VOL-15",
        defect="Every second mount of a claim is refused, also when the flags agree.",
        substitutions=swap(volume_rules, "_flag_faults", _one_mount_per_claim),
    ),
    Mutant(
        id="volumes-claim-of-another-mounted",
        requirement="VOL-16",
        defect="A claim that exists is mounted; whose it is is not looked at.",
        substitutions=_planned(_ignore_owners),
    ),
    Mutant(
        id="volumes-required-claim-of-another-mounted",
        requirement="VOL-16",
        defect="Who owns a claim is looked at only where this create might make it.",
        substitutions=_planned(_ignore_owners_of_required),
    ),
    Mutant(
        id="volumes-lost-race-goes-on",
        requirement="VOL-17",
        defect="AlreadyExists counts as made, without a look at who made it.",
        substitutions=_after_lost_race(lambda reread: isinstance(reread, Claim)),
    ),
    Mutant(
        id="volumes-lost-race-unread-goes-on",
        requirement="VOL-18",
        defect="A claim that somebody else made and that cannot be read again is mounted blindly.",
        substitutions=_after_lost_race(lambda reread: isinstance(reread, PortError)),
    ),
    Mutant(
        id="volumes-missing-claim-is-made-anyway",
        requirement="VOL-19",
        defect="createIfNotExists false is read as absent, so the missing claim is made.",
        substitutions=_planned(_create_anyway),
    ),
    Mutant(
        id="volumes-made-before-the-missing-one-is-noticed",
        requirement="VOL-26",
        defect="Claims are looked at and made one after the other, until one that must be there is not.",
        substitutions=swap(ClaimKeeper, "plan", _one_after_the_other),
    ),
    Mutant(
        id="volumes-unreadable-claims-mounted-blindly",
        requirement="VOL-20",
        defect="Without permission to read claims every claim counts as missing, and the create goes on.",
        substitutions=swap(ClaimKeeper, "_inspect", _mount_blindly),
    ),
)
