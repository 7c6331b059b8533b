"""What sets the kinds apart: status subresources, generations, graceful deletion, answers to a delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    CLAIMS,
    JOBS,
    PODS,
    POOLS,
    SNAPSHOTS,
    Resource,
)

CLAIM_PROTECTION: Final = "kubernetes.io/pvc-protection"
# A pod's own default (spec.terminationGracePeriodSeconds), in seconds.
GRACE_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How the API server stores objects of one resource.

    Attributes:
        status: It has a status subresource, so that status and the rest are written apart.
        generation: It counts changes of what is neither metadata nor status.
        strategic: It is built in, so that it understands strategic merge patches.
        returns_deleted: A delete that takes effect at once answers with the object, not with a ``Status``.
    """

    status: bool = False
    generation: bool = False
    strategic: bool = True
    returns_deleted: bool = False


_PLAIN: Final = Kind()
_CUSTOM: Final = Kind(status=True, generation=True, strategic=False)
_KINDS: Final[Mapping[str, Kind]] = {
    BATCH_SANDBOXES.full_name: _CUSTOM,
    SNAPSHOTS.full_name: _CUSTOM,
    POOLS.full_name: _CUSTOM,
    PODS.full_name: Kind(status=True, generation=True, returns_deleted=True),
    CLAIMS.full_name: Kind(status=True, returns_deleted=True),
    JOBS.full_name: Kind(status=True, generation=True),
}


def kind_of(resource: Resource) -> Kind:
    """How objects of ``resource`` are stored; a group with a dot and no ``.k8s.io`` end is a custom one."""
    known = _KINDS.get(resource.full_name)
    if known is not None:
        return known
    return _CUSTOM if resource.group == "agents.x-k8s.io" else _PLAIN


def defaults(resource: Resource, body: Mapping[str, Any]) -> dict[str, Any]:
    """``body`` with what the API server fills in at a create."""
    filled = dict(body)
    if resource == BATCH_SANDBOXES:
        filled["spec"] = {"replicas": 1, **body.get("spec", {})}
    elif resource == PODS:
        spec = {"restartPolicy": "Always", "terminationGracePeriodSeconds": GRACE_SECONDS}
        filled["spec"] = {**spec, **body.get("spec", {})}
        filled["status"] = {"phase": "Pending"}
    elif resource == CLAIMS:
        finalizers = [*body["metadata"].get("finalizers", ()), CLAIM_PROTECTION]
        filled["metadata"] = {**body["metadata"], "finalizers": finalizers}
        filled["status"] = {"phase": "Pending"}
    return filled
