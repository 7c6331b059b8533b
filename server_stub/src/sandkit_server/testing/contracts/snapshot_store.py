"""What every snapshot store must do.

An adapter's test class names the fixtures ``workloads`` and ``snapshots``, over one engine that brings
sandboxes and snapshots to their end, and inherits this.
"""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from sandkit_server.core.model import SnapshotState
from sandkit_server.core.port_errors import AlreadyExists, NotFound, VersionConflict
from sandkit_server.core.ports import SnapshotSpec, SnapshotStore, StoredSnapshot, WorkloadProvider
from sandkit_server.testing.contracts.workload_provider import PATIENCE, SANDBOX, spec


async def _begin(
    workloads: WorkloadProvider,
    snapshots: SnapshotStore,
    snapshot_id: str = "snap-1",
    name: str | None = None,
) -> StoredSnapshot:
    """Begin a snapshot of the running sandbox; whoever else changes it just now is let pass."""
    async with asyncio.timeout(PATIENCE):
        while True:
            version = (await workloads.wait_ready(SANDBOX)).version
            wanted = SnapshotSpec(
                id=snapshot_id, sandbox_id=SANDBOX, source_version=version, request_digest="digest", name=name
            )
            try:
                return await snapshots.create(wanted)
            except VersionConflict:
                await asyncio.sleep(0)


async def _ready(snapshots: SnapshotStore, snapshot_id: str = "snap-1") -> StoredSnapshot:
    async with asyncio.timeout(PATIENCE):
        while True:
            stored = await snapshots.get(snapshot_id)
            if stored.snapshot.status.state is SnapshotState.READY:
                return stored
            await asyncio.sleep(0.005)


async def _until_empty(listing: Callable[[], Awaitable[Sequence[object]]]) -> None:
    async with asyncio.timeout(PATIENCE):
        while await listing():  # noqa: ASYNC110 - a port tells of no change
            await asyncio.sleep(0.005)


class SnapshotStoreContract:
    """The contract of :class:`~sandkit_server.core.ports.SnapshotStore`."""

    async def test_a_snapshot_becomes_ready_with_an_image(
        self, workloads: WorkloadProvider, snapshots: SnapshotStore
    ) -> None:
        await workloads.create(spec())
        begun = await _begin(workloads, snapshots, name="before the upgrade")
        assert begun.snapshot.status.state is SnapshotState.CREATING
        assert begun.image_ref is None
        ready = await _ready(snapshots)
        assert ready.image_ref
        assert ready.version != begun.version
        for stored in (begun, ready):
            seen = stored.snapshot
            assert (seen.id, seen.sandbox_id, seen.name) == ("snap-1", SANDBOX, "before the upgrade")
            assert stored.request_digest == "digest"
        assert ready.snapshot.created_at == begun.snapshot.created_at
        assert ready.snapshot.status.last_transition_at > begun.snapshot.status.last_transition_at

    async def test_it_needs_no_name(self, workloads: WorkloadProvider, snapshots: SnapshotStore) -> None:
        await workloads.create(spec())
        assert (await _begin(workloads, snapshots)).snapshot.name is None

    async def test_what_is_not_there_is_not_found(self, snapshots: SnapshotStore) -> None:
        absent = SnapshotSpec(
            id="snap-1", sandbox_id="sbx-absent", source_version="1", request_digest="digest"
        )
        with pytest.raises(NotFound):
            await snapshots.create(absent)
        with pytest.raises(NotFound):
            await snapshots.get("snap-absent")
        with pytest.raises(NotFound):
            await snapshots.delete("snap-absent", "1")

    async def test_a_source_that_has_changed_is_refused(
        self, workloads: WorkloadProvider, snapshots: SnapshotStore
    ) -> None:
        await workloads.create(spec())
        read = await workloads.wait_ready(SANDBOX)
        await workloads.set_metadata(SANDBOX, read.version, {"team": "ranking"})
        stale = SnapshotSpec(
            id="snap-1", sandbox_id=SANDBOX, source_version=read.version, request_digest="digest"
        )
        with pytest.raises(VersionConflict):
            await snapshots.create(stale)
        assert list(await snapshots.list()) == []

    async def test_an_id_is_taken_once(self, workloads: WorkloadProvider, snapshots: SnapshotStore) -> None:
        await workloads.create(spec())
        await _begin(workloads, snapshots)
        with pytest.raises(AlreadyExists):
            await _begin(workloads, snapshots)

    async def test_listing_is_in_order_of_creation(
        self, workloads: WorkloadProvider, snapshots: SnapshotStore
    ) -> None:
        await workloads.create(spec())
        for snapshot_id in ("snap-b", "snap-a", "snap-c"):
            await _begin(workloads, snapshots, snapshot_id)
        listed = [stored.snapshot.id for stored in await snapshots.list()]
        assert listed == ["snap-b", "snap-a", "snap-c"]

    async def test_a_delete_is_based_on_the_version_that_was_read(
        self, workloads: WorkloadProvider, snapshots: SnapshotStore
    ) -> None:
        await workloads.create(spec())
        begun = await _begin(workloads, snapshots)
        ready = await _ready(snapshots)
        with pytest.raises(VersionConflict):
            await snapshots.delete("snap-1", begun.version)
        await snapshots.delete("snap-1", ready.version)
        await _until_empty(snapshots.list)
        with pytest.raises(NotFound):
            await snapshots.get("snap-1")

    async def test_a_snapshot_outlives_its_sandbox(
        self, workloads: WorkloadProvider, snapshots: SnapshotStore
    ) -> None:
        await workloads.create(spec())
        await _begin(workloads, snapshots)
        ready = await _ready(snapshots)
        await workloads.delete(SANDBOX)
        await _until_empty(workloads.list)
        assert await snapshots.get("snap-1") == ready
