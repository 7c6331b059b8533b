"""Snapshots of users: taken of a running sandbox, which goes on, and kept when it is gone."""

from __future__ import annotations

import pytest

from sandkit_server.core.model import SandboxState, SnapshotState
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Propagation, create, delete, merge_status
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, JOBS, PODS, SNAPSHOTS
from sandkit_server.testing.cluster import node

from .world import CONFIG, ID, World, arguments, changed, running, writes


def take(world: World, name: str = "snap-1", source: str = ID) -> None:
    metadata = {
        "name": name,
        "labels": {"sandbox.opensandbox.io/purpose": "user"},
    }
    world.cluster.act(create(SNAPSHOTS, {"metadata": metadata, "spec": {"sandboxName": source}}))


def told(world: World, name: str = "snap-1") -> tuple[SnapshotState, str | None]:
    found = world.cluster.find(SNAPSHOTS, name)
    assert found is not None
    status = standing.snapshot_state_of(found)
    return status.state, status.reason


async def test_a_snapshot_is_taken_and_the_source_runs_on() -> None:
    world = await running()
    uid = world.pod()["metadata"]["uid"]
    world.cluster.sent.clear()
    take(world)
    await world.play()
    assert told(world) == (SnapshotState.READY, None)
    assert (world.state(), world.pod()["metadata"]["uid"]) == (SandboxState.RUNNING, uid)
    assert writes(world.cluster) == [
        "get secrets",
        "patch sandboxsnapshots/status",
        "create jobs",
        "patch sandboxsnapshots/status",
        "delete jobs",
    ]
    assert world.names(JOBS) == []
    world.cluster.sent.clear()
    await world.play()
    assert world.cluster.sent == []


async def test_it_outlives_its_source() -> None:
    world = await running()
    take(world)
    await world.play()
    world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    await world.play()
    assert world.census() == {"sandboxsnapshots": ["snap-1"]}
    assert told(world) == (SnapshotState.READY, None)


@pytest.mark.parametrize("happens", ["never", "deleted", "paused"])
async def test_without_a_running_source_it_fails(happens: str) -> None:
    world = World()
    if happens != "never":
        await world.run()
    if happens == "deleted":
        world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    if happens == "paused":
        world.ask(pause=True)
        await world.play()
    take(world)
    await world.play()
    assert told(world) == (SnapshotState.FAILED, "SourceGone")


async def test_a_source_deleted_during_the_commit_fails_it_and_leaves_nothing() -> None:
    world = await running()
    take(world)
    await world.reconcile()
    world.cluster.play()
    world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    world.cluster.settle()
    world.cluster.advance(CONFIG.commit_deadline)
    world.commits = False
    await world.play()
    assert told(world)[0] is SnapshotState.FAILED
    assert world.census() == {"sandboxsnapshots": ["snap-1"]}


async def test_a_failed_one_is_kept_with_its_reason_and_its_source_is_released() -> None:
    world = await running()
    world.fail_commits("PushFailed", "denied")
    take(world)
    await world.play()
    assert told(world) == (SnapshotState.FAILED, "PushFailed")
    assert "snap-1-release" in [call.name for call in world.cluster.sent]
    assert world.state() is SandboxState.RUNNING
    assert world.names(JOBS) == []


async def test_one_commit_at_a_time_for_each_sandbox() -> None:
    world = await running()
    take(world, "snap-1")
    take(world, "snap-2")
    await world.reconcile()
    assert world.names(JOBS) == ["snap-1-commit"]
    await world.play()
    assert told(world, "snap-1") == told(world, "snap-2") == (SnapshotState.READY, None)


async def test_a_pause_waits_for_a_snapshot_under_way() -> None:
    world = await running()
    take(world)
    await world.reconcile()
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSED
    assert told(world) == (SnapshotState.READY, None)


async def test_the_job_has_what_it_needs_and_nothing_else() -> None:
    world = await running(config=changed(insecure_registries=frozenset({"registry.test"})))
    take(world)
    await world.reconcile()
    [job] = world.cluster.all(JOBS)
    spec, pod = job["spec"], job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert (spec["activeDeadlineSeconds"], spec["backoffLimit"], spec["ttlSecondsAfterFinished"]) == (
        600,
        0,
        3600,
    )
    assert (pod["nodeName"], pod["restartPolicy"], pod["automountServiceAccountToken"]) == (
        "node-1",
        "Never",
        False,
    )
    assert "hostNetwork" not in pod
    assert "hostPID" not in pod
    assert "command" not in container, "the image's own entrypoint; no shell"
    security = container["securityContext"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (True, False)
    identity = world.pod()["status"]["containerStatuses"][0]["containerID"].removeprefix("containerd://")
    assert arguments(job) == [
        "commit",
        "--socket=/run/containerd.sock",
        "--containerd-namespace=k8s.io",
        f"--container=main={identity}",
        f"--image=main=registry.test/sandboxes/{ID}:snap-1",
        "--push-config=/run/secrets/push/config.json",
        "--insecure-registry=registry.test",
    ]
    secrets = [each for each in pod["volumes"] if "secret" in each]
    assert [each["secret"]["secretName"] for each in secrets] == ["push"]
    assert [each["hostPath"]["path"] for each in pod["volumes"] if "hostPath" in each] == [
        "/run/containerd/containerd.sock"
    ]


async def test_the_release_job_holds_no_credentials() -> None:
    world = await running()
    world.fail_commits()
    take(world)
    await world.play()
    [release] = [call for call in world.cluster.sent if call.name == "snap-1-release" and call.body]
    assert release.body is not None
    pod = release.body["spec"]["template"]["spec"]
    assert not [each for each in pod["volumes"] if "secret" in each]
    assert all("push" not in each for each in pod["containers"][0]["args"])


@pytest.mark.parametrize(
    "identity",
    ["", "containerd://", "docker:///x", "containerd://a b", "containerd://$(reboot)", "containerd://-x"],
)
async def test_an_id_that_is_none_never_reaches_the_committer(identity: str) -> None:
    world = await running()
    status = world.pod()["status"]
    statuses = [{**status["containerStatuses"][0], "containerID": identity}]
    world.cluster.act(merge_status(PODS, ID, {"containerStatuses": statuses}))
    take(world)
    await world.play()
    assert told(world) == (SnapshotState.FAILED, "PodNotResolved")
    assert "create jobs" not in writes(world.cluster)


async def test_an_error_report_shows_no_credentials() -> None:
    world = await running()
    world.fail_commits("PushFailed", "Put https://robot:s3cret@registry.test/v2/: 403")
    take(world)
    await world.play()
    assert "s3cret" not in str(world.cluster.find(SNAPSHOTS, "snap-1"))
    assert all("s3cret" not in note.message for note in world.notes)


async def test_a_pod_that_was_evicted_has_no_source_to_release() -> None:
    world = await running()
    take(world)
    await world.reconcile()
    world.cluster.play()
    world.cluster.act(node.evict(world.pod()))
    world.commits = False
    world.cluster.advance(CONFIG.commit_deadline)
    await world.play()
    assert told(world) == (SnapshotState.FAILED, "CommitDeadline")
    assert "snap-1-release" not in [call.name for call in world.cluster.sent]


async def test_a_later_pod_of_the_same_name_is_not_the_source_to_release() -> None:
    world = await running()
    take(world)
    await world.reconcile()
    world.cluster.act(merge_status(SNAPSHOTS, "snap-1", {"sourcePodUid": "of-an-earlier-pod"}))
    world.fail_commits()
    await world.play()
    assert told(world) == (SnapshotState.FAILED, "PushFailed")
    assert "snap-1-release" not in [call.name for call in world.cluster.sent]
