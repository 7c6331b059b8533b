"""Servers that take requests for claims wrongly: conflicting, taken, missing, raced for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sandkit_server.core import ownership, volume_rules
from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import ClaimSource, Volume
from sandkit_server.core.ownership import Proceed, Refusal
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import Claim
from sandkit_server.testing.mutants.mutant import Mutant, Substitution, always, swap

Call = Callable[..., Awaitable[Any]]


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
        return lambda sandbox, wanted, existing, policy: original(sandbox, *change(wanted, existing), policy)

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


CLAIM_REQUESTS = (
    Mutant(
        id="volumes-adopts-a-claim-of-before",
        requirement="VOL-03",
        defect="The opt-in counts for a claim that was there before: it gets owned, and goes with the "
        "sandbox.",
        substitutions=swap(ownership, "plan_claims", _adopt_what_is_there),
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
