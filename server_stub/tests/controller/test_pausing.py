"""Pausing: snapshot, then release; whatever fails, the sandbox runs on and the cause shows (FLT-*)."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Forbidden, Invalid, Unavailable
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Verb, create, delete, merge_status
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, JOBS, PODS, SECRETS, SNAPSHOTS
from sandkit_server.testing.cluster import node
from sandkit_server.testing.cluster.fake import CONTROL_PLANE, WILLING

from .world import (
    CONFIG,
    ID,
    arguments,
    changed,
    condition,
    pausing,
    report,
    running,
    writes,
)

CONTROL = (*CONTROL_PLANE, node.terminate, *WILLING)
SNAPSHOT = f"{ID}-pause-2"


async def test_pause_and_resume_cost_few_calls_and_leave_nothing() -> None:
    world = await running()
    uid = world.pod()["metadata"]["uid"]
    world.cluster.sent.clear()
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSED
    assert world.census() == {"batchsandboxes": [ID], "sandboxsnapshots": [SNAPSHOT]}
    assert sorted(writes(world.cluster)) == sorted(
        [
            "patch batchsandboxes/status",  # Pausing
            "create sandboxsnapshots",
            "get secrets",
            "patch sandboxsnapshots/status",  # Committing
            "create jobs",
            "patch sandboxsnapshots/status",  # Succeed
            "delete pods",
            "delete jobs",
            "patch batchsandboxes/status",  # Paused
        ]
    )

    world.cluster.sent.clear()
    world.ask(pause=False)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.census() == {"batchsandboxes": [ID], "pods": [ID]}
    assert world.pod()["metadata"]["uid"] != uid
    assert writes(world.cluster) == [
        "patch batchsandboxes/status",  # Resuming
        "create pods",
        "patch batchsandboxes/status",  # Succeed
        "delete sandboxsnapshots",
    ]


async def test_the_pod_is_there_until_every_image_is_pushed() -> None:
    world = await pausing()
    [snapshot] = world.cluster.all(SNAPSHOTS)
    assert snapshot["status"]["phase"] == "Committing"
    assert world.names(PODS) == [ID, f"{SNAPSHOT}-commit-0"]
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=report(job_pod)))
    world.cluster.collect()
    assert ID in world.names(PODS)
    await world.play()
    assert world.state() is SandboxState.PAUSED


async def test_the_state_is_pausing_from_the_intent_on_and_dates_from_then() -> None:
    world = await running()
    asked = world.ask(pause=True)
    told = world.status()
    assert told.state is SandboxState.PAUSING
    world.cluster.advance(5)
    await world.reconcile()
    assert world.sandbox()["status"]["phase"] == "Pausing"
    assert world.status() == told, "acting on the intent is no transition"
    await world.play()
    assert world.status().last_transition_at > told.last_transition_at
    assert asked["metadata"]["generation"] == world.sandbox()["status"]["pauseObservedGeneration"]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (changed(registry=None), "RegistryNotConfigured"),
        (changed(push_secret=None), "PushSecretMissing"),
        (changed(committer_image=None), "CommitterNotConfigured"),
        (changed(registry="Bad Registry;rm -rf/x"), "InvalidName"),
    ],
)
async def test_without_what_a_pause_needs_it_fails_before_anything_is_made(config: Any, reason: str) -> None:
    world = await running(config=config)
    world.cluster.sent.clear()
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, reason)
    assert writes(world.cluster) == ["patch batchsandboxes/status"] * 2
    assert standing.failed_intent(world.sandbox())


@pytest.mark.parametrize(
    ("body", "reason"),
    [(None, "PushSecretMissing"), ({"metadata": {"name": "push"}, "type": "Opaque"}, "PushSecretInvalid")],
)
async def test_without_a_fitting_push_secret_no_job_is_made(body: Any, reason: str) -> None:
    world = await running()
    world.cluster.act(delete(SECRETS, "push"))
    if body is not None:
        world.cluster.act(create(SECRETS, body))
    world.cluster.sent.clear()
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, reason)
    assert "create jobs" not in writes(world.cluster)
    assert world.census() == {"batchsandboxes": [ID], "pods": [ID]}


async def test_without_permission_to_look_at_the_secret_it_fails_and_says_so() -> None:
    world = await running()
    world.cluster.refuse(Verb.GET, SECRETS, lambda: Forbidden("get", "secrets"))
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "PushSecretForbidden")


@pytest.mark.parametrize(
    ("reason", "message", "expected"),
    [
        ("PushFailed", "denied: no access", "PushFailed"),
        ("CommitFailed", "no space left", "CommitFailed"),
        ("", "", "CommitFailed"),
        ("not; a reason", "x", "CommitFailed"),
    ],
)
async def test_a_failed_commit_leads_back_to_running_with_the_same_pod(
    reason: str, message: str, expected: str
) -> None:
    world = await running()
    uid = world.pod()["metadata"]["uid"]
    world.fail_commits(reason, message)
    world.ask(pause=True)
    await world.play()
    told = world.status()
    assert (told.state, told.reason) == (SandboxState.RUNNING, expected)
    assert told.message
    assert world.pod()["metadata"]["uid"] == uid
    assert f"{SNAPSHOT}-release" in [call.name for call in world.cluster.sent if call.resource == JOBS]
    assert world.census() == {"batchsandboxes": [ID], "pods": [ID]}, "nothing of the attempt is left"


async def test_the_source_is_released_before_the_sandbox_is_running_again() -> None:
    world = await pausing()
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, code=137, reason="OOMKilled"))
    world.cluster.play()
    for _ in range(3):
        await world.reconcile()
        world.cluster.play()
    assert world.state() is SandboxState.PAUSING
    [release] = [job for job in world.cluster.all(JOBS) if job["metadata"]["name"].endswith("-release")]
    assert arguments(release)[0] == "release"
    await world.play()
    assert world.state() is SandboxState.RUNNING


async def test_a_commit_that_takes_too_long_is_told_as_that() -> None:
    world = await pausing()
    world.cluster.advance(CONFIG.commit_deadline)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "CommitDeadline")


async def test_a_release_is_repeated_until_it_succeeds() -> None:
    world = await pausing()
    fine = world.commit

    def failing(state: Any) -> Any:
        for pod in state.all(PODS):
            is_ours = "sandbox.opensandbox.io/task" in pod["metadata"].get("labels", {})
            if is_ours and pod.get("status", {}).get("phase") == "Running":
                yield node.end(pod, state.now, code=1)

    world.commit = failing  # type: ignore[method-assign]
    for _ in range(20):
        await world.reconcile()
        world.cluster.settle_with(*CONTROL, failing)
    assert world.state() is SandboxState.PAUSING
    deleted = [call.name for call in world.cluster.sent if (call.verb, call.resource) == (Verb.DELETE, JOBS)]
    assert deleted.count(f"{SNAPSHOT}-release") >= 1
    world.commit = fine  # type: ignore[method-assign]
    await world.play()
    assert world.state() is SandboxState.RUNNING


async def test_the_next_attempt_is_a_new_one_and_clears_the_reason() -> None:
    world = await running()
    world.fail_commits()
    world.ask(pause=True)
    await world.play()
    assert world.status().reason == "PushFailed"
    del world.commit  # the committer works again
    world.commits = True
    world.cluster.sent.clear()
    world.ask(pause=True)
    assert (world.state(), world.status().reason) == (SandboxState.PAUSING, None)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.PAUSED, None)
    assert "create jobs" in writes(world.cluster)
    [snapshot] = world.names(SNAPSHOTS)
    assert snapshot != SNAPSHOT


async def test_a_renewal_during_a_pause_that_fails_starts_no_second_attempt() -> None:
    world = await pausing()
    world.edit(expireTime="2030-01-01T00:00:00Z")
    world.cluster.advance(CONFIG.commit_deadline)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    commits = [
        call.name for call in world.cluster.sent if call.verb is Verb.CREATE and call.name.endswith("-commit")
    ]
    assert commits == [f"{SNAPSHOT}-commit"]


async def test_while_the_pod_cannot_be_deleted_it_stays_pausing() -> None:
    world = await running()
    fault = world.cluster.refuse(Verb.DELETE, PODS, lambda: Unavailable("etcd is slow"), name=ID, left=None)
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSING
    assert fault.hits
    fault.left = 0
    await world.play()
    assert world.state() is SandboxState.PAUSED


async def test_it_is_not_paused_before_the_pod_is_gone() -> None:
    world = await pausing()
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=report(job_pod)))
    world.cluster.collect()
    for _ in range(4):
        await world.reconcile()
    assert "deletionTimestamp" in world.pod()["metadata"]
    assert world.state() is SandboxState.PAUSING, "its processes have 30 seconds to end"
    world.cluster.settle()
    await world.reconcile()
    assert world.state() is SandboxState.PAUSED


async def test_a_pod_lost_during_the_commit_is_the_loss_of_the_sandbox() -> None:
    world = await pausing()
    world.cluster.act(node.evict(world.pod()))
    world.cluster.advance(CONFIG.commit_deadline)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, "Evicted")
    assert not [call for call in world.cluster.sent if call.name.endswith("-release")], "nothing to release"
    assert world.census() == {"batchsandboxes": [ID], "pods": [ID]}, "of the pause nothing is left"


async def test_a_refused_job_fails_the_attempt() -> None:
    world = await running()
    world.cluster.refuse(Verb.CREATE, JOBS, lambda: Invalid("pod security: hostPath volumes"), left=None)
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "CommitJobRefused")


async def test_a_refused_snapshot_fails_the_attempt() -> None:
    world = await running()
    world.cluster.refuse(Verb.CREATE, SNAPSHOTS, lambda: Forbidden("create", "sandboxsnapshots"), left=None)
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "SnapshotRefused")


async def test_a_resume_asked_for_behind_the_server_during_a_pause_is_done_afterwards() -> None:
    world = await pausing()
    world.edit(pause=False)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.census() == {"batchsandboxes": [ID], "pods": [ID]}
    assert "delete pods" in writes(world.cluster), "the pause was finished first"


async def test_a_finished_snapshot_left_by_a_killed_controller_is_used() -> None:
    world = await pausing()
    [job_pod] = [pod for pod in world.cluster.all(PODS) if pod["metadata"]["name"] != ID]
    world.cluster.act(node.end(job_pod, world.cluster.state.now, message=report(job_pod)))
    world.cluster.play()
    await world.step(SNAPSHOTS, SNAPSHOT)
    assert world.state() is SandboxState.PAUSING
    world.cluster.sent.clear()
    await world.play()
    assert world.state() is SandboxState.PAUSED
    assert "create sandboxsnapshots" not in writes(world.cluster)


async def test_an_old_status_is_never_written_over_a_new_one() -> None:
    world = await running()
    world.ask(pause=True)
    moved = False

    class Racing:
        namespace = "default"

        async def send(self, call: Any) -> Any:
            nonlocal moved
            if not moved:
                moved = True
                world.cluster.act(merge_status(BATCH_SANDBOXES, ID, {"ready": 0}))
            return await world.cluster.send(call)

    world.port = Racing()
    await world.step(BATCH_SANDBOXES, ID)
    assert world.sandbox()["status"]["phase"] == "Succeed"
    await world.play()
    assert world.state() is SandboxState.PAUSED
    assert condition(world.sandbox(), "Paused")["status"] == "True"
