"""Carries out what users' snapshot objects ask for: commits the new ones, removes the deleted."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from sandkit_server.core.model import SandboxState, SnapshotState
from sandkit_server.disturbance.faults import Subject
from sandkit_server.disturbance.strikes import Step
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.failure import StepFailed
from sandkit_server.runtimes.memory.records import PodRecord, SnapshotRecord
from sandkit_server.runtimes.memory.workshop import Workshop

_log = logging.getLogger(__name__)

_COMMITTABLE = frozenset({SandboxState.RUNNING, SandboxState.PAUSING})


class SnapshotController:
    """One worker per user snapshot that is not at rest."""

    def __init__(self, shop: Workshop, committer: Committer) -> None:
        self._shop = shop
        self._engine = shop.engine
        self._committer = committer
        self._workers: dict[str, asyncio.Task[None]] = {}

    def start(self) -> None:
        """Go on with everything that is under way."""
        for snapshot in self._engine.snapshots:
            if snapshot.purpose == "user":
                self.poke(snapshot.id)

    def poke(self, snapshot_id: str) -> None:
        """See to a snapshot whose state has changed."""
        if snapshot_id not in self._workers:
            self._workers[snapshot_id] = self._shop.supervisor.spawn(
                f"controller of snapshot {snapshot_id}", self._work(snapshot_id)
            )

    async def _work(self, snapshot_id: str) -> None:
        try:
            while (snapshot := self._engine.snapshots.find(snapshot_id)) is not None:
                if snapshot.state is SnapshotState.CREATING:
                    await self._create(snapshot)
                elif snapshot.state is SnapshotState.DELETING:
                    await self._shop.pace()
                    await self._shop.insist(
                        f"deletion of snapshot {snapshot.id}", partial(self._delete, snapshot)
                    )
                else:
                    return
        finally:
            if self._workers.get(snapshot_id) is asyncio.current_task():
                del self._workers[snapshot_id]

    async def _create(self, snapshot: SnapshotRecord) -> None:
        await self._shop.pace()
        try:
            async with self._at("reconcile.snapshot", snapshot):
                pass
            self._committer.check_registry()
            await self._committer.commit(snapshot, self._source(snapshot))
        except StepFailed as failure:
            self._fail(snapshot, failure.reason, failure.message)
        except Exception:  # noqa: BLE001 - whatever it is must show in the snapshot's status
            _log.exception("snapshot %s crashed", snapshot.id)
            self._fail(snapshot, "InternalError", "The server failed on the way; its log has the cause.")

    def _source(self, snapshot: SnapshotRecord) -> PodRecord:
        record = self._engine.workloads.find(snapshot.sandbox_id)
        pod = self._engine.pods.of(snapshot.sandbox_id)
        if record is None or pod is None or record.state not in _COMMITTABLE:
            raise StepFailed("SourceGone", "the sandbox stopped running before it was committed")
        return pod

    def _fail(self, snapshot: SnapshotRecord, reason: str, message: str) -> None:
        if snapshot.state is SnapshotState.CREATING and self._engine.snapshots.find(snapshot.id) is snapshot:
            self._engine.snapshots.transition(snapshot, SnapshotState.FAILED, reason, message)

    async def _delete(self, snapshot: SnapshotRecord) -> None:
        image = self._engine.images.find(snapshot.image_ref)
        if image is not None:
            async with self._at("image.delete", snapshot, image.ref):
                self._engine.images.remove(image)
        async with self._at("snapshot.delete", snapshot):
            self._engine.snapshots.remove(snapshot)

    def _at(self, point: str, snapshot: SnapshotRecord, name: str | None = None) -> Step:
        subject = Subject(
            sandbox_id=snapshot.sandbox_id, name=name or snapshot.id, metadata=snapshot.metadata
        )
        return self._shop.steps.at(point, subject)
