"""Pending: pods are made, problems are shown or are final, and nothing is tried in vain."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.controller.reconciler import Result
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Exhausted, Forbidden, Invalid, PortError, Unavailable
from sandkit_server.kubernetes.calls import Verb, create, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.testing.cluster import node

from .world import ID, TEMPLATE, World, condition, writes


async def scheduled(**spec: Any) -> World:
    """A world with a sandbox whose pod is on a node and has not started."""
    world = World()
    world.make(**spec)
    await world.reconcile()
    world.cluster.act(node.bind(world.pod()))
    return world


async def test_the_pod_is_made_from_the_template_and_belongs_to_the_sandbox() -> None:
    template = {"metadata": {"labels": {"team": "a"}}, **TEMPLATE}
    world = World()
    made = world.make(template=template)
    await world.reconcile()
    pod = world.pod()
    assert pod["metadata"]["labels"] == {
        "team": "a",
        "opensandbox.io/id": ID,
        "app.kubernetes.io/managed-by": "sandkit-controller",
    }
    [owner] = pod["metadata"]["ownerReferences"]
    assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (
        made["metadata"]["uid"],
        True,
        True,
    )
    spec = pod["spec"]
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (
        "Never",
        False,
        False,
    )


async def test_a_template_may_ask_for_restarts() -> None:
    world = await scheduled(template={"spec": {**TEMPLATE["spec"], "restartPolicy": "Always"}})
    assert world.pod()["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("waiting", "reason"),
    [
        ("ImagePullBackOff", "ImagePullFailed"),
        ("ErrImagePull", "ImagePullFailed"),
        ("CreateContainerConfigError", "ContainerConfigError"),
        ("RunContainerError", "ContainerStartFailed"),
        ("CrashLoopBackOff", "CrashLoopBackOff"),
    ],
)
async def test_what_may_pass_is_shown_after_a_grace(waiting: str, reason: str) -> None:
    world = await scheduled()
    world.cluster.act(node.hold(world.pod(), waiting, "because"))
    world.cluster.sent.clear()

    [outcome] = (await world.reconcile()).values()
    assert (world.status().reason, writes(world.cluster)) == (None, [])
    assert outcome.again_after == world.config.start_grace

    world.cluster.advance(world.config.start_grace)
    await world.reconcile()
    told = world.status()
    assert (told.state, told.reason, told.message) == (
        SandboxState.PENDING,
        reason,
        "Container main: because",
    )

    await world.reconcile()
    assert writes(world.cluster) == ["patch batchsandboxes/status"]

    # Once it is up, nothing of it is shown any more.
    world.cluster.act(node.run(world.pod(), world.cluster.state.now))
    await world.reconcile()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, None)
    assert condition(world.sandbox(), "Progressing")["status"] == "False"


async def test_an_image_that_cannot_be_pulled_fails_the_sandbox_after_a_while() -> None:
    world = await scheduled()
    world.cluster.act(node.hold(world.pod(), "ImagePullBackOff", "not found"))
    world.cluster.advance(world.config.start_grace)
    [outcome] = (await world.reconcile()).values()
    assert outcome.again_after == world.config.pull_patience - world.config.start_grace

    world.cluster.advance(outcome.again_after)
    await world.reconcile()
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, "ImagePullFailed")
    # A failed sandbox holds no compute, and was never ready.
    await world.play()
    assert world.names(PODS) == []
    assert "Ready" not in {each["type"] for each in world.sandbox()["status"]["conditions"]}


async def test_a_name_that_is_no_image_fails_at_once() -> None:
    world = await scheduled()
    world.cluster.act(node.hold(world.pod(), "InvalidImageName", "invalid reference format"))
    await world.reconcile()
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, "InvalidImageName")


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [(0, "", "EntrypointExited"), (1, "Error", "EntrypointExited"), (137, "OOMKilled", "OOMKilled")],
)
async def test_an_entrypoint_that_ends_fails_the_sandbox_and_leaves_the_pod_for_its_logs(
    code: int, reason: str, expected: str
) -> None:
    world = await scheduled()
    world.cluster.act(node.end(world.pod(), world.cluster.state.now, code=code, reason=reason))
    await world.play()
    told = world.status()
    assert (told.state, told.reason) == (SandboxState.FAILED, expected)
    assert f"exit code {code}" in (told.message or "")
    assert world.names(PODS) == [ID]


async def test_an_eviction_is_told_in_kubernetes_words() -> None:
    world = await scheduled()
    world.cluster.act(node.evict(world.pod()))
    await world.reconcile()
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, "Evicted")


async def test_a_pod_no_node_takes_stays_pending_with_the_schedulers_words() -> None:
    world = World()
    world.make()
    await world.reconcile()
    world.cluster.act(node.refuse(world.pod(), "0/3 nodes are available: 3 Insufficient memory."))
    world.cluster.advance(world.config.start_grace)
    await world.reconcile()
    told = world.status()
    assert (told.state, told.reason) == (SandboxState.PENDING, "Unschedulable")
    assert told.message == "0/3 nodes are available: 3 Insufficient memory."


async def test_credentials_in_an_address_are_not_shown() -> None:
    world = await scheduled()
    world.cluster.act(node.hold(world.pod(), "ErrImagePull", "Get https://robot:s3cret@registry/v2/: 401"))
    world.cluster.advance(world.config.start_grace)
    await world.reconcile()
    assert "s3cret" not in str(world.sandbox())
    assert "https://registry/v2/" in (world.status().message or "")


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (Exhausted("quota", "exceeded quota: compute"), SandboxState.PENDING, "QuotaExceeded"),
        (Forbidden("create", "pods"), SandboxState.PENDING, "PodForbidden"),
        (Invalid("spec.containers[0].image: Required value"), SandboxState.FAILED, "PodRefused"),
    ],
)
async def test_a_refused_pod_is_told_and_only_wrong_content_is_final(
    error: PortError, state: SandboxState, reason: str
) -> None:
    world = World()
    world.make()
    fault = world.cluster.refuse(Verb.CREATE, PODS, lambda: error, left=None)
    [outcome] = (await world.reconcile()).values()
    assert (world.state(), world.status().reason) == (state, reason)
    if state is SandboxState.FAILED:
        return
    assert outcome.result is Result.REFUSED, "it is tried again, less and less often"
    patches = writes(world.cluster).count("patch batchsandboxes/status")
    await world.reconcile()
    assert writes(world.cluster).count("patch batchsandboxes/status") == patches, "told once"
    fault.left = 0
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, None)


async def test_an_unknown_effect_is_looked_at_again() -> None:
    world = World()
    world.make()
    world.cluster.refuse(Verb.CREATE, PODS, lambda: Unavailable("time-out", 2.0), after=True)
    [outcome] = (await world.reconcile()).values()
    assert (outcome.result, outcome.again_after) == (Result.UNAVAILABLE, 2.0)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.names(PODS) == [ID]


async def test_another_pod_of_the_same_name_is_left_alone_and_told() -> None:
    world = World()
    world.cluster.act(create(PODS, {"metadata": {"name": ID}, "spec": TEMPLATE["spec"]}))
    before = world.pod()
    world.make()
    await world.reconcile()
    assert world.pod() == before
    assert (world.state(), world.status().reason) == (SandboxState.PENDING, "PodRefused")


async def test_several_replicas_are_up_when_all_are() -> None:
    world = World()
    world.make(replicas=3)
    await world.reconcile()
    names = [ID, f"{ID}-1", f"{ID}-2"]
    assert world.names(PODS) == names
    for name in names[:2]:
        world.cluster.act(node.bind(world.pod(name)))
        world.cluster.act(node.run(world.pod(name), world.cluster.state.now))
    await world.reconcile()
    assert world.state() is SandboxState.PENDING
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert (world.sandbox()["status"]["replicas"], world.sandbox()["status"]["ready"]) == (3, 3)
    assert "podName" not in world.sandbox()["status"]


async def test_replicas_can_be_added_and_taken_away() -> None:
    world = World()
    await world.run()
    world.edit(replicas=2)
    await world.play()
    assert world.names(PODS) == [ID, f"{ID}-1"]
    assert world.sandbox()["status"]["replicas"] == 2
    world.edit(replicas=1)
    await world.play()
    assert world.names(PODS) == [ID]
    assert (world.state(), world.sandbox()["status"]["podName"]) == (SandboxState.RUNNING, ID)


async def test_a_pod_deleted_before_it_was_ready_is_made_again() -> None:
    world = await scheduled()
    first = world.pod()["metadata"]["uid"]
    world.cluster.act(node.remove(world.pod()))
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.pod()["metadata"]["uid"] != first


async def test_what_is_abandoned_gives_its_pod_back_and_stays_as_a_record() -> None:
    world = await scheduled()
    annotation = {"sandbox.opensandbox.io/abandoned": '{"reason": "ReadyTimeout", "message": "Too late."}'}
    patch = {"metadata": {"annotations": annotation}, "spec": {"replicas": 0}}
    world.cluster.act(merge(BATCH_SANDBOXES, ID, patch))
    await world.play()
    assert world.census() == {"batchsandboxes": [ID]}
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, "ReadyTimeout")
