"""Snapshots users ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from sandkit_server._generated.states import OPERATIONS
from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import PageRequest, SandboxState, SnapshotFilter, SnapshotState
from sandkit_server.runtimes.memory import MemorySettings

from .conftest import MakeWorld
from .world import CALLER, World, eventually, refused

FROM_SNAPSHOT: dict[str, Any] = {"image": None, "entrypoint": None}


async def test_a_sandbox_made_from_a_snapshot_has_its_files(world: World) -> None:
    source = await world.running()
    await world.probe.write_file(source, "/state", b"before")
    snapshot = await world.snapshot(source, "nightly")
    await world.probe.write_file(source, "/state", b"after")
    await world.delete(source)
    copy = await world.create(**FROM_SNAPSHOT, snapshot_id=snapshot.id)
    assert (copy.snapshot_id, copy.image_uri, copy.entrypoint) == (
        snapshot.id,
        None,
        ("tail", "-f", "/dev/null"),
    )
    await world.until(copy.id, SandboxState.RUNNING)
    assert await world.probe.read_file(copy.id, "/state") == b"before"
    # A running copy needs the snapshot no more; paused and resumed it keeps its own files.
    await world.service.delete_snapshot(snapshot.id)
    await world.pause(copy.id)
    await world.resume(copy.id)
    assert await world.probe.read_file(copy.id, "/state") == b"before"
    await world.delete(copy.id)
    await world.require_empty()


async def test_the_source_stays_running(world: World) -> None:
    source = await world.running()
    before = (await world.service.get_sandbox(source)).status
    await world.snapshot(source)
    assert (await world.service.get_sandbox(source)).status == before


async def _snapshot_in(world: World, state: str) -> str:
    source = await world.running()
    if state == SnapshotState.READY:
        return (await world.snapshot(source)).id
    if state == SnapshotState.FAILED:
        await world.fault("snapshot.push", times=1)
        snapshot = await world.service.create_snapshot(source, None, CALLER)
        await world.until_snapshot(snapshot.id, SnapshotState.FAILED)
        return snapshot.id
    if state == SnapshotState.DELETING:
        snapshot = await world.snapshot(source)
        await world.gate("image.delete")
        await world.service.delete_snapshot(snapshot.id)
        return snapshot.id
    await world.gate("snapshot.commit")
    return (await world.service.create_snapshot(source, None, CALLER)).id


@pytest.mark.parametrize("state", SnapshotState)
@pytest.mark.parametrize("operation", ["getSnapshot", "deleteSnapshot", "createSandbox"])
async def test_answers_by_state(world: World, operation: str, state: str) -> None:
    snapshot_id = await _snapshot_in(world, state)
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "getSnapshot": lambda: world.service.get_snapshot(snapshot_id),
        "deleteSnapshot": lambda: world.service.delete_snapshot(snapshot_id),
        "createSandbox": lambda: world.create(**FROM_SNAPSHOT, snapshot_id=snapshot_id),
    }
    outcome = OPERATIONS[operation, state]
    if outcome.code is not None:
        error = await refused(calls[operation]())
        assert (error.status, error.code) == (outcome.status, outcome.code)
        assert (await world.service.get_snapshot(snapshot_id)).status.state == state
    else:
        await calls[operation]()


@pytest.mark.parametrize("call", ["get", "delete", "create"])
async def test_the_unknown_snapshot(world: World, call: str) -> None:
    calls: dict[str, Callable[[], Awaitable[Any]]] = {
        "get": lambda: world.service.get_snapshot("snap-none"),
        "delete": lambda: world.service.delete_snapshot("snap-none"),
        "create": lambda: world.create(**FROM_SNAPSHOT, snapshot_id="snap-none"),
    }
    assert (await refused(calls[call]())).code is ErrorCode.SNAPSHOT_NOT_FOUND


async def test_no_delete_while_a_sandbox_starts_from_it(world: World) -> None:
    snapshot = await world.snapshot(await world.running())
    gate = await world.gate("image.pull")
    copy = await world.create(**FROM_SNAPSHOT, snapshot_id=snapshot.id)
    await world.held(gate)
    error = await refused(world.service.delete_snapshot(snapshot.id))
    assert (error.status, error.code) == (409, ErrorCode.SNAPSHOT_DELETE_CONFLICT)
    await world.control.remove_gate(gate)
    await world.until(copy.id, SandboxState.RUNNING)
    await world.service.delete_snapshot(snapshot.id)


@pytest.mark.parametrize(
    ("point", "reason"),
    [
        ("job.create", "CommitJobRefused"),
        ("snapshot.commit", "CommitFailed"),
        ("snapshot.push", "PushFailed"),
    ],
)
async def test_a_failed_snapshot_says_why_and_leaves_the_source_alone(
    world: World, point: str, reason: str
) -> None:
    source = await world.running()
    await world.fault(point, times=1)
    snapshot = await world.service.create_snapshot(source, None, CALLER)
    failed = await world.until_snapshot(snapshot.id, SnapshotState.FAILED)
    assert failed.status.reason == reason
    assert [row["state"] for row in (await world.probe.view())["processes"]] == ["running"]
    await world.service.delete_snapshot(snapshot.id)
    await world.delete(source)
    await world.require_empty()


@pytest.mark.parametrize("end", ["delete", "expiry"])
async def test_a_snapshot_whose_source_goes_away_fails(world: World, end: str) -> None:
    source = await world.running(timeout_seconds=60)
    gate = await world.gate("reconcile.snapshot")
    snapshot = await world.service.create_snapshot(source, None, CALLER)
    await world.held(gate)
    if end == "delete":
        await world.delete(source)
    else:
        await world.engine.clock.advance(61)
        await world.gone(source)
    await world.control.remove_gate(gate)
    failed = await world.until_snapshot(snapshot.id, SnapshotState.FAILED)
    assert failed.status.reason == "SourceGone"


async def test_a_deleted_snapshot_is_unknown_and_its_image_gone(world: World) -> None:
    snapshot = await world.snapshot(await world.running())
    fault = await world.fault("image.delete", times=2, match={"name": world.census()["images"][0]})
    await world.service.delete_snapshot(snapshot.id)

    async def images() -> list[str]:
        return world.census()["images"]

    await eventually(images, lambda found: found == [])
    assert world.engine.disturbances.faults[fault].hits == 2
    await world.settled()
    assert (await refused(world.service.get_snapshot(snapshot.id))).status == 404


async def test_the_intent_holds_only_for_what_was_read(world: World) -> None:
    source = await world.running()
    gate = await world.gate("snapshot.create", index=0)
    asking = asyncio.ensure_future(world.service.create_snapshot(source, None, CALLER))
    await world.held(gate)
    await world.service.pause(source)
    await world.control.remove_gate(gate)
    error = await refused(asking)
    assert error.code is ErrorCode.SNAPSHOT_INVALID_SOURCE_STATE


async def test_listing_with_filters(world: World) -> None:
    one, two = await world.running(), await world.running()
    nightly = await world.snapshot(one, "nightly")
    plain = await world.snapshot(two)
    await world.pause(two)

    async def found(**selection: object) -> list[str]:
        page = await world.service.list_snapshots(SnapshotFilter(**selection), PageRequest())  # type: ignore[arg-type]
        return [snapshot.id for snapshot in page.items]

    assert await found() == [nightly.id, plain.id]
    assert await found(sandbox_id=two) == [plain.id]
    assert await found(name="nightly") == [nightly.id]
    assert await found(states=frozenset({"READY", "creating"})) == [nightly.id, plain.id]
    assert await found(states=frozenset({"failed"})) == []


async def test_a_runtime_without_snapshots(make_world: MakeWorld) -> None:
    world = await make_world(MemorySettings(transition_seconds=0.002, snapshots=False))
    sandbox_id = await world.running()
    last = world.engine.journal.last
    for call in (
        world.service.create_snapshot(sandbox_id, None, CALLER),
        world.service.list_snapshots(SnapshotFilter(), PageRequest()),
        world.service.get_snapshot("snap-1"),
        world.service.delete_snapshot("snap-1"),
        world.create(**FROM_SNAPSHOT, snapshot_id="snap-1"),
    ):
        error = await refused(call)
        assert (error.status, error.code) == (501, ErrorCode.SNAPSHOT_UNSUPPORTED_RUNTIME)
    assert world.engine.journal.last == last
