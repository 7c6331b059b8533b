"""The port for snapshots users asked for: SandboxSnapshot objects that belong to no sandbox."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sandkit_server.core.model import Snapshot
from sandkit_server.core.port_errors import NotFound, Unsupported, VersionConflict
from sandkit_server.core.ports import Clock, SnapshotSpec, StoredSnapshot
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    DIGEST_ANNOTATION,
    PURPOSE_LABEL,
    PURPOSE_USER,
    SANDBOX_ANNOTATION,
)
from sandkit_server.kubernetes.standing import created_at, rfc3339, snapshot_state_of, status_of
from sandkit_server.kubernetes.watch import version_of
from sandkit_server.runtimes.kubernetes.details import annotations_of, digest_of
from sandkit_server.runtimes.kubernetes.objects import Objects
from sandkit_server.runtimes.kubernetes.pod_template import SANDBOX_CONTAINER


class KubernetesSnapshots:
    """Users' snapshots as one server process reaches them."""

    def __init__(self, objects: Objects, workloads: Objects, clock: Clock) -> None:
        self._objects = objects
        self._workloads = workloads
        self._clock = clock

    async def create(self, spec: SnapshotSpec) -> StoredSnapshot:
        """Begin a snapshot of a workload that has not changed since it was read."""
        source = await self._workloads.read(spec.sandbox_id)
        if version_of(source) != spec.source_version:
            raise VersionConflict(f"sandbox {spec.sandbox_id} has changed")
        note: dict[str, Any] = {"createdAt": rfc3339(self._clock.now())}
        if spec.name is not None:
            note["name"] = spec.name
        body = {
            "metadata": {
                "name": spec.id,
                "labels": {PURPOSE_LABEL: PURPOSE_USER},
                "annotations": {
                    SANDBOX_ANNOTATION: json.dumps(note),
                    DIGEST_ANNOTATION: spec.request_digest,
                },
            },
            "spec": {"sandboxName": spec.sandbox_id},
        }
        return stored_snapshot(await self._objects.create(body))

    async def get(self, snapshot_id: str) -> StoredSnapshot:
        """Read one snapshot."""
        obj = await self._objects.get(snapshot_id)
        if (obj["metadata"].get("labels") or {}).get(PURPOSE_LABEL) != PURPOSE_USER:
            raise NotFound(f"there is no snapshot {snapshot_id}")
        return stored_snapshot(obj)

    async def list(self) -> Sequence[StoredSnapshot]:
        """All user snapshots in order of creation, out of the cache."""
        found = [stored_snapshot(obj) for obj in self._objects]
        found.sort(key=lambda stored: (stored.snapshot.created_at, stored.snapshot.id))
        return found

    async def delete(self, snapshot_id: str, version: str) -> None:
        """Delete a snapshot at this version, with the jobs that worked for it."""
        await self.get(snapshot_id)
        await self._objects.delete(snapshot_id, version)


class NoSnapshots:
    """The port where sandboxes run as a kind that nothing can be kept of."""

    async def create(self, spec: SnapshotSpec) -> StoredSnapshot:
        """Refuse."""
        raise Unsupported(f"no snapshot can be taken of sandbox {spec.sandbox_id}")

    async def get(self, snapshot_id: str) -> StoredSnapshot:
        """There is none."""
        raise NotFound(f"there is no snapshot {snapshot_id}")

    async def list(self) -> Sequence[StoredSnapshot]:
        """There is none."""
        return ()

    async def delete(self, snapshot_id: str, version: str) -> None:
        """There is none at any version."""
        raise NotFound(f"there is no snapshot {snapshot_id} at {version}")


def stored_snapshot(obj: Object) -> StoredSnapshot:
    """The snapshot an object stands for."""
    metadata = obj["metadata"]
    snapshot = Snapshot(
        id=metadata["name"],
        sandbox_id=obj["spec"]["sandboxName"],
        status=snapshot_state_of(obj),
        created_at=created_at(obj),
        name=_name(obj),
    )
    return StoredSnapshot(
        snapshot=snapshot, version=version_of(obj), request_digest=digest_of(obj), image_ref=_image(obj)
    )


def _name(obj: Object) -> str | None:
    try:
        name = json.loads(annotations_of(obj).get(SANDBOX_ANNOTATION, "{}")).get("name")
    except (ValueError, AttributeError):
        return None
    return name if isinstance(name, str) else None


def _image(obj: Object) -> str | None:
    """The image of the sandbox's own container, by digest."""
    images = {each["containerName"]: each for each in status_of(obj).get("containers") or ()}
    chosen: Mapping[str, Any] | None = images.get(SANDBOX_CONTAINER) or next(iter(images.values()), None)
    if chosen is None or not chosen.get("imageDigest"):
        return None
    return f"{chosen['imageUri']}@{chosen['imageDigest']}"
