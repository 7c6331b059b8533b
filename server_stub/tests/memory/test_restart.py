"""The server is killed at every step, before and after its effect; another one finishes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from sandkit_server.core import service
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import SandboxState, SnapshotState

from .world import CALLER, World, claim, eventually

Scenario = Callable[[World], Awaitable[object]]


async def _kill_at(world: World, point: str, when: str, act: Scenario) -> None:
    gate = await world.gate(point, when)
    acting = asyncio.ensure_future(act(world))
    await world.held(gate)
    await world.runtime.kill()
    with contextlib.suppress(BaseException):
        await acting
    await world.control.remove_gate(gate)
    world.runtime = world._compose()
    await world.runtime.start()
    await world.settled()


def _both(*points: str) -> list[tuple[str, str]]:
    return [(point, when) for point in points for when in ("before", "after")]


@pytest.mark.parametrize(
    ("point", "when"),
    [
        ("claim.get", "before"),
        *_both(
            "claim.create",
            "workload.create",
            "claim.patch",
            "image.pull",
            "pod.create",
            "workload.ready",
        ),
    ],
)
async def test_killed_while_creating(world: World, point: str, when: str) -> None:
    before = await world.seed_foreign_claims()

    async def act(world: World) -> object:
        return await world.running(claim("mine"), claim("kept", opt_in=False), key="k")

    await _kill_at(world, point, when, act)
    # Whatever was left is either a complete sandbox or nothing but the claim nobody opted in for.
    living = [record.id for record in world.engine.workloads]
    if living:
        await world.until(living[0], SandboxState.RUNNING)
        mine = world.volume("mine")
        assert mine is not None
        assert [edge["name"] for edge in mine["owners"]] == living
        kept = world.volume("kept")
        assert kept is not None
        assert (kept["owners"], kept["labels"]) == ([], {})
    else:
        assert world.volume("mine") is None
    # The client, whose answer was lost, repeats its request and gets one sandbox.
    sandbox = await world.create(claim("mine"), claim("kept", opt_in=False), key="k")
    assert living in ([], [sandbox.id])
    await world.until(sandbox.id, SandboxState.RUNNING)
    await world.delete(sandbox.id)
    await world.require_empty(volumes=["decoy-managed", "decoy-other", "decoy-plain", "kept"])
    assert {name: world.volume(name) for name in before} == before


@pytest.mark.parametrize(
    ("point", "when"),
    _both(
        "reconcile.pause",
        "snapshot.create",
        "job.create",
        "snapshot.commit",
        "snapshot.push",
        "pod.delete",
        "job.delete",
    ),
)
async def test_killed_while_pausing(world: World, point: str, when: str) -> None:
    sandbox_id = await world.running(claim("data"))
    await world.probe.write_file(sandbox_id, "/state", b"kept")
    await world.probe.write_file(sandbox_id, "/mnt/data/file", b"data")
    before = world.volume("data")
    await _kill_at(world, point, when, lambda world: world.service.pause(sandbox_id))
    await world.until(sandbox_id, SandboxState.PAUSED)
    await world.settled()

    async def census() -> dict[str, list[str]]:
        return world.census()

    await eventually(
        census, lambda found: (len(found["snapshots"]), len(found["images"]), found["jobs"]) == (1, 1, [])
    )
    assert world.census()["pods"] == []
    await world.resume(sandbox_id)
    assert await world.probe.read_file(sandbox_id, "/state") == b"kept"
    assert await world.probe.read_file(sandbox_id, "/mnt/data/file") == b"data"
    after = world.volume("data")
    assert before is not None
    assert after is not None
    assert (after["uid"], after["owners"], after["digest"]) == (
        before["uid"],
        before["owners"],
        before["digest"],
    )
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_a_source_stopped_by_a_killed_committer_goes_on(world: World) -> None:
    sandbox_id = await world.running()
    gate = await world.gate("snapshot.commit")
    await world.held_by(gate, world.service.pause(sandbox_id))
    await world.runtime.kill()
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["frozen"]
    await world.fault("snapshot.create", times=1)
    await world.restart()
    await world.until(sandbox_id, SandboxState.RUNNING)
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["running"]
    await world.control.remove_gate(gate)
    await world.settled()
    assert (world.census()["snapshots"], world.census()["jobs"]) == ([], [])


@pytest.mark.parametrize(
    ("point", "when"),
    _both("reconcile.resume", "image.pull", "pod.create", "workload.ready", "snapshot.delete"),
)
async def test_killed_while_resuming(world: World, point: str, when: str) -> None:
    sandbox_id = await world.running()
    await world.probe.write_file(sandbox_id, "/state", b"kept")
    await world.pause(sandbox_id)
    await _kill_at(world, point, when, lambda world: world.resume(sandbox_id))
    await world.until(sandbox_id, SandboxState.RUNNING)
    await world.settled()
    assert await world.probe.read_file(sandbox_id, "/state") == b"kept"
    found = world.census()
    assert (len(found["pods"]), found["snapshots"], found["jobs"]) == (1, [], [])
    await world.delete(sandbox_id)
    await world.require_empty()


@pytest.mark.parametrize(
    ("point", "when"),
    _both(
        "workload.delete",
        "claim.list",
        "claim.delete",
        "reconcile.stop",
        "pod.delete",
        "snapshot.delete",
        "image.delete",
    ),
)
async def test_killed_while_deleting_a_paused_sandbox(world: World, point: str, when: str) -> None:
    if point == "pod.delete":
        sandbox_id = await world.running(claim("mine"), claim("kept", opt_in=False))
    else:
        sandbox_id = await world.paused(claim("mine"), claim("kept", opt_in=False))
    await world.settled()
    await _kill_at(world, point, when, lambda world: world.service.delete_sandbox(sandbox_id))
    with contextlib.suppress(SandkitError):
        await world.service.delete_sandbox(sandbox_id)
    await world.require_empty(volumes=["kept"])


@pytest.mark.parametrize(
    ("point", "when"),
    _both("reconcile.snapshot", "job.create", "snapshot.commit", "snapshot.push", "job.delete"),
)
async def test_killed_while_taking_a_snapshot(world: World, point: str, when: str) -> None:
    sandbox_id = await world.running()
    await world.probe.write_file(sandbox_id, "/state", b"kept")
    gate_free: list[str] = []

    async def act(world: World) -> object:
        snapshot = await world.service.create_snapshot(sandbox_id, None, CALLER)
        gate_free.append(snapshot.id)
        return snapshot

    await _kill_at(world, point, when, act)
    await world.until_snapshot(gate_free[0], SnapshotState.READY)
    await world.settled()
    assert [process["state"] for process in (await world.probe.view())["processes"]] == ["running"]
    assert world.census()["jobs"] == []
    await world.service.delete_snapshot(gate_free[0])
    await world.delete(sandbox_id)
    await world.require_empty()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_killed_while_expiring(world: World, when: str) -> None:
    sandbox_id = await world.paused(claim("mine"), timeout_seconds=60)

    async def act(world: World) -> object:
        return await world.engine.clock.advance(61)

    await _kill_at(world, "reconcile.expire", when, act)
    await world.gone(sandbox_id)
    await world.require_empty()


async def test_killed_between_delete_and_sweep_of_a_claim_without_owner(world: World) -> None:
    await world.fault("claim.patch", status=403)
    sandbox_id = await world.running(claim("mine"))
    await _kill_at(world, "claim.list", "before", lambda world: world.service.delete_sandbox(sandbox_id))
    await world.require_empty()


@pytest.mark.parametrize(("point", "when"), _both("workload.delete", "claim.list", "claim.delete"))
async def test_killed_while_giving_up_what_never_got_ready(world: World, point: str, when: str) -> None:
    await world.fault("image.pull")

    async def act(world: World) -> object:
        return await world.create(claim("mine"))

    await _kill_at(world, point, when, act)
    (sandbox_id,) = world.census()["workloads"]
    failed = await world.until(sandbox_id, SandboxState.FAILED)
    assert failed.status.reason == "ImagePullFailed"
    await world.require_empty(workloads=[sandbox_id])


@pytest.mark.parametrize("point", ["claim.list", "workload.list", "claim.delete", "workload.get"])
@pytest.mark.parametrize("action", ["error", "crash"])
async def test_a_look_that_fails_is_followed_by_another(world: World, point: str, action: str) -> None:
    await _kill_at(world, "workload.create", "before", lambda world: world.create(claim("mine")))
    await world.require_empty()
    labels = {"opensandbox.io/volume-managed-by": "server", "opensandbox.io/id": "sbx-long-gone"}
    await world.probe.seed_volume({"name": "left-behind", "labels": labels})
    await world.fault(point, action, times=2)
    await world.restart()
    assert world.census()["volumes"] == ["left-behind"]
    await world.engine.clock.advance(120)
    await world.require_empty()


@pytest.mark.parametrize("hold", ["snapshot.commit", "snapshot.push", "pod.delete"])
async def test_a_graceful_restart_in_the_middle_of_a_pause(world: World, hold: str) -> None:
    sandbox_id = await world.running()
    gate = await world.gate(hold)
    await world.service.pause(sandbox_id)
    await world.held(gate)
    await world.fault("job.delete", times=2)
    await world.restart(graceful=True)
    await world.control.remove_gate(gate)
    await world.until(sandbox_id, SandboxState.PAUSED)
    await world.delete(sandbox_id)
    await world.require_empty()


@pytest.mark.parametrize(("ending", "answer"), [("kill", "Killed"), ("close", "SandkitError")])
async def test_what_a_create_under_way_answers_when_the_server_ends(
    world: World, ending: str, answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_CLOSE_GRACE", 0.01)
    gate = await world.gate("claim.create")
    creating = asyncio.ensure_future(world.create(claim("mine")))
    await world.held(gate)
    await getattr(world.runtime, ending)()
    with pytest.raises(BaseException) as raised:
        await creating
    assert type(raised.value).__name__ == answer


async def test_a_graceful_restart_lets_a_create_finish(world: World) -> None:
    gate = await world.gate("claim.create")
    creating = asyncio.ensure_future(world.create(claim("mine")))
    await world.held(gate)
    restarting = asyncio.ensure_future(world.restart(graceful=True))
    await asyncio.sleep(0.01)
    assert not restarting.done()
    await world.control.release_gate(gate)
    sandbox = await creating
    await restarting
    await world.until(sandbox.id, SandboxState.RUNNING)
