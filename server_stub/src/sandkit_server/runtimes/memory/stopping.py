"""Taking a sandbox down after a delete or its expiry, whatever state it was in."""

from __future__ import annotations

from functools import partial

from sandkit_server.core.model import SandboxState
from sandkit_server.runtimes.memory.records import JobRecord, SnapshotRecord, WorkloadRecord
from sandkit_server.runtimes.memory.workshop import Workshop


class Stopper:
    """Stopping to Terminated. Each step is repeated until it succeeds; nothing is left half taken down."""

    def __init__(self, shop: Workshop) -> None:
        self._shop = shop
        self._engine = shop.engine

    async def stop(self, record: WorkloadRecord) -> None:
        """Jobs, pod and pause snapshots go first, then the object, then what the object owned."""
        await self._shop.pace()
        for job in self._engine.jobs.of(record.id):
            await self._shop.insist(f"deletion of job {job.name}", partial(self._job, record, job))
        await self._shop.insist(f"deletion of the pod of {record.id}", partial(self._pod, record))
        for snapshot in self._engine.snapshots.of_pause(record.id):
            await self._shop.insist(
                f"deletion of snapshot {snapshot.id}", partial(self._snapshot, record, snapshot)
            )
        self._engine.workloads.transition(
            record, SandboxState.STOPPING, SandboxState.TERMINATED, record.reason, record.message
        )
        self._engine.remove_workload(record)

    async def _job(self, record: WorkloadRecord, job: JobRecord) -> None:
        async with self._shop.at("job.delete", record, job.name):
            self._engine.jobs.remove(job)

    async def _pod(self, record: WorkloadRecord) -> None:
        pod = self._engine.pods.of(record.id)
        if pod is not None:
            async with self._shop.at("pod.delete", record, pod.name):
                self._engine.pods.remove(pod)

    async def _snapshot(self, record: WorkloadRecord, snapshot: SnapshotRecord) -> None:
        async with self._shop.at("snapshot.delete", record, snapshot.id):
            self._engine.snapshots.remove(snapshot)
