"""Pause and resume beyond the states: files, processes, images, and what happens when a step fails."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import CreatePool, PoolCapacity, PoolContainer, PoolTemplate, SandboxState
from sandkit_server.core.ports import PauseMode
from sandkit_server.runtimes.memory import MemorySettings, RegistrySettings

from .conftest import MakeWorld
from .world import QUICK, World, claim, eventually, refused


def _events(world: World, *kinds: str) -> list[tuple[str, str, Any]]:
    return [
        (e.kind, e.action, e.object.get("phase") or e.object.get("state"))
        for e in world.engine.journal.after(0)
        if e.kind in kinds
    ]


async def test_rootfs_pause_releases_compute_after_the_snapshot_is_ready(world: World) -> None:
    sandbox_id = await world.running()
    await world.pause(sandbox_id)
    view = await world.probe.view()
    assert view["processes"] == []
    assert [row["podRunning"] for row in view["workloads"]] == [False]
    steps = _events(world, "pod", "snapshot")
    assert steps.index(("snapshot", "updated", "Ready")) < steps.index(("pod", "deleted", None))
    processes = [state for _, _, state in _events(world, "process")]
    assert processes == ["running", "frozen", "running", "running"]


async def test_the_newest_content_wins_over_three_cycles(world: World) -> None:
    sandbox_id = await world.running(claim("data"), env={"MODE": "fast", "UNSET": None})
    volume = world.volume("data")
    assert volume is not None
    for cycle in range(3):
        for path in ("/state", "/mnt/data/state"):
            await world.probe.write_file(sandbox_id, path, str(cycle).encode())
        await world.pause(sandbox_id)
        await world.resume(sandbox_id)
        assert await world.probe.read_file(sandbox_id, "/state") == str(cycle).encode()
        assert await world.probe.read_file(sandbox_id, "/mnt/data/state") == str(cycle).encode()
        assert await world.probe.environment(sandbox_id) == {"env": {"MODE": "fast"}}
    after = world.volume("data")
    assert after is not None
    assert [after[key] for key in ("uid", "owners", "labels", "mountedBy")] == [
        volume[key] for key in ("uid", "owners", "labels", "mountedBy")
    ]
    await world.settled()
    assert (len(world.census()["images"]), world.census()["snapshots"]) == (1, [])


async def test_the_data_plane_answers_only_while_running(world: World) -> None:
    sandbox_id = await world.running()
    assert await world.reached(sandbox_id) == 200
    await world.pause(sandbox_id)
    assert await world.reached(sandbox_id) == 503
    await world.resume(sandbox_id)
    assert await world.reached(sandbox_id) == 200
    await world.delete(sandbox_id)
    assert await world.reached(sandbox_id) == 404


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("snapshot.create", "SnapshotRefused"),
        ("job.create", "CommitJobRefused"),
        ("snapshot.commit", "CommitFailed"),
        ("snapshot.push", "PushFailed"),
    ],
)
@pytest.mark.parametrize("action", ["error", "crash"])
async def test_a_failed_pause_leaves_the_sandbox_usable(
    world: World, point: str, reason: str, action: str
) -> None:
    sandbox_id = await world.running()
    pod = world.census()["pods"]
    await world.fault(point, action, times=1)
    await world.service.pause(sandbox_id)
    sandbox = await world.until(sandbox_id, SandboxState.RUNNING)
    assert sandbox.status.reason == reason
    assert sandbox.status.message
    await world.settled()
    found = world.census()
    assert (found["pods"], found["snapshots"], found["images"], found["jobs"]) == (pod, [], [], [])
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["running"]
    # The identical request is a new attempt, and its success clears the reason.
    paused = await world.pause(sandbox_id)
    assert (paused.status.reason, paused.status.message) == (None, None)


async def test_a_pause_whose_snapshot_object_is_removed_fails(world: World) -> None:
    sandbox_id = await world.running()
    await world.fault("snapshot.push", "vanish", times=1)
    await world.service.pause(sandbox_id)
    assert (await world.until(sandbox_id, SandboxState.RUNNING)).status.reason == "PushFailed"
    await world.settled()
    found = world.census()
    assert (found["snapshots"], found["images"], found["jobs"], len(found["pods"])) == ([], [], [], 1)


@pytest.mark.parametrize(
    ("registry", "reason"),
    [(None, "RegistryNotConfigured"), (RegistrySettings(push_secret=None), "PushSecretMissing")],
)
async def test_nothing_is_stopped_when_nothing_can_be_pushed(
    make_world: MakeWorld, registry: RegistrySettings | None, reason: str
) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, registry=registry))
    sandbox_id = await world.running()
    await world.service.pause(sandbox_id)
    assert (await world.until(sandbox_id, SandboxState.RUNNING)).status.reason == reason
    assert _events(world, "job", "snapshot", "process") == [("process", "created", "running")]


@pytest.mark.parametrize("hold", ["gate", "latency"])
async def test_a_commit_beyond_its_deadline_is_stopped(world: World, hold: str) -> None:
    sandbox_id = await world.running()
    if hold == "gate":
        await world.held_by(await world.gate("snapshot.commit"), world.service.pause(sandbox_id))
    else:
        await world.fault("snapshot.push", "latency", seconds=86_400)
        await world.service.pause(sandbox_id)
    await world.engine.clock.advance(601)
    sandbox = await world.until(sandbox_id, SandboxState.RUNNING)
    assert sandbox.status.reason == "CommitDeadline"
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["running"]
    assert world.census()["jobs"] == []


async def test_a_pod_that_cannot_be_released_keeps_the_pause_going(world: World) -> None:
    sandbox_id = await world.running()
    fault = await world.fault("pod.delete")
    await world.service.pause(sandbox_id)

    async def hits() -> int:
        return int((await world.control.list_faults())["faults"][0]["hits"])

    await eventually(hits, lambda count: count >= 3)
    assert (await world.service.get_sandbox(sandbox_id)).status.state is SandboxState.PAUSING
    assert len(world.census()["pods"]) == 1
    await world.control.remove_fault(fault)
    await world.until(sandbox_id, SandboxState.PAUSED)
    assert world.census()["pods"] == []


@pytest.mark.parametrize(
    ("point", "reason"),
    [("image.pull", "ImagePullFailed"), ("pod.create", "PodRefused"), ("workload.ready", "ReadinessFailed")],
)
async def test_a_failed_resume_stays_paused_and_can_be_repeated(
    world: World, point: str, reason: str
) -> None:
    sandbox_id = await world.running()
    await world.probe.write_file(sandbox_id, "/state", b"kept")
    await world.pause(sandbox_id)
    await world.fault(point, times=1)
    await world.service.resume(sandbox_id)
    sandbox = await world.until(sandbox_id, SandboxState.PAUSED)
    assert sandbox.status.reason == reason
    assert world.census()["pods"] == []
    resumed = await world.resume(sandbox_id)
    assert resumed.status.reason is None
    assert await world.probe.read_file(sandbox_id, "/state") == b"kept"


@pytest.mark.parametrize(
    ("point", "end"),
    [
        ("reconcile.start", SandboxState.FAILED),
        ("reconcile.pause", SandboxState.RUNNING),
        ("reconcile.resume", SandboxState.PAUSED),
    ],
)
async def test_a_transition_whose_worker_crashes_is_never_lost(
    world: World, point: str, end: SandboxState, caplog: pytest.LogCaptureFixture
) -> None:
    if point == "reconcile.start":
        await world.fault(point, "crash", times=1)
        sandbox_id = (await world.create(claim("data"))).id
    else:
        make = world.running if point == "reconcile.pause" else world.paused
        sandbox_id = await make(claim("data"))
        await world.fault(point, "crash", times=1)
        begin = world.service.pause if point == "reconcile.pause" else world.service.resume
        await begin(sandbox_id)
    sandbox = await world.until(sandbox_id, end)
    assert sandbox.status.reason == "InternalError"
    assert "injected crash" not in (sandbox.status.message or "")
    assert "injected crash" in caplog.text
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_taking_down_goes_on_after_a_crash(world: World) -> None:
    sandbox_id = await world.running(claim("data"))
    await world.fault("reconcile.stop", "crash", times=2)
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_a_missing_image_keeps_the_snapshot(world: World) -> None:
    sandbox_id = await world.paused()
    await world.settled()
    before = world.census()["snapshots"]
    await world.fault("image.pull", "vanish", times=1)
    await world.service.resume(sandbox_id)
    assert (await world.until(sandbox_id, SandboxState.PAUSED)).status.reason == "ImageMissing"
    assert world.census()["snapshots"] == before


async def test_a_missing_snapshot_object_is_the_end(world: World) -> None:
    sandbox_id = await world.paused()
    await world.settled()
    await world.probe.delete_snapshot(world.census()["snapshots"][0])
    await world.service.resume(sandbox_id)
    assert (await world.until(sandbox_id, SandboxState.FAILED)).status.reason == "SnapshotMissing"
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_a_missing_claim_keeps_it_paused(world: World) -> None:
    sandbox_id = await world.paused(claim("data"))
    await world.probe.delete_volume("data")
    await world.service.resume(sandbox_id)
    assert (await world.until(sandbox_id, SandboxState.PAUSED)).status.reason == "VolumeMissing"


async def test_replicas_other_than_one_are_refused(world: World) -> None:
    await world.probe.seed_workload({"sandboxId": "sbx-many", "replicas": 2})
    error = await refused(world.service.pause("sbx-many"))
    assert error.code is ErrorCode.SANDBOX_INVALID_STATE
    assert "2" in error.message
    assert (await world.service.get_sandbox("sbx-many")).status.state is SandboxState.RUNNING


async def test_freeze_stops_the_processes_in_place(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, pause_mode=PauseMode.FREEZE))
    sandbox_id = await world.running()
    await world.probe.write_file(sandbox_id, "/state", b"kept")
    (before,) = (await world.probe.view())["processes"]
    await world.pause(sandbox_id)
    (paused,) = (await world.probe.view())["processes"]
    await world.resume(sandbox_id)
    (after,) = (await world.probe.view())["processes"]
    assert (before["state"], paused["state"], after) == ("running", "frozen", before)
    assert world.census()["images"] == []
    assert await world.probe.read_file(sandbox_id, "/state") == b"kept"


async def test_a_freeze_or_thaw_that_fails_changes_nothing(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, pause_mode=PauseMode.FREEZE))
    sandbox_id = await world.running()
    await world.fault("pod.freeze", times=1)
    await world.service.pause(sandbox_id)
    status = (await world.until(sandbox_id, SandboxState.RUNNING)).status
    assert status.reason == "FreezeFailed"
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["running"]
    await world.pause(sandbox_id)
    await world.fault("pod.thaw", "crash", times=1)
    await world.service.resume(sandbox_id)
    status = (await world.until(sandbox_id, SandboxState.PAUSED)).status
    assert status.reason == "ThawFailed"
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["frozen"]
    await world.resume(sandbox_id)


@pytest.mark.parametrize(("what", "point"), [("pause", "pod.freeze"), ("resume", "pod.thaw")])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("end", ["kill", "delete", "loss"])
async def test_a_freeze_or_thaw_that_is_cut_short(
    make_world: MakeWorld, what: str, point: str, when: str, end: str
) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, pause_mode=PauseMode.FREEZE))
    sandbox_id = await (world.running if what == "pause" else world.paused)(claim("data"))
    gate = await world.gate(point, when)
    begin = world.service.pause if what == "pause" else world.service.resume
    await world.held_by(gate, begin(sandbox_id))
    if end == "kill":
        await world.restart()
        await world.control.remove_gate(gate)
        done = SandboxState.PAUSED if what == "pause" else SandboxState.RUNNING
        await world.until(sandbox_id, done)
        frozen = "frozen" if what == "pause" else "running"
        assert [row["state"] for row in (await world.probe.view())["processes"]] == [frozen]
        await world.delete(sandbox_id)
    elif end == "delete":
        await world.delete(sandbox_id)
    else:
        await world.probe.delete_workload(sandbox_id)
    await world.require_empty()


async def test_a_runtime_that_cannot_pause_says_so_and_changes_nothing(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, pause_mode=None))
    sandbox_id = await world.running()
    last = world.engine.journal.last
    for call in (world.service.pause, world.service.resume):
        error = await refused(call(sandbox_id))
        assert (error.status, error.code) == (501, ErrorCode.SANDBOX_API_NOT_SUPPORTED)
        assert (await refused(call("sbx-unknown"))).code is ErrorCode.SANDBOX_SANDBOX_NOT_FOUND
    assert world.engine.journal.last == last


async def test_a_pooled_sandbox_leaves_its_pool_and_keeps_its_template(world: World) -> None:
    container = PoolContainer(image="python:3.12-slim", command=("sleep", "60"), env={"FROM": "pool"})
    capacity = PoolCapacity(buffer_min=1, buffer_max=1, pool_min=0, pool_max=5)
    await world.service.create_pool(
        CreatePool(name="warm", template=PoolTemplate(containers=(container,)), capacity=capacity)
    )
    await eventually(lambda: world.service.get_pool("warm"), lambda pool: pool.status.available == 1)
    sandbox = await world.create(
        image=None, entrypoint=None, resource_limits=None, extensions={"poolRef": "warm"}, env={"MINE": "1"}
    )
    await world.until(sandbox.id, SandboxState.RUNNING)
    assert (await world.service.get_pool("warm")).status.allocated == 1
    await world.pause(sandbox.id)
    assert (await world.service.get_pool("warm")).status.allocated == 0
    assert (await world.probe.view())["workloads"][0]["poolRef"] is None
    resumed = await world.resume(sandbox.id)
    assert (resumed.image_uri, resumed.entrypoint) == ("python:3.12-slim", ("sleep", "60"))
    assert await world.probe.environment(sandbox.id) == {"env": {"FROM": "pool", "MINE": "1"}}


def test_quick_settings_differ_from_the_defaults_in_speed_only() -> None:
    assert (
        MemorySettings(transition_seconds=QUICK.transition_seconds, retry_seconds=QUICK.retry_seconds)
        == QUICK
    )
