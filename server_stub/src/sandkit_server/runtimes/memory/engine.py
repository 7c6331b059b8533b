"""The fake world: everything that survives a restart of the server."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from sandkit_server.core import ownership
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Fault, Subject
from sandkit_server.disturbance.strikes import Disturbances
from sandkit_server.runtimes.memory.artefact_tables import ImageTable, JobTable, SnapshotTable
from sandkit_server.runtimes.memory.garbage import GarbageCollector
from sandkit_server.runtimes.memory.journal import Journal
from sandkit_server.runtimes.memory.pod_table import PodTable
from sandkit_server.runtimes.memory.records import Files, PodRecord, PoolRecord, WorkloadRecord
from sandkit_server.runtimes.memory.settings import MemorySettings
from sandkit_server.runtimes.memory.volume_table import VolumeTable
from sandkit_server.runtimes.memory.workload_table import WorkloadTable

STRANGER = "sbx-stranger"


class MemoryEngine:
    """Workloads, claims with contents, pods, snapshots, jobs, images, pools, and a garbage collector.

    Servers work on it through a :class:`~sandkit_server.runtimes.memory.assembly.MemoryRuntime`; observers
    and saboteurs directly.
    """

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.settings = settings if settings is not None else MemorySettings()
        self.clock = AdjustableClock()
        self.journal = Journal(self.clock)
        self.disturbances = Disturbances(self.clock)
        self.disturbances.sabotage = self._sabotage
        self.volumes = VolumeTable(self.clock, self.journal)
        self.pods = PodTable(self.journal, self.volumes)
        self.workloads = WorkloadTable(self.clock, self.journal)
        self.snapshots = SnapshotTable(self.clock, self.journal)
        self.jobs = JobTable(self.journal)
        self.images = ImageTable(self.journal)
        self.pools: dict[str, PoolRecord] = {}
        self.external: dict[str, Files] = {}
        self.endpoint_secret = secrets.token_bytes(32)
        self.garbage = GarbageCollector(self.workloads, self.volumes, self.pods, self.snapshots, self.jobs)
        self._removal_listeners: list[Callable[[WorkloadRecord], None]] = []
        self._pool_listeners: list[Callable[[str], None]] = []

    def on_removal(self, listener: Callable[[WorkloadRecord], None]) -> None:
        """Have ``listener`` told of every workload that has been removed."""
        self._removal_listeners.append(listener)

    def off_removal(self, listener: Callable[[WorkloadRecord], None]) -> None:
        """Tell ``listener`` no more."""
        if listener in self._removal_listeners:
            self._removal_listeners.remove(listener)

    def on_pool_use(self, listener: Callable[[str], None]) -> None:
        """Have ``listener`` told the name of a pool when a sandbox out of it leaves it."""
        self._pool_listeners.append(listener)

    def off_pool_use(self, listener: Callable[[str], None]) -> None:
        """Tell ``listener`` no more."""
        if listener in self._pool_listeners:
            self._pool_listeners.remove(listener)

    def leave_pool(self, record: WorkloadRecord) -> None:
        """Make a sandbox independent of the pool it came from."""
        name, record.pool_ref = record.pool_ref, None
        if name is not None:
            for listener in list(self._pool_listeners):
                listener(name)

    def remove_workload(self, record: WorkloadRecord) -> None:
        """Remove a workload object and collect what it owned."""
        self.workloads.remove(record)
        self.leave_pool(record)
        self.garbage.workload_gone(record)
        for listener in list(self._removal_listeners):
            listener(record)

    def unused_images(self) -> list[str]:
        """References of images that neither a snapshot nor a pod needs any more."""
        needed = {snapshot.image_ref for snapshot in self.snapshots}
        needed |= {pod.image_ref for pod in self.pods}
        return [image.ref for image in self.images if image.ref not in needed]

    def files_of(self, pod: PodRecord, path: str) -> tuple[Files, str, bool]:
        """Where ``path`` of a pod lives: the store, the path in it, and whether the mount refuses writes."""
        mounts = sorted(pod.volumes, key=lambda volume: len(volume.mount_path), reverse=True)
        for volume in mounts:
            root = volume.mount_path.rstrip("/")
            if path == root or path.startswith(root + "/"):
                inner = path[len(root) :].lstrip("/")
                if volume.sub_path:
                    inner = f"{volume.sub_path.strip('/')}/{inner}"
                if volume.claim is not None:
                    return self.volumes.get(volume.claim.claim_name).files, inner, volume.read_only
                if volume.host is not None:
                    key = f"host:{volume.host.path.rstrip('/')}"
                else:
                    assert volume.ossfs is not None
                    key = f"ossfs:{volume.ossfs.endpoint}/{volume.ossfs.bucket}"
                return self.external.setdefault(key, {}), inner, volume.read_only
        return pod.rootfs, path, False

    async def _sabotage(self, point: str, fault: Fault, subject: Subject) -> None:
        if subject.name is None:
            return
        noun = point.partition(".")[0]
        if fault.action == "steal":
            if self.volumes.find(subject.name) is None:
                owner = fault.code or STRANGER
                labels = {} if owner == "unlabelled" else ownership.management_labels(owner)
                self.volumes.add(subject.name, labels)
            return
        self._vanish(noun, subject.name)

    def _vanish(self, noun: str, name: str) -> None:
        if noun == "claim" and (volume := self.volumes.find(name)) is not None:
            volume.mounted.clear()
            self.volumes.delete(volume)
        elif noun == "workload" and (record := self.workloads.find(name)) is not None:
            self.remove_workload(record)
        elif noun == "snapshot" and (snapshot := self.snapshots.find(name)) is not None:
            self.snapshots.remove(snapshot)
        elif noun == "image" and (image := self.images.find(name)) is not None:
            self.images.remove(image)
