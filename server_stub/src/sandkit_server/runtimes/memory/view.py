"""The normalised picture of everything in the engine (protocol ``sandkit-probe/1``)."""

from __future__ import annotations

from typing import Any

from sandkit_server.runtimes.memory.artefact_tables import image_picture, job_picture, snapshot_picture
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.pod_table import process_picture
from sandkit_server.runtimes.memory.pooling import as_pool
from sandkit_server.runtimes.memory.records import VolumeRecord, WorkloadRecord
from sandkit_server.runtimes.memory.volume_table import volume_picture
from sandkit_server.runtimes.memory.workload_table import workload_picture


def engine_view(engine: MemoryEngine) -> dict[str, Any]:
    """All objects by kind, in order of creation. Secrets appear by name only."""
    return {
        "time": engine.clock.now().isoformat(),
        "workloads": [workload_row(engine, record) for record in engine.workloads],
        "volumes": [volume_row(engine, volume) for volume in engine.volumes],
        "snapshots": [snapshot_picture(snapshot) for snapshot in engine.snapshots],
        "images": [image_picture(image) for image in engine.images],
        "jobs": [job_picture(job) for job in engine.jobs],
        "processes": [process_picture(pod, process) for pod in engine.pods for process in pod.processes],
        "pools": [_pool_row(engine, name) for name in sorted(engine.pools)],
        "secrets": _secrets(engine),
    }


def workload_row(engine: MemoryEngine, record: WorkloadRecord) -> dict[str, Any]:
    """A workload with what its pod adds."""
    pod = engine.pods.of(record.id)
    return {
        **workload_picture(record),
        "podRunning": pod is not None,
        "podUid": pod.uid if pod is not None else None,
        "imageRef": pod.image_ref if pod is not None else None,
    }


def volume_row(engine: MemoryEngine, volume: VolumeRecord) -> dict[str, Any]:
    """A claim with the sandboxes whose pods use it."""
    users = {pod.sandbox_id for pod in engine.pods if pod.uid in volume.mounted and pod.sandbox_id}
    return {**volume_picture(volume), "mountedBy": sorted(users)}


def _pool_row(engine: MemoryEngine, name: str) -> dict[str, Any]:
    status = as_pool(engine, engine.pools[name]).status
    return {
        "name": name,
        "available": status.available,
        "allocated": status.allocated,
        "total": status.total,
    }


def _secrets(engine: MemoryEngine) -> list[dict[str, Any]]:
    rows = [
        {"name": f"{record.id}-image-pull", "referencedBy": [record.id]}
        for record in engine.workloads
        if record.spec.request.image is not None and record.spec.request.image.auth is not None
    ]
    registry = engine.settings.registry
    if registry is not None and registry.push_secret is not None:
        rows.append({"name": registry.push_secret, "referencedBy": [job.name for job in engine.jobs]})
    if registry is not None and registry.pull_secret is not None:
        committed = {image.ref for image in engine.images}
        users = [pod.name for pod in engine.pods if pod.image_ref in committed]
        rows.append({"name": registry.pull_secret, "referencedBy": users})
    return rows
