"""The engine's own garbage collection: what is owned by an object goes when the object has gone.

As in Kubernetes a claim is collected when the last of its owners is gone, and keeps the edges to those that
live.
"""

from __future__ import annotations

from sandkit_server.runtimes.memory.artefact_tables import JobTable, SnapshotTable
from sandkit_server.runtimes.memory.pod_table import PodTable
from sandkit_server.runtimes.memory.records import WORKLOAD_KIND, VolumeRecord, WorkloadRecord
from sandkit_server.runtimes.memory.volume_table import VolumeTable
from sandkit_server.runtimes.memory.workload_table import WorkloadTable


class GarbageCollector:
    """Follows owner edges; part of the engine, so it needs no server and passes no fault points."""

    def __init__(
        self,
        workloads: WorkloadTable,
        volumes: VolumeTable,
        pods: PodTable,
        snapshots: SnapshotTable,
        jobs: JobTable,
    ) -> None:
        self._workloads = workloads
        self._volumes = volumes
        self._pods = pods
        self._snapshots = snapshots
        self._jobs = jobs

    def workload_gone(self, record: WorkloadRecord) -> None:
        """Collect everything that belonged to a removed workload."""
        self.release(record)
        for snapshot in self._snapshots.of_pause(record.id):
            self._snapshots.remove(snapshot)
        for volume in self._volumes:
            self.examine(volume)

    def release(self, record: WorkloadRecord) -> None:
        """End the jobs and the pod of a workload."""
        for job in self._jobs.of(record.id):
            self._jobs.remove(job)
        pod = self._pods.of(record.id)
        if pod is not None:
            self._pods.remove(pod)

    def examine(self, volume: VolumeRecord) -> None:
        """Collect a claim whose owners are all gone; drop single edges that lead nowhere."""
        ours = [edge.uid for edge in volume.owners if edge.kind == WORKLOAD_KIND]
        gone = [uid for uid in ours if not self._workloads.lives(uid)]
        if not gone:
            return
        if len(gone) == len(volume.owners):
            self._volumes.delete(volume)
            return
        for uid in gone:
            self._volumes.disown(volume, uid)
