"""A create or snapshot can be repeated under its key, at once, later, and after a restart."""

from __future__ import annotations

import asyncio

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import Caller, CreateSandbox, SandboxState

from .world import CALLER, IMAGE, World, claim, refused


@pytest.mark.parametrize("restart", [False, True])
async def test_the_same_key_and_request_give_the_same_sandbox(world: World, restart: bool) -> None:
    first = await world.create(claim("mine"), key="k")
    if restart:
        await world.restart()
    again = await world.create(claim("mine"), key="k")
    assert again.id == first.id
    assert world.census()["workloads"] == [first.id]
    assert (await world.create()).id != first.id


async def test_racing_creates_with_one_key_make_one_sandbox(world: World) -> None:
    answers = await asyncio.gather(*(world.create(claim("mine"), key="k") for _ in range(8)))
    assert len({sandbox.id for sandbox in answers}) == 1
    assert len(world.census()["workloads"]) == 1


async def test_the_same_key_with_another_request_is_refused(world: World) -> None:
    first = await world.create(key="k")
    error = await refused(world.create(key="k", timeout_seconds=60))
    assert (error.status, error.code) == (409, ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED)
    gate = await world.gate("workload.create")
    creating = asyncio.ensure_future(world.create(key="l"))
    await world.held(gate)
    error = await refused(world.create(key="l", timeout_seconds=60))
    assert error.code is ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED
    await world.control.remove_gate(gate)
    second = await creating
    assert world.census()["workloads"] == sorted([first.id, second.id])


async def test_keys_of_other_callers_are_other_keys(world: World) -> None:
    mine = await world.create(key="k")
    theirs = await world.service.create_sandbox(IMAGE, Caller("another"), "k")
    assert mine.id != theirs.id


async def test_a_key_counts_as_long_as_its_sandbox_exists(world: World) -> None:
    first = await world.create(claim("mine"), key="k")
    await world.until(first.id, SandboxState.RUNNING)
    await world.delete(first.id)
    second = await world.create(key="k", timeout_seconds=60)
    assert second.id == first.id
    assert second.created_at > first.created_at


async def test_an_invalid_request_uses_up_no_key(world: World) -> None:
    assert (await refused(world.service.create_sandbox(CreateSandbox(), CALLER, "k"))).status == 400
    await world.create(key="k")


async def test_a_create_that_failed_can_be_repeated_with_its_key(world: World) -> None:
    await world.fault("workload.create", times=1)
    assert (await refused(world.create(claim("mine"), key="k"))).status == 503
    sandbox = await world.create(claim("mine"), key="k")
    await world.until(sandbox.id, SandboxState.RUNNING)
    volume = world.volume("mine")
    assert volume is not None
    assert [edge["name"] for edge in volume["owners"]] == [sandbox.id]


@pytest.mark.parametrize("action", ["error", "crash"])
async def test_an_answer_lost_by_the_engine_is_looked_for(world: World, action: str) -> None:
    await world.fault("workload.create", action, when="after", times=1)
    sandbox = await world.create(claim("mine"), key="k")
    assert world.census()["workloads"] == [sandbox.id]
    volume = world.volume("mine")
    assert volume is not None
    assert [edge["name"] for edge in volume["owners"]] == [sandbox.id]


async def test_a_lost_answer_that_cannot_be_looked_for_is_found_by_the_next_attempt(world: World) -> None:
    await world.fault("workload.create", when="after", times=1)
    # The first look is for an earlier attempt.
    await world.fault("workload.get", match={"index": 1})
    error = await refused(world.create(claim("mine"), key="k"))
    assert (error.status, error.retry_after) == (503, 1.0)
    (left,) = world.census()["workloads"]
    sandbox = await world.create(claim("mine"), key="k")
    assert sandbox.id == left


async def test_snapshots_by_key(world: World) -> None:
    sandbox_id = await world.running()
    other_id = await world.running()
    first, again = await asyncio.gather(
        *(world.service.create_snapshot(sandbox_id, "n", CALLER, "k") for _ in range(2))
    )
    assert first.id == again.id
    assert (await world.service.create_snapshot(other_id, "n", CALLER, "k")).id != first.id
    error = await refused(world.service.create_snapshot(sandbox_id, "other", CALLER, "k"))
    assert error.code is ErrorCode.SANDBOX_IDEMPOTENCY_KEY_REUSED
    # The repeat is answered although its source could not be snapshotted any more.
    await world.delete(sandbox_id)
    assert (await world.service.create_snapshot(sandbox_id, "n", CALLER, "k")).id == first.id


async def test_the_end_of_a_delete_does_not_take_the_claims_of_the_next_create_with_the_same_key(
    world: World,
) -> None:
    """The claim got no owner, so only the sweep stands between the delete and the next create."""
    await world.fault("claim.patch")
    first = await world.create(claim("mine"), key="k")
    gate = await world.gate("claim.list")
    deleting = asyncio.ensure_future(world.delete(first.id))
    await world.held(gate)
    creating = asyncio.ensure_future(world.create(claim("mine"), key="k"))
    await asyncio.sleep(0.05)
    await world.control.remove_gate(gate)
    await deleting
    again = await creating
    assert again.id == first.id
    assert "mine" in world.census()["volumes"]
