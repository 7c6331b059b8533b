"""Pausing and resuming, in the two ways an operator can choose."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sandkit_server.core.model import SandboxState, SnapshotState
from sandkit_server.runtimes.memory.committer import Committer
from sandkit_server.runtimes.memory.failure import StepFailed, blamed_on
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import SnapshotRecord, WorkloadRecord
from sandkit_server.runtimes.memory.starting import Starter
from sandkit_server.runtimes.memory.workshop import Workshop


class PauseWay(Protocol):
    """How sandboxes are paused."""

    async def pause(self, record: WorkloadRecord) -> None:
        """Carry out Pausing, to Paused or back to Running."""
        ...

    async def resume(self, record: WorkloadRecord) -> None:
        """Carry out Resuming, to Running, back to Paused, or to Failed."""
        ...

    def tidy_up(self, record: WorkloadRecord) -> None:
        """Put right what a server that was killed left of a sandbox that is not in transition."""
        ...


class RootfsPause:
    """Commit the root filesystem to an image, then release the pod; resume starts a pod from that image.

    Every step looks at what is there, so that a server killed at any point is followed by one that goes on.
    """

    def __init__(self, shop: Workshop, committer: Committer, starter: Starter) -> None:
        self._shop = shop
        self._engine = shop.engine
        self._committer = committer
        self._starter = starter

    async def pause(self, record: WorkloadRecord) -> None:
        """Snapshot first, and only when it is Ready give the pod away (PAU-14)."""
        await self._shop.pace()
        workloads = self._engine.workloads
        try:
            snapshot = self._finished_attempt(record) or await self._attempt(record)
        except StepFailed as failure:
            self.forget_attempts(record, keep=record.pause_snapshot)
            lost = self._engine.pods.of(record.id) is None
            target = SandboxState.FAILED if lost else SandboxState.RUNNING
            workloads.transition(record, SandboxState.PAUSING, target, failure.reason, failure.message)
            return
        await self._shop.insist(f"release of the pod of {record.id}", partial(self.release_pod, record))
        workloads.require(record, SandboxState.PAUSING)
        record.pause_snapshot = snapshot.id
        self._engine.leave_pool(record)
        workloads.transition(record, SandboxState.PAUSING, SandboxState.PAUSED)
        self.forget_attempts(record, keep=snapshot.id)

    async def resume(self, record: WorkloadRecord) -> None:
        """A failure leaves it Paused with its snapshot.

        Without a snapshot there is nothing to come back to.
        """
        await self._shop.pace()
        workloads = self._engine.workloads
        snapshot = self._engine.snapshots.find(record.pause_snapshot)
        if snapshot is None or snapshot.state is not SnapshotState.READY:
            message = f"snapshot {record.pause_snapshot} of the pause is gone"
            workloads.transition(
                record, SandboxState.RESUMING, SandboxState.FAILED, "SnapshotMissing", message
            )
            return
        try:
            await self._starter.bring_up(record, SandboxState.RESUMING, snapshot.image_ref)
        except StepFailed as failure:
            await self._shop.insist(f"release of the pod of {record.id}", partial(self.release_pod, record))
            workloads.transition(
                record, SandboxState.RESUMING, SandboxState.PAUSED, failure.reason, failure.message
            )
            return
        workloads.require(record, SandboxState.RESUMING)
        record.pause_snapshot = None
        workloads.transition(record, SandboxState.RESUMING, SandboxState.RUNNING)
        self.forget_attempts(record, keep=None)

    def tidy_up(self, record: WorkloadRecord) -> None:
        """Let a source stopped for a commit go on, and drop the snapshots of pauses that are over."""
        pod = self._engine.pods.of(record.id)
        if pod is not None:
            self._engine.pods.set_frozen(pod, False)
        if record.state is SandboxState.RUNNING:
            self.forget_attempts(record, keep=None)

    async def release_pod(self, record: WorkloadRecord) -> None:
        """Delete the pod, if there is one."""
        pod = self._engine.pods.of(record.id)
        if pod is None:
            return
        async with self._shop.at("pod.delete", record, pod.name):
            self._engine.pods.remove(pod)

    def _finished_attempt(self, record: WorkloadRecord) -> SnapshotRecord | None:
        """The Ready snapshot of this very attempt, if a killed server left one beside the pod."""
        for snapshot in self._engine.snapshots.of_pause(record.id):
            if snapshot.generation == record.generation and snapshot.state is SnapshotState.READY:
                return snapshot
        return None

    async def _attempt(self, record: WorkloadRecord) -> SnapshotRecord:
        pod = self._engine.pods.of(record.id)
        if pod is None:
            raise StepFailed("PodLost", "the pod vanished before it could be committed")
        self._committer.check_registry()
        snapshot = await self._begin(record)
        await self._committer.commit(snapshot, pod)
        return snapshot

    async def _begin(self, record: WorkloadRecord) -> SnapshotRecord:
        now = self._engine.clock.now()
        snapshot = SnapshotRecord(
            id=f"pause-{new_uid()[:8]}-{record.generation}",
            uid=new_uid(),
            sandbox_id=record.id,
            purpose="pause",
            state=SnapshotState.CREATING,
            created_at=now,
            last_transition_at=now,
            generation=record.generation,
            metadata=record.metadata,
        )
        with blamed_on("SnapshotRefused"):
            async with self._shop.at("snapshot.create", record, snapshot.id):
                self._engine.workloads.require(record, SandboxState.PAUSING)
                self._engine.snapshots.add(snapshot)
        return snapshot

    def forget_attempts(self, record: WorkloadRecord, keep: str | None) -> None:
        """Remove jobs and snapshots of other attempts, and images nobody needs, in the background."""
        for snapshot in self._engine.snapshots.of_pause(record.id):
            if snapshot.id != keep:
                self._shop.insist_later(
                    f"deletion of snapshot {snapshot.id}", partial(self._forget, record, snapshot)
                )
        self._shop.release_unused_images()

    async def _forget(self, record: WorkloadRecord, snapshot: SnapshotRecord) -> None:
        async with self._shop.at("snapshot.delete", record, snapshot.id):
            for job in self._engine.jobs.of(record.id):
                if job.snapshot_id == snapshot.id:
                    self._engine.jobs.remove(job)
            self._engine.snapshots.remove(snapshot)
        self._shop.release_unused_images()


class FreezePause:
    """Stop the processes in place; they keep their memory and the pod keeps its place."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._engine = shop.engine

    async def pause(self, record: WorkloadRecord) -> None:
        """Freeze all processes, or leave it Running."""
        await self._shop.pace()
        try:
            await self._turn(record, SandboxState.PAUSING, frozen=True)
        except StepFailed as failure:
            self._leave(record, SandboxState.PAUSING, SandboxState.RUNNING, failure)
            return
        self._leave(record, SandboxState.PAUSING, SandboxState.PAUSED)

    async def resume(self, record: WorkloadRecord) -> None:
        """Let all processes go on, or leave it Paused."""
        await self._shop.pace()
        try:
            await self._turn(record, SandboxState.RESUMING, frozen=False)
        except StepFailed as failure:
            self._leave(record, SandboxState.RESUMING, SandboxState.PAUSED, failure)
            return
        self._leave(record, SandboxState.RESUMING, SandboxState.RUNNING)

    def tidy_up(self, record: WorkloadRecord) -> None:
        """A running sandbox has no frozen processes, whatever was being committed."""
        pod = self._engine.pods.of(record.id)
        if pod is not None and record.state is SandboxState.RUNNING:
            self._engine.pods.set_frozen(pod, False)

    async def _turn(self, record: WorkloadRecord, state: SandboxState, *, frozen: bool) -> None:
        point, reason = ("pod.freeze", "FreezeFailed") if frozen else ("pod.thaw", "ThawFailed")
        pod = self._engine.pods.of(record.id)
        if pod is None:
            raise StepFailed("PodLost", "the pod vanished")
        with blamed_on(reason):
            async with self._shop.at(point, record, pod.name):
                self._engine.workloads.require(record, state)
                self._engine.pods.set_frozen(pod, frozen)

    def _leave(
        self,
        record: WorkloadRecord,
        source: SandboxState,
        target: SandboxState,
        failure: StepFailed | None = None,
    ) -> None:
        lost = failure is not None and self._engine.pods.of(record.id) is None
        self._engine.workloads.transition(
            record,
            source,
            SandboxState.FAILED if lost else target,
            failure.reason if failure is not None else None,
            failure.message if failure is not None else None,
        )
