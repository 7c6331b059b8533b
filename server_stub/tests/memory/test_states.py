"""What each operation answers in each state is what the generated table says, and so is every step taken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from sandkit_server._generated.states import OPERATIONS, SANDBOX_TRANSITIONS
from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import EndpointQuery, SandboxState

from .world import CALLER, World, claim, eventually, refused

UNKNOWN = "sbx-unknown"


async def _pending(world: World) -> str:
    await world.gate("workload.ready")
    return (await world.create(timeout_seconds=3600)).id


async def _running(world: World) -> str:
    return await world.running(timeout_seconds=3600)


async def _pausing(world: World) -> str:
    sandbox_id = await _running(world)
    await world.gate("snapshot.commit")
    await world.service.pause(sandbox_id)
    return sandbox_id


async def _paused(world: World) -> str:
    return await world.paused(timeout_seconds=3600)


async def _resuming(world: World) -> str:
    sandbox_id = await _paused(world)
    await world.gate("pod.create")
    await world.service.resume(sandbox_id)
    return sandbox_id


async def _stopping(world: World) -> str:
    sandbox_id = await _running(world)
    await world.gate("pod.delete")
    await world.service.delete_sandbox(sandbox_id)
    return sandbox_id


async def _failed(world: World) -> str:
    await world.fault("image.pull")
    sandbox = await world.create(timeout_seconds=3600)
    await world.until(sandbox.id, SandboxState.FAILED)
    return sandbox.id


async def _unknown(_: World) -> str:
    return UNKNOWN


STATES: dict[str, Callable[[World], Awaitable[str]]] = {
    SandboxState.PENDING: _pending,
    SandboxState.RUNNING: _running,
    SandboxState.PAUSING: _pausing,
    SandboxState.PAUSED: _paused,
    SandboxState.RESUMING: _resuming,
    SandboxState.STOPPING: _stopping,
    SandboxState.FAILED: _failed,
    "(unknown)": _unknown,
}
CALLS: dict[str, Callable[[World, str], Awaitable[Any]]] = {
    "getSandbox": lambda world, sandbox_id: world.service.get_sandbox(sandbox_id),
    "patchSandboxMetadata": lambda world, sandbox_id: world.service.patch_metadata(sandbox_id, {"a": "b"}),
    "pauseSandbox": lambda world, sandbox_id: world.service.pause(sandbox_id),
    "resumeSandbox": lambda world, sandbox_id: world.service.resume(sandbox_id),
    "renewSandboxExpiration": lambda world, sandbox_id: world.service.renew(
        sandbox_id, world.engine.clock.now() + timedelta(hours=2)
    ),
    "createSnapshot": lambda world, sandbox_id: world.service.create_snapshot(sandbox_id, None, CALLER),
    "getSandboxEndpoint": lambda world, sandbox_id: world.service.endpoint(
        sandbox_id, EndpointQuery(port=8000)
    ),
    "getSandboxLogs": lambda world, sandbox_id: world.service.logs(sandbox_id),
    "getSandboxEvents": lambda world, sandbox_id: world.service.events(sandbox_id),
    "deleteSandbox": lambda world, sandbox_id: world.service.delete_sandbox(sandbox_id),
}


def test_the_table_below_covers_the_generated_one() -> None:
    observable = {(operation, state) for operation in CALLS for state in (*STATES, SandboxState.TERMINATED)}
    of_sandboxes = {key for key in OPERATIONS if key[0] in CALLS}
    assert of_sandboxes == observable
    assert {"getSandbox", "deleteSnapshot", "createSandbox"} <= {operation for operation, _ in OPERATIONS}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("operation", CALLS)
async def test_answers_by_state(world: World, operation: str, state: str) -> None:
    sandbox_id = await STATES[state](world)
    outcome = OPERATIONS[operation, state]
    before = world.census()
    if outcome.code is not None:
        error = await refused(CALLS[operation](world, sandbox_id))
        assert (error.status, error.code) == (outcome.status, outcome.code)
        assert sandbox_id in error.message
        assert world.census() == before
        if state != "(unknown)":
            assert (await world.service.get_sandbox(sandbox_id)).status.state == state
        return
    await CALLS[operation](world, sandbox_id)
    if outcome.to is not None:
        assert (await world.service.get_sandbox(sandbox_id)).status.state == outcome.to


async def test_every_step_is_legal_and_moves_the_instant_of_the_last_transition(world: World) -> None:
    sandbox_id = await world.running(claim("data"))
    await world.pause(sandbox_id)
    await world.fault("image.pull", times=1)
    await world.service.resume(sandbox_id)
    await world.settled()
    await world.resume(sandbox_id)
    await world.delete(sandbox_id)
    legal = {(step.source, step.target) for step in SANDBOX_TRANSITIONS}
    phases = [e.object["phase"] for e in world.engine.journal.after(0) if e.kind == "workload"]
    steps = [(a, b) for a, b in pairwise(phases) if a != b]
    assert set(steps) <= legal
    assert [target for _, target in steps] == [
        "Running", "Pausing", "Paused", "Resuming", "Paused", "Resuming", "Running", "Stopping", "Terminated",
    ]  # fmt: skip


async def test_the_instant_moves_with_every_change_of_state_and_with_nothing_else(world: World) -> None:
    sandbox_id = await world.running()
    running = (await world.service.get_sandbox(sandbox_id)).status
    patched = (await world.service.patch_metadata(sandbox_id, {"a": "b"})).status
    pausing = (await world.service.pause(sandbox_id)).status
    paused = (await world.until(sandbox_id, SandboxState.PAUSED)).status
    assert running == patched
    assert running.last_transition_at < pausing.last_transition_at < paused.last_transition_at


@pytest.mark.parametrize("racers", [2, 10])
async def test_of_racing_pauses_and_resumes_one_wins(world: World, racers: int) -> None:
    sandbox_id = await world.running()
    for call, end in (
        (world.service.pause, SandboxState.PAUSED),
        (world.service.resume, SandboxState.RUNNING),
    ):
        # All have read the same version before any of them writes.
        gate = await world.gate("workload.update")
        calls = [asyncio.ensure_future(call(sandbox_id)) for _ in range(racers)]
        await eventually(partial(world.control.gate, gate, 0.0), lambda row: row["held"] == racers)
        await world.control.remove_gate(gate)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        codes = [getattr(answer, "code", None) for answer in answers]
        assert sorted(codes, key=str) == [None] * 1 + [ErrorCode.SANDBOX_INVALID_STATE] * (racers - 1)
        await world.until(sandbox_id, end)
    created = [e for e in world.engine.journal.after(0) if (e.kind, e.action) == ("snapshot", "created")]
    assert len(created) == 1


async def test_a_pause_wins_over_a_metadata_patch_in_between(world: World) -> None:
    sandbox_id = await world.running()
    gate = await world.gate("workload.update", index=0)
    pausing = asyncio.ensure_future(world.service.pause(sandbox_id))
    await world.held(gate)
    await world.service.patch_metadata(sandbox_id, {"team": "search"})
    await world.control.release_gate(gate)
    assert (await pausing).metadata == {"team": "search"}
    await world.until(sandbox_id, SandboxState.PAUSED)


async def test_endless_contention_is_an_answer_to_try_again(world: World) -> None:
    sandbox_id = await world.running()
    await world.fault("workload.update", status=409)
    error = await refused(world.service.pause(sandbox_id))
    assert (error.code, error.retry_after) == (ErrorCode.REQUEST_UNAVAILABLE, 1.0)
    assert (await world.service.get_sandbox(sandbox_id)).status.state is SandboxState.RUNNING


async def test_identity_survives_a_pause(world: World) -> None:
    sandbox_id = await world.running(metadata={"team": "search"}, timeout_seconds=3600)
    before = await world.service.get_sandbox(sandbox_id)
    paused = await world.pause(sandbox_id)
    resumed = await world.resume(sandbox_id)
    for after in (paused, resumed):
        assert (after.id, after.metadata, after.entrypoint, after.expires_at, after.created_at) == (
            before.id, before.metadata, before.entrypoint, before.expires_at, before.created_at,
        )  # fmt: skip


async def test_a_read_costs_no_copies(world: World) -> None:
    sandbox_id = await world.running()
    assert await world.service.get_sandbox(sandbox_id) is await world.service.get_sandbox(sandbox_id)
