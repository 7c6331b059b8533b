"""Pools: kept warm within their bounds, given out once, left for good on a pause."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.controller.decisions.pool import wanted_warm
from sandkit_server.controller.manifests.pods import adoption
from sandkit_server.controller.views import PoolView
from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import Exhausted
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Propagation, Verb, delete, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS, POOLS
from sandkit_server.testing.cluster import node

from .world import ID, World, condition, writes


async def pooled(**capacity: int) -> World:
    world = World()
    world.make_pool("pool", **capacity)
    await world.play()
    return world


def counts(world: World) -> tuple[int, int, int]:
    found = world.cluster.find(POOLS, "pool")
    assert found is not None
    status = standing.pool_status_of(found)
    return status.total, status.allocated, status.available


@pytest.mark.parametrize(
    ("bounds", "taken", "waiting", "available", "filling", "wanted"),
    [
        ((1, 2, 0, 9), 0, 0, 0, False, 2),  # below the lower bound: filled to the upper one
        ((1, 2, 0, 9), 0, 0, 1, False, 1),  # within: left alone
        ((1, 2, 0, 9), 0, 0, 1, True, 2),  # within, but being filled: to the upper one
        ((1, 2, 0, 9), 0, 0, 5, False, 2),  # above: cut back
        ((0, 0, 3, 9), 0, 0, 0, False, 3),  # the pool's own lower bound
        ((0, 0, 3, 9), 2, 0, 1, False, 1),
        ((2, 4, 0, 5), 4, 0, 0, False, 1),  # the pool's upper bound comes first
        ((2, 4, 0, 5), 6, 0, 0, False, 0),
        ((0, 0, 0, 9), 0, 2, 0, False, 2),  # no buffer, but sandboxes wait
    ],
)
def test_how_many_are_wanted(
    bounds: tuple[int, int, int, int], taken: int, waiting: int, available: int, filling: bool, wanted: int
) -> None:
    capacity = dict(zip(("bufferMin", "bufferMax", "poolMin", "poolMax"), bounds, strict=True))
    view = PoolView(pool={}, warm=(), names=frozenset(), taken=taken, waiting=waiting)
    assert wanted_warm(capacity, view, available, filling=filling) == wanted


async def test_a_pool_fills_and_rests() -> None:
    world = await pooled()
    assert world.names(PODS) == ["pool-warm-0", "pool-warm-1"]
    assert counts(world) == (2, 0, 2)
    found = world.cluster.find(POOLS, "pool")
    assert found is not None
    assert condition(found, "Ready")["status"] == "True"
    world.cluster.sent.clear()
    await world.play()
    assert world.cluster.sent == []


async def test_a_sandbox_takes_a_warm_pod_and_the_pool_is_filled_again() -> None:
    world = await pooled(bufferMin=2)
    warm = {pod["metadata"]["uid"] for pod in world.cluster.all(PODS)}
    world.make(poolRef="pool")
    await world.play()
    assert world.state() is SandboxState.RUNNING
    name = world.sandbox()["status"]["podName"]
    pod = world.pod(name)
    assert pod["metadata"]["uid"] in warm
    assert "sandbox.opensandbox.io/pool" not in pod["metadata"]["labels"]
    assert [owner["uid"] for owner in pod["metadata"]["ownerReferences"]] == [
        world.sandbox()["metadata"]["uid"]
    ]
    assert counts(world) == (3, 1, 2)


async def test_sandboxes_never_share_a_pod() -> None:
    world = await pooled(bufferMin=3, bufferMax=3, poolMax=6)
    for number in range(5):
        world.make(f"sbx-{number}", poolRef="pool")
    await world.play()
    taken = [world.sandbox(f"sbx-{number}")["status"]["podName"] for number in range(5)]
    assert len(set(taken)) == 5
    assert counts(world) == (6, 5, 1)


async def test_the_loser_of_a_race_for_a_pod_takes_another() -> None:
    world = await pooled(bufferMin=2)
    world.make("sbx-1", poolRef="pool")
    world.make("sbx-2", poolRef="pool")
    raced = ""

    class Racing:
        namespace = "default"

        async def send(self, call: Any) -> Any:
            nonlocal raced
            if call.verb is Verb.PATCH and call.resource == PODS and not raced:
                raced = call.name
                world.cluster.act(merge(PODS, call.name, adoption(world.sandbox("sbx-2"))))
            return await world.cluster.send(call)

    world.port = Racing()
    await world.step(BATCH_SANDBOXES, "sbx-1")
    assert raced
    assert world.pod(raced)["metadata"]["labels"]["opensandbox.io/id"] == "sbx-2", "it was not taken away"
    await world.play()
    assert {world.state("sbx-1"), world.state("sbx-2")} == {SandboxState.RUNNING}
    assert len({world.sandbox(name)["status"]["podName"] for name in ("sbx-1", "sbx-2")}) == 2


async def test_a_pod_that_was_taken_meanwhile_is_not_cut_back() -> None:
    world = await pooled(bufferMin=2)
    capacity = {"bufferMin": 0, "bufferMax": 0, "poolMin": 0, "poolMax": 4}
    world.cluster.act(merge(POOLS, "pool", {"spec": {"capacitySpec": capacity}}))
    taken = ""

    class Racing:
        namespace = "default"

        async def send(self, call: Any) -> Any:
            nonlocal taken
            if call.verb is Verb.DELETE and not taken:
                taken = call.name
                world.make(poolRef="pool")
                world.cluster.act(merge(PODS, taken, adoption(world.sandbox())))
            return await world.cluster.send(call)

    world.port = Racing()
    await world.play()
    assert world.names(PODS) == [taken]
    assert (world.state(), world.sandbox()["status"]["podName"]) == (SandboxState.RUNNING, taken)


async def test_a_full_pool_keeps_the_sandbox_waiting_and_says_so_until_there_is_room() -> None:
    world = await pooled(bufferMin=0, bufferMax=0, poolMax=1)
    world.make("sbx-1", poolRef="pool")
    await world.play()
    world.make("sbx-2", poolRef="pool")
    await world.play()
    told = world.status("sbx-2")
    assert (told.state, told.reason) == (SandboxState.PENDING, "PoolExhausted")
    world.cluster.act(delete(BATCH_SANDBOXES, "sbx-1", propagation=Propagation.FOREGROUND))
    await world.play()
    assert (world.state("sbx-2"), world.status("sbx-2").reason) == (SandboxState.RUNNING, None)


async def test_a_pool_that_does_not_exist_is_told_and_may_come() -> None:
    world = World()
    world.make(poolRef="pool")
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.PENDING, "PoolNotFound")
    world.make_pool()
    await world.play()
    assert world.state() is SandboxState.RUNNING


async def test_a_pause_takes_the_sandbox_out_of_its_pool_with_its_template() -> None:
    world = await pooled()
    world.make(poolRef="pool")
    await world.play()
    image = world.pod(world.sandbox()["status"]["podName"])["spec"]["containers"][0]["image"]
    world.ask(pause=True)
    await world.play()
    assert world.state() is SandboxState.PAUSED
    spec = world.sandbox()["spec"]
    assert "poolRef" not in spec
    assert spec["template"]["spec"]["containers"][0]["image"] == image
    assert "nodeName" not in spec["template"]["spec"]
    assert counts(world)[1] == 0

    world.ask(pause=False)
    await world.play()
    assert world.state() is SandboxState.RUNNING
    assert world.sandbox()["status"]["podName"] == ID
    assert counts(world)[1] == 0


async def test_a_failed_pause_leaves_it_in_its_pool() -> None:
    world = await pooled()
    world.make(poolRef="pool")
    await world.play()
    world.fail_commits()
    world.ask(pause=True)
    await world.play()
    assert (world.state(), world.status().reason) == (SandboxState.RUNNING, "PushFailed")
    assert world.sandbox()["spec"]["poolRef"] == "pool"


async def test_capacity_can_be_changed_either_way() -> None:
    world = await pooled()
    capacity = {"bufferMin": 3, "bufferMax": 3, "poolMin": 0, "poolMax": 4}
    world.cluster.act(merge(POOLS, "pool", {"spec": {"capacitySpec": capacity}}))
    await world.play()
    assert counts(world) == (3, 0, 3)
    capacity = {"bufferMin": 0, "bufferMax": 1, "poolMin": 0, "poolMax": 1}
    world.cluster.act(merge(POOLS, "pool", {"spec": {"capacitySpec": capacity}}))
    await world.play()
    assert counts(world) == (1, 0, 1)


async def test_a_new_template_replaces_warm_pods_and_no_others() -> None:
    world = await pooled(bufferMin=2)
    world.make(poolRef="pool")
    await world.play()
    used = world.sandbox()["status"]["podName"]
    template = {"spec": {"containers": [{"name": "main", "image": "python:3.13"}]}}
    world.cluster.act(merge(POOLS, "pool", {"spec": {"template": template}}))
    await world.play()
    images = {
        pod["metadata"]["name"]: pod["spec"]["containers"][0]["image"] for pod in world.cluster.all(PODS)
    }
    assert images.pop(used) == "python:3.12"
    assert set(images.values()) == {"python:3.13"}
    assert len(images) == 2


async def test_a_warm_pod_that_fails_is_replaced_but_not_at_once() -> None:
    world = await pooled(bufferMin=2)
    world.cluster.act(node.end(world.pod("pool-warm-0"), world.cluster.state.now, code=1))
    outcomes = await world.reconcile()
    assert world.names(PODS) == ["pool-warm-0", "pool-warm-1"]
    assert counts(world) == (2, 0, 1)
    again = outcomes["Pool", "pool"].again_after
    assert again is not None
    world.cluster.sent.clear()
    await world.reconcile()
    assert world.cluster.sent == [], "no hot loop over a template that cannot run"
    world.cluster.advance(again)
    await world.play()
    assert counts(world) == (2, 0, 2)


async def test_a_quota_is_told_and_tried_again() -> None:
    world = World()
    world.make_pool()
    fault = world.cluster.refuse(Verb.CREATE, PODS, lambda: Exhausted("quota", "exceeded quota"), left=None)
    await world.reconcile()
    found = world.cluster.find(POOLS, "pool")
    assert found is not None
    assert condition(found, "Ready")["reason"] == "QuotaExceeded"
    fault.left = 0
    await world.play()
    assert counts(world) == (2, 0, 2)


async def test_warm_pods_go_with_the_pool_and_pods_in_use_do_not() -> None:
    world = await pooled()
    world.make(poolRef="pool")
    await world.play()
    world.cluster.act(delete(POOLS, "pool"))
    await world.play()
    assert world.names(PODS) == [world.sandbox()["status"]["podName"]]
    assert world.state() is SandboxState.RUNNING


async def test_a_failed_pooled_sandbox_gives_its_place_back() -> None:
    world = await pooled(bufferMin=0, bufferMax=0, poolMax=1)
    world.make("sbx-1", poolRef="pool")
    await world.play()
    name = world.sandbox("sbx-1")["status"]["podName"]
    world.cluster.act(delete(PODS, name))
    world.make("sbx-2", poolRef="pool")
    await world.play()
    assert world.state("sbx-1") is SandboxState.FAILED
    assert world.state("sbx-2") is SandboxState.RUNNING


async def test_claiming_costs_one_patch_of_the_pod_and_one_status() -> None:
    world = await pooled()
    world.make(poolRef="pool")
    world.cluster.sent.clear()
    await world.step(BATCH_SANDBOXES, ID)
    assert writes(world.cluster) == ["patch pods", "patch batchsandboxes/status"]
