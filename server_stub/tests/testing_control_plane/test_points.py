"""Which steps of the control protocol the product's calls are."""

from __future__ import annotations

import pytest

from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Call
from sandkit_server.kubernetes.resources import (
    ABANDONED_ANNOTATION,
    BATCH_SANDBOXES,
    CLAIMS,
    EVENTS,
    JOBS,
    PODS,
    POOLS,
    SNAPSHOTS,
    Resource,
)
from sandkit_server.testing.control_plane.harness.points import POINTS, Actor, points_of

FOREIGN = Resource(group="agents.x-k8s.io", version="v1beta1", plural="sandboxes", kind="Sandbox")
NAMED = {"metadata": {"name": "one"}}


def _status(resource: Resource, **status: str) -> Call:
    return calls.merge_status(resource, "one", status)


@pytest.mark.parametrize(
    ("actor", "call", "points"),
    [
        (Actor.SERVER, calls.get(CLAIMS, "one"), ("claim.get",)),
        (Actor.SERVER, calls.list_all(CLAIMS), ("claim.list",)),
        (Actor.SERVER, calls.strategic(CLAIMS, "one", {}), ("claim.patch",)),
        (Actor.SERVER, calls.create(BATCH_SANDBOXES, NAMED), ("workload.create",)),
        (Actor.SERVER, calls.create(FOREIGN, NAMED), ("workload.create",)),
        (Actor.SERVER, calls.delete(BATCH_SANDBOXES, "one"), ("workload.delete",)),
        (Actor.CONTROLLER, calls.delete(BATCH_SANDBOXES, "one"), ("reconcile.expire",)),
        (Actor.SERVER, calls.merge(BATCH_SANDBOXES, "one", {"spec": {"pause": True}}), ("workload.update",)),
        (
            Actor.SERVER,
            calls.merge(FOREIGN, "one", {"metadata": {"annotations": {ABANDONED_ANNOTATION: "{}"}}}),
            ("workload.delete",),
        ),
        (Actor.SERVER, calls.merge(FOREIGN, "one", {"metadata": {"annotations": {"own": "note"}}}), ()),
        (Actor.SERVER, calls.get(BATCH_SANDBOXES, "one"), ()),
        (Actor.CONTROLLER, calls.create(PODS, NAMED), ("pod.create",)),
        (Actor.CONTROLLER, calls.delete(PODS, "one"), ("pod.delete",)),
        (Actor.CONTROLLER, calls.merge(PODS, "one", {}), ("pool.claim",)),
        (Actor.CONTROLLER, calls.create(JOBS, NAMED), ("job.create",)),
        (Actor.CONTROLLER, calls.create(SNAPSHOTS, NAMED), ("snapshot.create",)),
        (Actor.CONTROLLER, _status(BATCH_SANDBOXES, phase="Pausing"), ("reconcile.pause",)),
        (Actor.CONTROLLER, _status(BATCH_SANDBOXES, phase="Resuming"), ("reconcile.resume",)),
        (Actor.CONTROLLER, _status(BATCH_SANDBOXES, phase="Succeed"), ()),
        (Actor.CONTROLLER, _status(SNAPSHOTS, phase="Committing"), ("reconcile.snapshot",)),
        (Actor.CONTROLLER, _status(POOLS), ("reconcile.pool",)),
        (Actor.CONTROLLER, calls.create(EVENTS, NAMED), ()),
        (Actor.FOREIGN, calls.create(PODS, NAMED), ("reconcile.resume", "pod.create")),
        (Actor.FOREIGN, calls.delete(PODS, "one"), ("reconcile.pause", "pod.delete")),
        (Actor.FOREIGN, calls.delete(FOREIGN, "one"), ("reconcile.expire",)),
    ],
)
def test_a_call_passes_the_points_of_what_it_does(actor: Actor, call: Call, points: tuple[str, ...]) -> None:
    assert points_of(actor, call) == points
    assert set(points) <= set(POINTS)
