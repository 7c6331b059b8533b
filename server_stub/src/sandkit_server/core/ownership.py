"""Who owns a claim, and what follows from it: pure decisions, executed by the service on every runtime.

A claim is *managed* when this server made it with ``deleteOnSandboxTermination``; it then carries both
labels of :func:`management_labels` from birth. Everything destructive asks for both labels. A claim that
was there before, or was made without the opt-in, is never labelled, never re-owned and never deleted
(VOL-01 to VOL-05).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import ClaimSource, Volume
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NoEffect,
    NotFound,
    PortError,
    Unavailable,
)
from sandkit_server.core.ports import Claim, ClaimTemplate, ObjectRef, OwnerReference

MANAGED_BY_LABEL = "opensandbox.io/volume-managed-by"
MANAGED_BY = "server"
ID_LABEL = "opensandbox.io/id"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The create must be refused. ``retry_after`` is in seconds and set when trying again can help."""

    code: ErrorCode
    message: str
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Proceed:
    """The create may go on; ``warning`` is for the operator's log."""

    warning: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimPlan:
    """What a create does about its claims.

    Attributes:
        create: Claims to make, in the order of the request; all others of the request are there already.
        ours: Managed claims that an earlier attempt of the same create left.
    """

    create: tuple[ClaimTemplate, ...]
    ours: tuple[Claim, ...] = ()


class CreateStage(Enum):
    """How far a create had come when it failed."""

    CLAIMS = "claims"
    WORKLOAD = "workload"
    READY = "ready"


class Rollback(Enum):
    """What has to be taken back after a create failed."""

    SWEEP = "sweep"
    DELETE_THEN_SWEEP = "delete, then sweep"
    NOTHING = "nothing"


def management_labels(sandbox_id: str) -> dict[str, str]:
    """The two labels a managed claim carries; a sweep selects by both."""
    return {MANAGED_BY_LABEL: MANAGED_BY, ID_LABEL: sandbox_id}


def managed_claims_selector() -> dict[str, str]:
    """Selects the managed claims of all sandboxes."""
    return {MANAGED_BY_LABEL: MANAGED_BY}


def manager_of(claim: Claim) -> str | None:
    """The sandbox that manages ``claim``, or ``None``; one label of the two manages nothing."""
    if claim.labels.get(MANAGED_BY_LABEL) != MANAGED_BY:
        return None
    return claim.labels.get(ID_LABEL)


def requested_claims(volumes: Iterable[Volume]) -> dict[str, ClaimSource]:
    """The distinct claims of a request by name, in its order; the first mention of a claim counts."""
    wanted: dict[str, ClaimSource] = {}
    for volume in volumes:
        if volume.claim is not None:
            wanted.setdefault(volume.claim.claim_name, volume.claim)
    return wanted


def plan_claims(
    sandbox_id: str,
    wanted: Mapping[str, ClaimSource],
    existing: Mapping[str, Claim | None],
    policy: Policy,
) -> ClaimPlan | Refusal:
    """What to make for ``wanted`` given what is there; one refusal refuses all (VOL-16, VOL-19)."""
    for claim in existing.values():
        if claim is None:
            continue
        if refusal := _refuse_existing(sandbox_id, claim) or _refuse_outlived(sandbox_id, claim):
            return refusal
    create: list[ClaimTemplate] = []
    for name, source in wanted.items():
        if existing.get(name) is not None:
            continue
        if not source.create_if_not_exists:
            message = f"Claim {name} does not exist and createIfNotExists is false."
            return Refusal(ErrorCode.VOLUME_PVC_NOT_FOUND, message)
        create.append(_template(sandbox_id, source, policy))
    there = [claim for claim in existing.values() if claim is not None]
    return ClaimPlan(tuple(create), tuple(sweepable(there, sandbox_id)))


def after_read_error(name: str, error: PortError) -> Refusal:
    """Ownership that cannot be checked is refused, never guessed (VOL-20)."""
    retry_after = error.retry_after if isinstance(error, Unavailable) else 1.0
    message = f"The owner of claim {name} could not be established: {error.message}."
    if isinstance(error, Forbidden):
        message += f" The operator must grant {error.verb} on {error.resource}."
    return Refusal(ErrorCode.VOLUME_PVC_INSPECT_FAILED, message, retry_after)


def after_create_error(name: str, error: PortError) -> Proceed | Refusal:
    """What a failed creation means for the sandbox; AlreadyExists is decided by re-reading."""
    if isinstance(error, Forbidden):
        warning = f"claim {name} could not be created: {error.message}; the cluster may hold it already"
        return Proceed(warning)
    if isinstance(error, Invalid):
        message = f"Claim {name} was refused: {error.message}."
        return Refusal(ErrorCode.VOLUME_INVALID_STORAGE, message)
    if isinstance(error, Exhausted):
        return Refusal(ErrorCode.SANDBOX_QUOTA_EXCEEDED, f"Claim {name}: {error.message}.")
    retry_after = error.retry_after if isinstance(error, Unavailable) else 1.0
    return Refusal(
        ErrorCode.REQUEST_UNAVAILABLE, f"Claim {name} could not be created: {error.message}.", retry_after
    )


def after_lost_race(sandbox_id: str, name: str, reread: Claim | PortError) -> Proceed | Refusal:
    """Somebody was faster: go on when the claim is free or ours, never take it (VOL-17, VOL-18)."""
    if isinstance(reread, NotFound):
        message = f"Claim {name} was made by somebody else and has vanished again; retry."
        return Refusal(ErrorCode.VOLUME_PVC_INSPECT_FAILED, message, 1.0)
    if isinstance(reread, PortError):
        return after_read_error(name, reread)
    return _refuse_existing(sandbox_id, reread) or Proceed()


def after_lost_claims(names: Iterable[str]) -> Refusal:
    """Claims that went while their sandbox was being made: another server took back the same create."""
    message = f"Claim {', '.join(names)} was deleted while the sandbox was being made; retry."
    return Refusal(ErrorCode.VOLUME_PVC_INSPECT_FAILED, message, 1.0)


def rollback_after(stage: CreateStage, error: Exception, *, keyed: bool) -> Rollback:
    """What to take back: a workload that may live goes first, a taken name is another's (VOL-13).

    With a key, a workload that was looked for and not found may be one that another server is about to make.
    """
    if stage is CreateStage.CLAIMS:
        return Rollback.SWEEP
    if stage is CreateStage.WORKLOAD and isinstance(error, AlreadyExists):
        return Rollback.NOTHING
    if stage is CreateStage.WORKLOAD and (keyed or isinstance(error, NoEffect)):
        return Rollback.SWEEP
    return Rollback.DELETE_THEN_SWEEP


def may_sweep(delete_error: Exception | None) -> bool:
    """Claims may go only when the workload is gone: deleted now, or not found (VOL-09, VOL-10)."""
    return delete_error is None or isinstance(delete_error, NotFound)


def sweepable(claims: Iterable[Claim], sandbox_id: str) -> list[Claim]:
    """Those made for this sandbox: both labels must match, whatever the engine listed (VOL-05)."""
    return [claim for claim in claims if manager_of(claim) == sandbox_id]


def owner_reference(workload: ObjectRef) -> OwnerReference | None:
    """The edge from a managed claim to its workload; ``None`` when the provider told too little."""
    if not (workload.api_version and workload.kind and workload.name and workload.uid):
        return None
    return OwnerReference(
        api_version=workload.api_version,
        kind=workload.kind,
        name=workload.name,
        uid=workload.uid,
        controller=False,
        block_owner_deletion=False,
    )


def claims_to_own(claims: Iterable[Claim], sandbox_id: str, owner: OwnerReference) -> list[Claim]:
    """The managed claims of a sandbox that do not have the edge to its workload yet."""
    return [
        claim
        for claim in sweepable(claims, sandbox_id)
        if not claim.terminating and all(edge.uid != owner.uid for edge in claim.owners)
    ]


def orphaned(
    claims: Sequence[Claim], living: Collection[str], under_way: Collection[str], born_before: datetime
) -> list[Claim]:
    """Managed claims of no workload, no create under way here, old enough (VOL-24, VOL-25).

    ``claims`` must have been listed before ``living``, or a workload made in between would look absent.
    """
    return [
        claim
        for claim in claims
        if (manager := manager_of(claim)) is not None
        and manager not in living
        and manager not in under_way
        and not claim.terminating
        and claim.created_at <= born_before
    ]


def oldest_possible_create(now: datetime, policy: Policy, *, starting: bool) -> datetime:
    """Claims born after this instant may belong to a create still under way elsewhere."""
    if starting and policy.exclusive:
        return now
    return now - timedelta(seconds=policy.reconcile_grace)


def _refuse_existing(sandbox_id: str, claim: Claim) -> Refusal | None:
    manager = manager_of(claim)
    if manager is not None and manager != sandbox_id:
        message = f"Claim {claim.name} belongs to another sandbox, whose deletion would remove it."
        return Refusal(ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER, message)
    if claim.terminating:
        message = f"Claim {claim.name} is being deleted; retry when it is gone."
        return Refusal(ErrorCode.VOLUME_PVC_INSPECT_FAILED, message, 1.0)
    return None


def _refuse_outlived(sandbox_id: str, claim: Claim) -> Refusal | None:
    """A claim with an owner belongs to an earlier sandbox of the same id, and is collected with it.

    Only a workload becomes an owner, and while that exists a repeated create ends before it looks at claims.
    """
    if manager_of(claim) != sandbox_id or not claim.owners:
        return None
    message = f"Claim {claim.name} goes with an earlier sandbox of this id; retry when it is gone."
    return Refusal(ErrorCode.VOLUME_PVC_INSPECT_FAILED, message, 1.0)


def _template(sandbox_id: str, source: ClaimSource, policy: Policy) -> ClaimTemplate:
    return ClaimTemplate(
        name=source.claim_name,
        labels=management_labels(sandbox_id) if source.delete_on_sandbox_termination else {},
        storage=source.storage or policy.claim_storage,
        storage_class=source.storage_class or policy.claim_storage_class,
        access_modes=source.access_modes or policy.claim_access_modes,
    )
