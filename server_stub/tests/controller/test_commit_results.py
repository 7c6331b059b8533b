"""What a commit has to bring: a digest for each container of the sandbox, or the pause fails (FLT-12)."""

from __future__ import annotations

import json

import pytest

from sandkit_server.core.model import SandboxState
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import merge
from sandkit_server.kubernetes.resources import JOBS, PODS, SNAPSHOTS
from sandkit_server.testing.cluster import node

from .world import CONFIG, ID, TEMPLATE, World, digest, pausing, report, running

SNAPSHOT = f"{ID}-pause-2"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "no json",
        "[]",
        json.dumps({"containers": []}),
        json.dumps({"containers": [{"containerName": "main", "imageUri": "x", "imageDigest": digest("x")}]}),
    ],
)
async def test_a_commit_without_a_digest_for_each_container_is_none(message: str) -> None:
    world = await pausing()
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=message))
    await world.play()
    world.cluster.advance(CONFIG.result_grace)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "CommitFailed")


async def test_the_digest_of_one_of_two_containers_is_not_enough() -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "a"}, {"name": "side", "image": "b"}]}}
    world = World()
    await world.run(template=template)
    await pausing(world)
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    half = json.loads(report(job_pod))
    half["containers"].pop()
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=json.dumps(half)))
    await world.play()
    world.cluster.advance(CONFIG.result_grace)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "CommitFailed")


async def test_the_word_of_the_committer_is_enough() -> None:
    world = await pausing()
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=report(job_pod)))
    await world.step(SNAPSHOTS, SNAPSHOT)
    [snapshot] = world.cluster.all(SNAPSHOTS)
    assert standing.snapshot_phase_of(snapshot) is standing.SnapshotPhase.SUCCEED
    assert not any("conditions" in job.get("status", {}) for job in world.cluster.all(JOBS))


async def test_all_containers_are_committed_or_none() -> None:
    template = {"spec": {"containers": [{"name": "main", "image": "a"}, {"name": "side", "image": "b"}]}}
    world = World()
    await world.run(template=template)
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSED
    [snapshot] = world.cluster.all(SNAPSHOTS)
    uris = [each["imageUri"] for each in snapshot["status"]["containers"]]
    repository = f"registry.test/sandboxes/{ID}"
    assert uris == [f"{repository}:{SNAPSHOT}-main", f"{repository}:{SNAPSHOT}-side"]
    world.ask(pause=False)
    await world.play()
    images = [container["image"] for container in world.pod()["spec"]["containers"]]
    assert images == [f"{repository}@{digest(uri)}" for uri in uris]


async def test_a_container_put_beside_by_admission_is_not_committed() -> None:
    world = await running()
    injected = [*TEMPLATE["spec"]["containers"], {"name": "mesh", "image": "proxy"}]
    world.cluster.act(merge(PODS, ID, {"spec": {"containers": injected}}))
    world.ask(pause=True)
    await world.play()
    [snapshot] = world.cluster.all(SNAPSHOTS)
    assert [each["containerName"] for each in snapshot["status"]["containers"]] == ["main"]
