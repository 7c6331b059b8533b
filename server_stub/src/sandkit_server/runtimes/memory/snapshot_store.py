"""The port for users' snapshots over the memory engine."""

from __future__ import annotations

from collections.abc import Sequence

from sandkit_server.core.model import SnapshotState
from sandkit_server.core.port_errors import NotFound, VersionConflict
from sandkit_server.core.ports import SnapshotSpec, StoredSnapshot
from sandkit_server.disturbance.faults import Subject
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.runtimes.memory.artefact_tables import as_stored_snapshot
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.records import SnapshotRecord
from sandkit_server.runtimes.memory.snapshotting import SnapshotController


class MemorySnapshotStore:
    """Users' snapshots as one server process reaches them."""

    def __init__(self, engine: MemoryEngine, steps: Steps, controller: SnapshotController) -> None:
        self._engine = engine
        self._steps = steps
        self._controller = controller

    async def create(self, spec: SnapshotSpec) -> StoredSnapshot:
        """Begin a snapshot of a workload that has not changed since it was read."""
        metadata = self._engine.workloads.get(spec.sandbox_id).metadata
        subject = Subject(sandbox_id=spec.sandbox_id, name=spec.id, metadata=metadata)
        async with self._steps.at("snapshot.create", subject):
            source = self._engine.workloads.get(spec.sandbox_id)
            if str(source.version) != spec.source_version:
                raise VersionConflict(f"workload {spec.sandbox_id} has changed")
            now = self._engine.clock.now()
            record = SnapshotRecord(
                id=spec.id,
                uid=new_uid(),
                sandbox_id=spec.sandbox_id,
                purpose="user",
                state=SnapshotState.CREATING,
                created_at=now,
                last_transition_at=now,
                name=spec.name,
                request_digest=spec.request_digest,
                metadata=metadata,
            )
            self._engine.snapshots.add(record)
            self._controller.poke(record.id)
            return as_stored_snapshot(record)

    async def get(self, snapshot_id: str) -> StoredSnapshot:
        """Read one snapshot."""
        return as_stored_snapshot(self._record(snapshot_id))

    async def list(self) -> Sequence[StoredSnapshot]:
        """All user snapshots in order of creation."""
        return [as_stored_snapshot(s) for s in self._engine.snapshots if s.purpose == "user"]

    async def delete(self, snapshot_id: str, version: str) -> None:
        """Begin to delete a snapshot and its image."""
        record = self._record(snapshot_id)
        if str(record.version) != version:
            raise VersionConflict(f"snapshot {snapshot_id} has changed")
        self._engine.snapshots.transition(record, SnapshotState.DELETING)
        self._controller.poke(snapshot_id)

    def _record(self, snapshot_id: str) -> SnapshotRecord:
        record = self._engine.snapshots.find(snapshot_id)
        if record is None or record.purpose != "user":
            raise NotFound(f"there is no snapshot {snapshot_id}")
        return record
