"""Creates that fail half way leave nothing, unless a workload may live (VOL-12, VOL-13, VOL-14)."""

from __future__ import annotations

import asyncio
import logging

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import SandboxState
from sandkit_server.core.policy import Policy
from sandkit_server.runtimes.memory import MemorySettings

from .conftest import MakeWorld
from .world import QUICK, World, claim, refused


async def test_the_second_claim_fails(world: World) -> None:
    await world.fault("claim.create", match={"index": 1})
    error = await refused(world.create(claim("first"), claim("second"), claim("kept", opt_in=False)))
    assert (error.status, error.code) == (503, ErrorCode.REQUEST_UNAVAILABLE)
    assert error.retry_after is not None
    await world.require_empty()


async def test_a_claim_whose_creation_was_not_answered_is_swept(world: World) -> None:
    await world.fault("claim.create", when="after")
    await refused(world.create(claim("mine")))
    await world.require_empty()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ErrorCode.SANDBOX_WORKLOAD_REJECTED),
        (422, ErrorCode.SANDBOX_WORKLOAD_REJECTED),
        (403, ErrorCode.SANDBOX_CREATE_FAILED),
        (404, ErrorCode.SANDBOX_CREATE_FAILED),
        (429, ErrorCode.SANDBOX_QUOTA_EXCEEDED),
    ],
)
async def test_a_refusal_deletes_no_workload_and_sweeps(world: World, status: int, code: ErrorCode) -> None:
    await world.fault("workload.create", status=status)
    deletes = await world.fault("workload.delete", "latency")
    error = await refused(world.create(claim("mine"), claim("second")))
    assert error.code is code
    await world.require_empty()
    assert world.engine.disturbances.faults[deletes].hits == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("action", ["error", "crash"])
async def test_an_unclear_failure_deletes_the_workload_and_sweeps(
    world: World, when: str, action: str, caplog: pytest.LogCaptureFixture
) -> None:
    await world.fault("workload.create", action, when=when)
    error = await refused(world.create(claim("mine")))
    expected = ErrorCode.REQUEST_UNAVAILABLE if action == "error" else ErrorCode.SANDBOX_CREATE_FAILED
    assert error.code is expected
    assert "injected crash" not in error.message
    assert ("injected crash" in caplog.text) == (action == "crash")
    await world.require_empty()


async def test_a_roll_back_that_fails_keeps_the_claims_and_names_the_sandbox(world: World) -> None:
    await world.fault("workload.create", when="after")
    fault = await world.fault("workload.delete", status=500)
    error = await refused(world.create(claim("mine")))
    (sandbox_id,) = world.census()["workloads"]
    assert sandbox_id in error.message
    assert world.volume("mine") is not None
    await world.until(sandbox_id, SandboxState.RUNNING)
    await world.control.remove_fault(fault)
    await world.delete(sandbox_id)
    await world.require_empty()


@pytest.mark.parametrize(
    ("point", "reason"),
    [("workload.ready", "ReadinessFailed"), ("image.pull", "ImagePullFailed"), ("pod.create", "PodRefused")],
)
async def test_a_workload_that_never_gets_ready_is_failed_and_swept(
    world: World, point: str, reason: str
) -> None:
    await world.fault(point)
    sandbox = await world.create(claim("mine"), claim("kept", opt_in=False))
    failed = await world.until(sandbox.id, SandboxState.FAILED)
    assert failed.status.reason == reason
    await world.require_empty(volumes=["kept"], workloads=[sandbox.id])
    await world.delete(sandbox.id)
    await world.require_empty(volumes=["kept"])


async def test_a_workload_that_is_not_ready_in_time_is_failed_and_swept(world: World) -> None:
    await world.gate("workload.ready")
    sandbox = await world.create(claim("mine"))
    await world.engine.clock.advance(world.policy.ready_timeout - 30)
    assert (await world.service.get_sandbox(sandbox.id)).status.state is SandboxState.PENDING
    await world.engine.clock.advance(31)
    failed = await world.until(sandbox.id, SandboxState.FAILED)
    assert failed.status.reason == "ReadyTimeout"
    await world.require_empty(workloads=[sandbox.id])


@pytest.mark.parametrize("status", [403, 503])
async def test_a_failed_release_keeps_the_claims_until_a_delete(world: World, status: int) -> None:
    await world.fault("workload.ready")
    fault = await world.fault("workload.delete", status=status)
    sandbox = await world.create(claim("mine"))
    await world.until(sandbox.id, SandboxState.FAILED)
    await world.settled()
    assert world.volume("mine") is not None
    await world.control.remove_fault(fault)
    await world.delete(sandbox.id)
    await world.require_empty()


async def test_a_failed_release_is_taken_up_by_the_reconciler(world: World) -> None:
    await world.fault("workload.ready", times=1)
    await world.fault("workload.delete", times=1)
    sandbox = await world.create(claim("mine"))
    await world.until(sandbox.id, SandboxState.FAILED)
    await world.engine.clock.advance(31)
    await world.require_empty(workloads=[sandbox.id])


@pytest.mark.parametrize(
    ("fault", "code"),
    [("workload.ready", ErrorCode.SANDBOX_CREATE_FAILED), (None, ErrorCode.SANDBOX_READY_TIMEOUT)],
)
async def test_a_server_that_waits_for_readiness_rolls_back_everything(
    make_world: MakeWorld, fault: str | None, code: ErrorCode
) -> None:
    world = await make_world(QUICK, Policy(wait_ready=True))
    if fault is not None:
        await world.fault(fault)
        error = await refused(world.create(claim("mine")))
    else:
        gate = await world.gate("workload.ready")
        creating = asyncio.ensure_future(world.create(claim("mine")))
        await world.held(gate)
        await world.engine.clock.advance(301)
        error = await refused(creating)
        assert error.retry_after is not None
    assert error.code is code
    await world.require_empty()


async def test_a_server_that_waits_for_readiness_answers_with_a_running_sandbox(
    make_world: MakeWorld,
) -> None:
    world = await make_world(QUICK, Policy(wait_ready=True))
    assert (await world.create()).status.state is SandboxState.RUNNING


async def test_a_caller_who_hangs_up_leaves_nothing(world: World) -> None:
    for point in ("claim.create", "workload.create", "claim.patch"):
        gate = await world.gate(point)
        creating = asyncio.ensure_future(world.create(claim("mine")))
        await world.held(gate)
        creating.cancel()
        await asyncio.wait({creating})
        assert creating.cancelled()
        await world.control.remove_gate(gate)
        await world.require_empty()


async def test_a_caller_with_a_key_who_hangs_up_finds_the_sandbox_again(world: World) -> None:
    gate = await world.gate("workload.create")
    creating = asyncio.ensure_future(world.create(claim("mine"), key="k"))
    await world.held(gate)
    creating.cancel()
    await asyncio.wait({creating})
    await world.control.remove_gate(gate)
    sandbox = await world.create(claim("mine"), key="k")
    assert world.census()["workloads"] == [sandbox.id]


async def test_a_slow_create_is_not_taken_for_a_leak(world: World) -> None:
    gate = await world.gate("workload.create")
    creating = asyncio.ensure_future(world.create(claim("mine")))
    await world.held(gate)
    before = world.volume("mine")
    await world.engine.clock.advance(600)
    assert world.volume("mine") == before is not None
    await world.control.remove_gate(gate)
    await world.delete((await creating).id)


async def test_the_quota_is_refused_without_a_trace(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, max_sandboxes=1))
    sandbox_id = await world.running()
    error = await refused(world.create(claim("mine")))
    assert (error.status, error.code) == (403, ErrorCode.SANDBOX_QUOTA_EXCEEDED)
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_no_create_after_close(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    await world.runtime.close()
    error = await refused(world.create())
    assert (error.status, error.code) == (503, ErrorCode.REQUEST_UNAVAILABLE)
    assert caplog.text == ""
