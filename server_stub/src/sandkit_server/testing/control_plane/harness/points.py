"""Which step a call is: the points of the control protocol, on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from sandkit_server.kubernetes.calls import Call, Verb
from sandkit_server.kubernetes.resources import (
    ABANDONED_ANNOTATION,
    BATCH_SANDBOXES,
    CLAIMS,
    JOBS,
    PODS,
    POOLS,
    SECRETS,
    SNAPSHOTS,
    Resource,
)

# Steps that are calls of the product, then those of the node; `workload.get` and `workload.list` are looks of
# the server into its cache.
POINTS: Final = (
    *(f"claim.{verb}" for verb in ("get", "list", "create", "patch", "delete")),
    *(f"workload.{verb}" for verb in ("create", "get", "list", "delete", "update")),
    *(f"pod.{verb}" for verb in ("create", "delete")),
    *(f"snapshot.{verb}" for verb in ("create", "delete")),
    *(f"job.{verb}" for verb in ("create", "delete")),
    "secret.get",
    "pool.claim",
    *(f"reconcile.{what}" for what in ("pause", "resume", "expire", "snapshot", "pool")),
    *("workload.ready", "image.pull", "snapshot.commit", "snapshot.push", "reconcile.stop"),
)
_NOUNS: Final[Mapping[Resource, str]] = {
    CLAIMS: "claim",
    PODS: "pod",
    SNAPSHOTS: "snapshot",
    JOBS: "job",
    SECRETS: "secret",
}
_STATUS: Final[Mapping[Resource, str]] = {SNAPSHOTS: "reconcile.snapshot", POOLS: "reconcile.pool"}
_FOREIGN: Final = {"pod.delete": "reconcile.pause", "pod.create": "reconcile.resume"}
_PHASES: Final = {"Pausing": "reconcile.pause", "Resuming": "reconcile.resume"}


class Actor(StrEnum):
    """Which process sends a call."""

    SERVER = "server"
    CONTROLLER = "controller"
    # Whoever works the objects of a kind that is not ours.
    FOREIGN = "foreign"


def points_of(actor: Actor, call: Call) -> tuple[str, ...]:
    """The points a call passes, from the outermost; none for one that is no step of its own."""
    point = _point_of(actor, call)
    if actor is Actor.FOREIGN and point in _FOREIGN:
        # Its controller notes nothing before it acts, so the first act is where a change begins.
        return _FOREIGN[point], point
    return () if point is None else (point,)


def _point_of(actor: Actor, call: Call) -> str | None:
    if call.subresource == "status":
        return _status_point(call)
    if call.resource == BATCH_SANDBOXES or call.resource.plural == "sandboxes":
        return _workload_point(actor, call)
    if call.resource == PODS and call.verb is Verb.PATCH:
        return "pool.claim"
    point = f"{_NOUNS.get(call.resource)}.{call.verb}"
    return point if point in POINTS else None


def _workload_point(actor: Actor, call: Call) -> str | None:
    if call.verb is Verb.CREATE:
        return "workload.create"
    if call.verb is Verb.DELETE:
        return "workload.delete" if actor is Actor.SERVER else "reconcile.expire"
    if call.verb is not Verb.PATCH or actor is not Actor.SERVER:
        return None
    body: Mapping[str, Any] = call.body or {}
    metadata = body.get("metadata") or {}
    if ABANDONED_ANNOTATION in (metadata.get("annotations") or {}):
        return "workload.delete"
    # Notes the server makes for itself change nothing that anybody asked for.
    return "workload.update" if "spec" in body or "labels" in metadata else None


def _status_point(call: Call) -> str | None:
    status = (call.body or {}).get("status") or {}
    if call.resource == BATCH_SANDBOXES:
        return _PHASES.get(str(status.get("phase")))
    return _STATUS.get(call.resource)
