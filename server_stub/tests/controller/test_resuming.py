"""Resuming: from the images of the pause by digest, or back to Paused with the cause (RES-*)."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.controller.manifests.snapshots import pause_snapshot
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Exhausted, Invalid
from sandkit_server.kubernetes.calls import Verb, create, delete, merge
from sandkit_server.kubernetes.resources import PODS, SNAPSHOTS
from sandkit_server.testing.cluster import node

from .world import CONFIG, ID, World, digest

SNAPSHOT = f"{ID}-pause-2"
IMAGE = f"registry.test/sandboxes/{ID}"


async def paused(**fields: Any) -> World:
    world = World(**fields)
    await world.run()
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSED
    return world


async def resuming() -> World:
    """A world whose sandbox is Resuming, with a pod on a node that has not started."""
    world = await paused()
    world.ask(pause=False)
    await world.reconcile()
    world.cluster.act(node.bind(world.pod()))
    return world


async def test_the_pod_runs_the_committed_image_by_digest_with_the_pull_secret() -> None:
    world = await resuming()
    spec = world.pod()["spec"]
    assert [each["image"] for each in spec["containers"]] == [f"{IMAGE}@{digest(f'{IMAGE}:{SNAPSHOT}')}"]
    assert spec["imagePullSecrets"] == [{"name": "pull"}]
    assert world.sandbox()["spec"]["template"]["spec"]["containers"][0]["image"] == "python:3.12"


async def test_each_resume_is_from_the_newest_pause() -> None:
    world = await paused()
    name = SNAPSHOT
    for _ in range(3):
        world.ask(pause=False)
        await world.play()
        assert world.state() is SandboxState.RUNNING
        assert world.names(SNAPSHOTS) == []
        world.ask(pause=True)
        await world.play()
        [snapshot] = world.cluster.all(SNAPSHOTS)
        name = snapshot["metadata"]["name"]
        assert world.sandbox()["status"]["pauseSnapshotName"] == name
    world.ask(pause=False)
    await world.reconcile()
    assert world.pod()["spec"]["containers"][0]["image"] == f"{IMAGE}@{digest(f'{IMAGE}:{name}')}"


async def test_an_image_that_cannot_be_pulled_leads_back_to_paused_and_keeps_the_snapshot() -> None:
    world = await resuming()
    world.cluster.act(node.hold(world.pod(), "ImagePullBackOff", "gone"))
    world.cluster.advance(CONFIG.pull_patience)
    await world.reconcile()
    assert world.state() is SandboxState.RESUMING, "not before the pod is gone"
    world.cluster.settle()
    await world.reconcile()
    world.cluster.settle()
    await world.reconcile()
    told = world.status()
    assert (told.state, told.reason) == (SandboxState.PAUSED, "ImagePullFailed")
    assert world.census() == {"batchsandboxes": ["sbx-1"], "sandboxsnapshots": [SNAPSHOT]}

    world.ask(pause=False)
    assert (world.state(), world.status().reason) == (SandboxState.RESUMING, None)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, None)


async def test_without_the_snapshot_object_it_fails_visibly() -> None:
    world = await paused()
    world.cluster.act(delete(SNAPSHOTS, SNAPSHOT))
    await world.play()
    assert world.state() is SandboxState.PAUSED
    world.ask(pause=False)
    await world.play()
    told = world.status()
    assert (told.state, told.reason) == (SandboxState.PAUSED, "SnapshotMissing")
    assert SNAPSHOT in (told.message or "")
    assert world.names(PODS) == []


async def test_what_never_gets_ready_is_given_up() -> None:
    world = await resuming()
    world.cluster.act(node.run(world.pod(), world.cluster.state.now, ready=False))
    [outcome] = [each for key, each in (await world.reconcile()).items() if key[0] == "BatchSandbox"]
    assert outcome.again_after is not None
    world.cluster.advance(outcome.again_after)
    for _ in range(3):
        await world.reconcile()
        world.cluster.settle()
    assert (world.state(), world.status().reason) == (SandboxState.PAUSED, "ReadyTimeout")
    assert world.names(PODS) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [(Invalid("no"), "PodRefused"), (Exhausted("quota", "exceeded quota"), "QuotaExceeded")],
)
async def test_a_refused_pod(error: Any, reason: str) -> None:
    world = await paused()
    world.cluster.refuse(Verb.CREATE, PODS, lambda: error, left=None)
    world.ask(pause=False)
    await world.play()
    if isinstance(error, Exhausted):
        assert world.state() is SandboxState.RESUMING, "a quota may have room again"
        world.cluster.advance(CONFIG.resume_deadline)
        await world.play()
    assert world.state() is SandboxState.PAUSED
    assert world.status().reason in (reason, "ReadyTimeout")


async def test_an_entrypoint_that_ends_during_the_resume() -> None:
    world = await resuming()
    world.cluster.act(node.end(world.pod(), world.cluster.state.now, code=1))
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.PAUSED, "EntrypointExited")
    assert world.names(PODS) == []


async def test_a_pod_left_by_an_earlier_attempt_is_never_taken_for_this_one() -> None:
    world = await paused()
    old = {
        "name": ID,
        "labels": {"opensandbox.io/id": ID, "app.kubernetes.io/managed-by": "sandkit-controller"},
        "annotations": {"sandbox.opensandbox.io/attempt": "1"},
        "ownerReferences": [
            {
                "apiVersion": "sandbox.opensandbox.io/v1alpha1",
                "kind": "BatchSandbox",
                "name": ID,
                "uid": world.sandbox()["metadata"]["uid"],
                "controller": True,
            }
        ],
    }
    stale = {"metadata": old, "spec": {"containers": [{"name": "main", "image": "stale"}]}}
    world.ask(pause=False)
    world.cluster.act(create(PODS, stale))
    world.cluster.play()
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.pod()["spec"]["containers"][0]["image"].startswith(IMAGE)


async def test_a_pod_that_appears_beside_a_paused_sandbox_is_removed() -> None:
    world = await paused()
    owner = {
        "kind": "BatchSandbox",
        "name": ID,
        "uid": world.sandbox()["metadata"]["uid"],
        "controller": True,
    }
    labels = {"opensandbox.io/id": ID, "app.kubernetes.io/managed-by": "sandkit-controller"}
    body = {
        "metadata": {"name": ID, "labels": labels, "ownerReferences": [owner]},
        "spec": {"containers": [{"name": "main", "image": "stale"}]},
    }
    world.cluster.act(create(PODS, body))
    await world.play()
    assert world.names(PODS) == []
    assert world.state() is SandboxState.PAUSED


async def test_the_expiry_and_renewal_of_a_paused_sandbox() -> None:
    world = await paused()
    world.edit(expireTime="2026-01-01T05:00:00Z")
    await world.play()
    assert world.state() is SandboxState.PAUSED
    world.ask(pause=False)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.sandbox()["spec"]["expireTime"] == "2026-01-01T05:00:00Z"


async def test_an_older_snapshot_left_behind_is_removed_and_the_kept_one_is_not() -> None:
    world = await paused()
    [kept] = world.cluster.all(SNAPSHOTS)
    older = {
        "metadata": {
            **{key: kept["metadata"][key] for key in ("labels", "ownerReferences")},
            "name": f"{ID}-pause-1",
            "annotations": {"sandbox.opensandbox.io/attempt": "1"},
        },
        "spec": kept["spec"],
    }
    world.cluster.act(create(SNAPSHOTS, older))
    world.cluster.act(merge(SNAPSHOTS, kept["metadata"]["name"], {"metadata": {"labels": {"x": "y"}}}))
    await world.play()
    assert world.names(SNAPSHOTS) == [SNAPSHOT]


async def test_an_incomplete_snapshot_is_no_snapshot() -> None:
    world = await paused()
    containers = [{"name": "main", "image": "a"}, {"name": "new", "image": "b"}]
    world.edit(template={"spec": {"containers": containers}})
    world.ask(pause=False)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.PAUSED, "SnapshotIncomplete")


async def test_a_snapshot_of_a_later_attempt_than_the_pause_seen_is_left_alone() -> None:
    world = await paused()
    world.cluster.act(create(SNAPSHOTS, pause_snapshot(world.sandbox(), 9)))
    await world.play()
    assert world.names(SNAPSHOTS) == [SNAPSHOT, f"{ID}-pause-9"]
