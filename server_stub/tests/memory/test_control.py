"""The control port: faults strike where and as often as they were told, gates hold, time moves."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import (
    CreatePool,
    PoolCapacity,
    PoolContainer,
    PoolTemplate,
    SandboxState,
)
from sandkit_server.runtimes.memory import MemorySettings

from .conftest import MakeWorld
from .world import World, claim, refused


async def _hits(world: World) -> list[int]:
    return [row["hits"] for row in (await world.control.list_faults())["faults"]]


@pytest.mark.parametrize(
    ("match", "struck"),
    [
        ({}, ["a", "b", "c"]),
        ({"name": "b"}, ["b"]),
        ({"index": 2}, ["c"]),
        ({"name": "b", "index": 0}, ["b"]),
        ({"name": "b", "index": 1}, []),
        ({"sandboxId": "sbx-none"}, []),
        ({"metadata": {"team": "search"}}, []),
    ],
)
async def test_a_fault_strikes_what_it_matches(
    world: World, match: dict[str, Any], struck: list[str]
) -> None:
    await world.fault("claim.get", "error", match=match)
    hit = []
    for name in ("a", "b", "c"):
        before = (await _hits(world))[0]
        await refused(world.create(claim(name, create=False)))
        if (await _hits(world))[0] > before:
            hit.append(name)
    assert hit == struck


async def test_faults_at_workloads_match_metadata(world: World) -> None:
    await world.fault("workload.create", match={"metadata": {"team": "search"}})
    assert (await refused(world.create(metadata={"team": "search", "x": "y"}))).status == 503
    await world.create(metadata={"team": "ranking"})


async def test_a_fault_strikes_as_often_as_told_and_goes_when_removed(world: World) -> None:
    twice = await world.fault("workload.get", times=2)
    sandbox_id = (await world.create()).id
    for _ in range(2):
        assert (await refused(world.service.get_sandbox(sandbox_id))).code is ErrorCode.REQUEST_UNAVAILABLE
    await world.service.get_sandbox(sandbox_id)
    assert await _hits(world) == [2]
    await world.control.remove_fault(twice)
    await world.fault("workload.get")
    await world.fault("workload.list")
    await world.control.remove_fault(None)
    await world.service.get_sandbox(sandbox_id)
    assert (await world.control.list_faults()) == {"faults": []}
    assert (await refused(world.control.remove_fault(twice))).status == 404


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/point"),
        ({"point": "claim.frobnicate", "action": "error"}, "/point"),
        ({"point": "claim.get"}, "/action"),
        ({"point": "claim.get", "action": "explode"}, "/action"),
        ({"point": "claim.get", "action": "steal"}, "/action"),
        ({"point": "pod.create", "action": "vanish"}, "/action"),
        ({"point": "claim.get", "action": "error", "times": -1}, "/times"),
        ({"point": "claim.get", "action": "error", "times": True}, "/times"),
        ({"point": "claim.get", "action": "latency", "seconds": "x"}, "/seconds"),
        ({"point": "claim.get", "action": "error", "when": "during"}, "/when"),
        ({"point": "claim.get", "action": "error", "match": {"sandbox": "x"}}, "/match/sandbox"),
        ({"point": "claim.get", "action": "error", "match": "x"}, "/match"),
        ({"point": "claim.get", "action": "error", "typo": 1}, "/typo"),
        ({"point": "claim.get", "action": "error", "id": ""}, "/id"),
        ({"point": "claim.get", "action": "error", "id": 1}, "/id"),
    ],
)
async def test_what_would_test_nothing_is_refused(world: World, body: dict[str, Any], pointer: str) -> None:
    error = await refused(world.control.add_fault(body))
    assert (error.status, [detail.pointer for detail in error.details]) == (400, [pointer])
    assert await _hits(world) == []


async def test_faults_and_gates_take_the_ids_that_are_given(world: World) -> None:
    fault = {"id": "fault-2", "point": "claim.get", "action": "error"}
    gate = {"id": "mine", "point": "claim.get"}
    assert await world.control.add_fault(fault) == {"id": "fault-2"}
    assert await world.control.add_gate(gate) == {"id": "mine"}
    for again in (world.control.add_fault(fault), world.control.add_gate(gate)):
        assert [detail.pointer for detail in (await refused(again)).details] == ["/id"]
    made = {(await world.control.add_fault({**fault, "id": None}))["id"] for _ in range(3)}
    assert len(made | {"fault-2"}) == 4
    await world.control.remove_fault("fault-2")
    await world.control.remove_gate("mine")


async def test_a_gate_holds_until_released_and_then_stays_open(world: World) -> None:
    gate = await world.gate("workload.create")
    assert await world.control.gate(gate, 0) == {
        "id": gate,
        "point": "workload.create",
        "held": 0,
        "open": False,
    }
    creating = [asyncio.ensure_future(world.create()) for _ in range(2)]
    await world.held(gate)
    await world.settled()
    assert (await world.control.gate(gate, 0))["held"] == 2
    assert world.census()["workloads"] == []
    assert (await world.control.release_gate(gate))["held"] == 2
    await asyncio.gather(*creating)
    await world.create()
    await world.control.remove_gate(gate)
    for call in (
        world.control.gate(gate, 0),
        world.control.release_gate(gate),
        world.control.remove_gate(gate),
    ):
        assert (await refused(call)).status == 404


async def test_a_gate_after_a_step_holds_the_answer_not_the_effect(world: World) -> None:
    gate = await world.gate("workload.create", "after")
    creating = asyncio.ensure_future(world.create())
    await world.held(gate)
    assert len(world.census()["workloads"]) == 1
    assert not creating.done()
    await world.control.release_gate(gate)
    await creating


async def test_waiting_at_a_gate_ends_in_time(world: World) -> None:
    gate = await world.gate("workload.create")
    begun = time.monotonic()
    assert (await world.control.gate(gate, 0.05))["held"] == 0
    assert 0.04 < time.monotonic() - begun < 10


async def test_a_closed_gate_outlives_a_restart(world: World) -> None:
    gate = await world.gate("workload.ready")
    sandbox = await world.create()
    await world.held(gate)
    await world.restart()
    await world.held(gate)
    await world.control.release_gate(gate)
    await world.until(sandbox.id, SandboxState.RUNNING)


async def test_latency_is_time_of_the_injected_clock(world: World) -> None:
    await world.fault("workload.create", "latency", seconds=30, times=1)
    creating = asyncio.ensure_future(world.create())
    await world.settled()
    await world.engine.clock.advance(10)
    assert not creating.done()
    await world.engine.clock.advance(21)
    await creating


async def test_advance_returns_when_everything_due_has_settled(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings())
    ids = [await world.running(timeout_seconds=lifetime) for lifetime in (60, 61, 600)]
    before = world.engine.clock.now()
    begun = time.monotonic()
    answer = await world.control.advance(61.5)
    assert time.monotonic() - begun < 10
    assert (world.engine.clock.now() - before).total_seconds() >= 61.5
    assert answer["time"] <= world.engine.clock.now().isoformat()
    assert world.census()["workloads"] == [ids[2]]


async def test_a_long_advance_is_quick_although_something_is_tried_again_and_again(world: World) -> None:
    sandbox_id = await world.running(claim("mine"))
    await world.fault("pod.delete")
    await world.service.delete_sandbox(sandbox_id)
    begun = time.monotonic()
    await world.engine.clock.advance(86_400)
    assert time.monotonic() - begun < 10
    await world.control.remove_fault(None)
    await world.gone(sandbox_id)


async def test_time_never_goes_back(world: World) -> None:
    seen = [world.engine.clock.now()]
    for seconds in (0.0, 10.0, 0.0, 3600.0):
        await world.engine.clock.advance(seconds)
        seen.append(world.engine.clock.now())
    assert seen == sorted(seen)


async def test_a_killed_server_reaches_the_engine_no_more(world: World) -> None:
    dead = world.runtime
    gate = await world.gate("claim.create")
    creating = asyncio.ensure_future(world.create(claim("mine")))
    await world.held(gate)
    await world.restart()
    await world.control.remove_gate(gate)
    await asyncio.wait({creating})
    last = world.engine.journal.last
    for call in (dead.service.get_sandbox("sbx-x"), dead.ports.claims.list({})):
        with pytest.raises(BaseException) as raised:
            await call
        assert type(raised.value).__name__ == "Killed"
    assert world.engine.journal.last == last
    await world.require_empty()


@pytest.mark.parametrize("graceful", [True, False])
async def test_a_restart_keeps_the_engine_and_replaces_the_server(world: World, graceful: bool) -> None:
    sandbox_id = await world.running(claim("mine"))
    before, old = world.census(), world.runtime
    await world.control.restart({"graceful": graceful})
    assert world.runtime is not old
    assert world.census() == before
    with pytest.raises(BaseException) as raised:
        await old.ports.claims.list({})
    assert type(raised.value).__name__ == "Killed"
    assert (await refused(world.control.restart({"gracefully": True}))).status == 400
    await world.pause(sandbox_id)


async def test_a_pool_of_a_killed_server_is_left_to_the_next(world: World) -> None:
    capacity = PoolCapacity(buffer_min=1, buffer_max=1, pool_min=0, pool_max=5)
    template = PoolTemplate(containers=(PoolContainer(image="a"),))
    await world.service.create_pool(CreatePool(name="warm", template=template, capacity=capacity))
    await world.settled()
    await world.runtime.kill()
    listeners = len(asyncio.all_tasks())
    for pod in world.engine.pods.warm("warm"):
        world.engine.pods.adopt(pod, "sbx-x")
    record = await world.probe.seed_workload({"sandboxId": "sbx-x"})
    world.engine.workloads.get(record["name"]).pool_ref = "warm"
    await world.probe.delete_workload("sbx-x")
    assert len(asyncio.all_tasks()) == listeners


async def test_info(world: World) -> None:
    info = world.control.info()
    assert info["protocol"] == "sandkit-control/1"
    assert set(info["capabilities"]) == {"clock", "faults", "gates", "restart"}
    assert {"claim.create", "workload.ready", "snapshot.commit", "pool.claim"} <= set(info["points"])


async def test_a_controller_that_is_not_beside_the_server_cannot_be_restarted_alone(world: World) -> None:
    error = await refused(world.control.restart({"graceful": False, "part": "controller"}))
    assert [detail.pointer for detail in error.details] == ["/part"]
