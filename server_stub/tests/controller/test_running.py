"""Succeed: losses, readiness, expiry, and rest."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.controller.manifests.snapshots import pause_snapshot
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Unavailable
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Propagation, Verb, create, delete, merge_status
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS, SNAPSHOTS
from sandkit_server.testing.cluster import node

from .world import ID, World, condition, writes


async def test_a_converged_sandbox_costs_nothing() -> None:
    world = World()
    await world.run()
    world.cluster.sent.clear()
    for _ in range(3):
        await world.reconcile()
    assert world.cluster.sent == []


async def test_a_renewal_is_acknowledged_by_one_status() -> None:
    world = World()
    await world.run()
    world.cluster.sent.clear()
    world.edit(expireTime="2030-01-01T00:00:00Z")
    await world.play()
    assert writes(world.cluster) == ["patch batchsandboxes/status"]
    assert world.sandbox()["status"]["observedGeneration"] == world.sandbox()["metadata"]["generation"]
    assert world.state() is SandboxState.RUNNING


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (lambda world: node.end(world.pod(), world.cluster.state.now, code=3), "EntrypointExited"),
        (lambda world: node.evict(world.pod()), "Evicted"),
        (lambda _: delete(PODS, ID), "PodLost"),
        (lambda world: node.remove(world.pod()), "PodLost"),
    ],
)
async def test_a_lost_pod_fails_the_sandbox_and_is_not_replaced(happens: object, reason: str) -> None:
    world = World()
    await world.run()
    world.cluster.act(happens(world))  # type: ignore[operator]
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.FAILED, reason)
    assert condition(world.sandbox(), "Ready")["status"] == "False"
    assert standing.ever_ready(world.sandbox())
    assert all(pod["status"]["phase"] in {"Failed", "Succeeded"} for pod in world.cluster.all(PODS))


async def test_a_pod_missing_in_the_view_is_read_afresh_before_it_counts_as_lost() -> None:
    world = World()
    await world.run()
    world.cluster.act(node.remove(world.pod()))
    world.cluster.sent.clear()
    world.cluster.refuse(Verb.GET, PODS, lambda: Unavailable("no answer"))
    await world.reconcile()
    assert world.state() is SandboxState.RUNNING, "not knowing is not a loss"
    await world.reconcile()
    assert world.state() is SandboxState.FAILED
    assert writes(world.cluster) == ["get pods", "get pods", "patch batchsandboxes/status"]


async def test_a_pod_that_is_not_ready_for_a_while_is_shown_and_not_lost() -> None:
    world = World()
    await world.run()
    world.cluster.act(node.run(world.pod(), world.cluster.state.now, ready=False))
    await world.reconcile()
    assert (world.state(), world.sandbox()["status"]["ready"]) == (SandboxState.RUNNING, 0)
    assert condition(world.sandbox(), "Ready")["reason"] == "ContainersNotReady"
    world.cluster.act(node.run(world.pod(), world.cluster.state.now))
    await world.reconcile()
    assert condition(world.sandbox(), "Ready")["status"] == "True"


@pytest.mark.parametrize("paused", [False, True])
async def test_an_expired_sandbox_goes_with_all_it_had(paused: bool) -> None:
    world = World()
    await world.run(expireTime="2026-01-01T01:00:00Z")
    if paused:
        world.ask(pause=True)
        await world.play()
        assert world.state() is SandboxState.PAUSED
    [outcome] = [value for key, value in (await world.reconcile()).items() if key[0] == "BatchSandbox"]
    assert outcome.again_after is not None
    world.cluster.advance(outcome.again_after)
    await world.reconcile()
    assert world.status().reason == "Expired"
    await world.play()
    assert world.census() == {}


async def test_a_renewal_that_was_faster_wins_over_the_expiry() -> None:
    world = World()
    await world.run(expireTime="2026-01-01T01:00:00Z")
    world.cluster.advance(3600)
    renewed = False

    class Renewing:
        namespace = "default"

        async def send(self, call: Any) -> Any:
            nonlocal renewed
            if call.verb is Verb.DELETE and not renewed:
                renewed = True
                world.edit(expireTime="2026-01-01T02:00:00Z")
            return await world.cluster.send(call)

    world.port = Renewing()
    await world.play()
    assert renewed
    assert world.state() is SandboxState.RUNNING


async def test_one_that_is_being_deleted_is_left_to_the_garbage_collector() -> None:
    world = World()
    await world.run(expireTime="2026-01-01T01:00:00Z")
    world.ask(pause=True)
    world.cluster.act(delete(BATCH_SANDBOXES, ID, propagation=Propagation.FOREGROUND))
    world.cluster.advance(7200)
    world.cluster.sent.clear()
    await world.reconcile()
    assert world.cluster.sent == []
    await world.play()
    assert world.census() == {}


async def test_pods_beside_the_one_that_counts_are_removed() -> None:
    world = World()
    await world.run()
    twin = {**world.pod(), "metadata": {**world.pod()["metadata"], "name": "twin"}}
    world.cluster.act(create(PODS, twin))
    await world.play()
    assert world.names(PODS) == [ID]
    assert world.state() is SandboxState.RUNNING


async def test_a_pod_of_a_later_attempt_than_the_sandbox_seen_is_left_alone() -> None:
    world = World()
    await world.run()
    later = dict(world.pod()["metadata"])
    later["name"], later["annotations"] = "later", {"sandbox.opensandbox.io/attempt": "7"}
    world.cluster.act(create(PODS, {**world.pod(), "metadata": later}))
    await world.play()
    assert world.names(PODS) == ["later", ID]


async def test_a_snapshot_of_a_later_attempt_than_the_sandbox_seen_is_left_alone() -> None:
    world = World()
    await world.run()
    world.cluster.act(create(SNAPSHOTS, pause_snapshot(world.sandbox(), 7)))
    world.cluster.act(create(SNAPSHOTS, pause_snapshot(world.sandbox(), 0)))
    await world.play()
    assert world.names(SNAPSHOTS) == [f"{ID}-pause-7"]


async def test_the_condition_keeps_its_time_while_it_holds() -> None:
    world = World()
    await world.run()
    before = condition(world.sandbox(), "Ready")["lastTransitionTime"]
    world.cluster.advance(60)
    world.cluster.act(merge_status(BATCH_SANDBOXES, ID, {"ready": 0}))
    await world.reconcile()
    assert world.sandbox()["status"]["ready"] == 1
    assert condition(world.sandbox(), "Ready")["lastTransitionTime"] == before
