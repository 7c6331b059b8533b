"""Deletes and expiries, whatever is going on at the time (requirements DEL-*, TTL-*)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import SandboxState

from .world import World, claim, refused

TRANSITIONS = [
    ("start", "image.pull"),
    ("start", "pod.create"),
    ("start", "workload.ready"),
    ("pause", "snapshot.create"),
    ("pause", "job.create"),
    ("pause", "snapshot.commit"),
    ("pause", "snapshot.push"),
    ("pause", "pod.delete"),
    ("resume", "image.pull"),
    ("resume", "pod.create"),
    ("resume", "workload.ready"),
]


async def _in_transition(world: World, what: str, point: str, when: str) -> tuple[str, str]:
    """A sandbox held at ``point`` of a transition, and the gate."""
    if what == "start":
        gate = await world.gate(point, when)
        sandbox = await world.create(claim("mine"), claim("kept", opt_in=False), timeout_seconds=60)
        await world.held(gate)
        return sandbox.id, gate
    make = world.running if what == "pause" else world.paused
    sandbox_id = await make(claim("mine"), claim("kept", opt_in=False), timeout_seconds=60)
    gate = await world.gate(point, when)
    begin = world.service.pause if what == "pause" else world.service.resume
    await begin(sandbox_id)
    await world.held(gate)
    return sandbox_id, gate


@pytest.mark.parametrize("end", ["delete", "expiry"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("what", "point"), TRANSITIONS)
async def test_no_orphan_and_no_resurrection(
    world: World, what: str, point: str, when: str, end: str
) -> None:
    sandbox_id, gate = await _in_transition(world, what, point, when)
    if end == "delete":
        await world.service.delete_sandbox(sandbox_id)
    else:
        await world.engine.clock.advance(61)
    await world.control.remove_gate(gate)
    await world.gone(sandbox_id)
    await world.require_empty(volumes=["kept"])
    # Whatever was held has been let go by now; nothing may come of it.
    await world.settled()
    await world.require_empty(volumes=["kept"])


async def test_a_delete_does_not_wait_for_what_is_held(world: World) -> None:
    sandbox_id, gate = await _in_transition(world, "pause", "snapshot.commit", "before")
    await world.delete(sandbox_id)
    await world.require_empty(volumes=["kept"])
    assert (await world.control.gate(gate, 0))["held"] == 0


async def test_deleting_a_paused_sandbox_removes_snapshot_and_image(world: World) -> None:
    sandbox_id = await world.paused()
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_concurrent_deletes_are_204_or_404(world: World) -> None:
    sandbox_id = await world.running(claim("mine"))
    answers = await asyncio.gather(
        *(world.service.delete_sandbox(sandbox_id) for _ in range(8)), return_exceptions=True
    )
    assert {None if answer is None else getattr(answer, "status", answer) for answer in answers} <= {
        None,
        404,
    }
    assert None in answers
    await world.gone(sandbox_id)
    assert (await refused(world.service.delete_sandbox(sandbox_id))).status == 404
    await world.require_empty()


@pytest.mark.parametrize("point", ["pod.delete", "job.delete", "snapshot.delete", "image.delete"])
async def test_what_cannot_be_removed_at_first_is_removed_in_the_end(world: World, point: str) -> None:
    sandbox_id = await (world.paused if point in ("snapshot.delete", "image.delete") else world.running)()
    if point == "job.delete":
        await world.held_by(await world.gate("snapshot.commit"), world.service.pause(sandbox_id))
    await world.fault(point, times=3)
    await world.service.delete_sandbox(sandbox_id)
    await world.gone(sandbox_id)
    await world.require_empty()
    (fault,) = (await world.control.list_faults())["faults"]
    assert fault["hits"] == 3


async def test_expiry_while_paused_terminates(world: World) -> None:
    sandbox_id = await world.paused(claim("mine"), timeout_seconds=60)
    await world.engine.clock.advance(30)
    assert (await world.service.get_sandbox(sandbox_id)).status.state is SandboxState.PAUSED
    await world.engine.clock.advance(31)
    await world.gone(sandbox_id)
    await world.require_empty()


async def test_expiry_is_told_by_the_status(world: World) -> None:
    sandbox_id = await world.running(timeout_seconds=60)
    gate = await world.gate("pod.delete")
    await world.engine.clock.advance(61)
    await world.held(gate)
    status = (await world.service.get_sandbox(sandbox_id)).status
    assert (status.state, status.reason) == (SandboxState.STOPPING, "Expired")


async def test_an_expiry_that_fails_at_first_comes_about_in_the_end(world: World) -> None:
    sandbox_id = await world.running(timeout_seconds=60)
    await world.fault("reconcile.expire", times=3)
    await world.engine.clock.advance(120)
    await world.gone(sandbox_id)


async def test_renewing_while_paused_survives_the_resume(world: World) -> None:
    sandbox_id = await world.paused(timeout_seconds=60)
    later = world.engine.clock.now() + timedelta(seconds=600)
    assert await world.service.renew(sandbox_id, later) == later
    resumed = await world.resume(sandbox_id)
    assert resumed.expires_at == later
    await world.engine.clock.advance(300)
    await world.service.get_sandbox(sandbox_id)
    await world.engine.clock.advance(301)
    await world.gone(sandbox_id)


async def test_renewing_to_an_earlier_instant_counts(world: World) -> None:
    sandbox_id = await world.running(timeout_seconds=3600)
    await world.service.renew(sandbox_id, world.engine.clock.now() + timedelta(seconds=10))
    await world.engine.clock.advance(11)
    await world.gone(sandbox_id)


async def test_what_cannot_be_renewed(world: World) -> None:
    endless = await world.running()
    limited = await world.running(timeout_seconds=60)
    now = world.engine.clock.now()
    error = await refused(world.service.renew(endless, now + timedelta(hours=1)))
    assert (error.status, error.code) == (409, ErrorCode.SANDBOX_NO_AUTOMATIC_EXPIRATION)
    for instant in (now, now - timedelta(days=1)):
        error = await refused(world.service.renew(limited, instant))
        assert (error.status, error.code) == (400, ErrorCode.SANDBOX_INVALID_EXPIRATION)
        assert error.details[0].pointer == "/expiresAt"


async def test_an_expiry_beats_a_pause_that_comes_too_late(world: World) -> None:
    sandbox_id = await world.running(timeout_seconds=60)
    gate = await world.gate("workload.update")
    pausing = asyncio.ensure_future(world.service.pause(sandbox_id))
    await world.held(gate)
    await world.engine.clock.advance(61)
    await world.control.remove_gate(gate)
    with pytest.raises(SandkitError) as raised:
        await pausing
    assert raised.value.status in (404, 409)
    await world.require_empty()
