"""What pauses and snapshots produce: snapshot objects, commit jobs, and images in the registry."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from sandkit_server.core import lifecycle
from sandkit_server.core.model import Snapshot, SnapshotState, SnapshotStatus
from sandkit_server.core.port_errors import AlreadyExists, NotFound
from sandkit_server.core.ports import StoredSnapshot
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.runtimes.memory.journal import Action, Journal
from sandkit_server.runtimes.memory.records import ImageRecord, JobRecord, SnapshotRecord


class SnapshotTable:
    """Snapshot objects by id, those of pauses and those of users."""

    def __init__(self, clock: AdjustableClock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._records: dict[str, SnapshotRecord] = {}

    def __iter__(self) -> Iterator[SnapshotRecord]:
        return iter(list(self._records.values()))

    def find(self, snapshot_id: str | None) -> SnapshotRecord | None:
        """The snapshot of this id."""
        return self._records.get(snapshot_id) if snapshot_id is not None else None

    def of_pause(self, sandbox_id: str) -> list[SnapshotRecord]:
        """The snapshots that pauses of a sandbox made."""
        return [s for s in self._records.values() if s.sandbox_id == sandbox_id and s.purpose == "pause"]

    def add(self, record: SnapshotRecord) -> None:
        """Begin a snapshot. Raises AlreadyExists."""
        if record.id in self._records:
            raise AlreadyExists(f"snapshot {record.id} exists")
        self._records[record.id] = record
        self._note("created", record)

    def transition(
        self,
        record: SnapshotRecord,
        target: SnapshotState,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        """Move a snapshot to another state. Raises NotFound when the object is gone."""
        if self._records.get(record.id) is not record:
            raise NotFound(f"snapshot {record.id} is gone")
        assert lifecycle.is_legal_for_snapshot(record.state, target), f"{record.state} to {target}"
        earliest = record.last_transition_at + timedelta(microseconds=1)
        record.state = target
        record.last_transition_at = max(self._clock.now(), earliest)
        record.reason, record.message = reason, message
        record.version += 1
        self._note("updated", record)

    def remove(self, record: SnapshotRecord) -> None:
        """Forget a snapshot object; its image is another matter."""
        if self._records.pop(record.id, None) is record:
            self._note("deleted", record)

    def _note(self, action: Action, record: SnapshotRecord) -> None:
        self._journal.record(action, "snapshot", record.id, snapshot_picture(record))


class ImageTable:
    """Images in the registry by reference; a reference is never written twice."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._records: dict[str, ImageRecord] = {}

    def __iter__(self) -> Iterator[ImageRecord]:
        return iter(list(self._records.values()))

    def find(self, ref: str | None) -> ImageRecord | None:
        """The image of this reference."""
        return self._records.get(ref) if ref is not None else None

    def push(self, ref: str, files: Mapping[str, bytes]) -> ImageRecord:
        """Store an image. Raises AlreadyExists: registries may be immutable."""
        if ref in self._records:
            raise AlreadyExists(f"image {ref} exists")
        content = hashlib.sha256()
        for path in sorted(files):
            content.update(f"{len(path)}:{path}{len(files[path])}:".encode())
            content.update(files[path])
        record = ImageRecord(ref=ref, digest=f"sha256:{content.hexdigest()}", files=dict(files))
        self._records[ref] = record
        self._journal.record("created", "image", ref, image_picture(record))
        return record

    def remove(self, record: ImageRecord) -> None:
        """Delete an image."""
        if self._records.pop(record.ref, None) is record:
            self._journal.record("deleted", "image", record.ref, image_picture(record))


class JobTable:
    """Commit jobs by name."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._records: dict[str, JobRecord] = {}

    def __iter__(self) -> Iterator[JobRecord]:
        return iter(list(self._records.values()))

    def of(self, sandbox_id: str) -> list[JobRecord]:
        """The jobs that commit a sandbox."""
        return [job for job in self._records.values() if job.sandbox_id == sandbox_id]

    def add(self, job: JobRecord) -> None:
        """Start a job. Raises AlreadyExists."""
        if job.name in self._records:
            raise AlreadyExists(f"job {job.name} exists")
        self._records[job.name] = job
        self._note("created", job)

    def finish(self, job: JobRecord, *, succeeded: bool) -> None:
        """Note how a job ended."""
        job.phase = "Succeeded" if succeeded else "Failed"
        self._note("updated", job)

    def remove(self, job: JobRecord) -> None:
        """Delete a job."""
        if self._records.pop(job.name, None) is job:
            self._note("deleted", job)

    def _note(self, action: Action, job: JobRecord) -> None:
        self._journal.record(action, "job", job.name, job_picture(job))


def as_stored_snapshot(record: SnapshotRecord) -> StoredSnapshot:
    """A user snapshot as the core sees it."""
    status = SnapshotStatus(
        state=record.state,
        last_transition_at=record.last_transition_at,
        reason=record.reason,
        message=record.message,
    )
    return StoredSnapshot(
        snapshot=Snapshot(
            id=record.id,
            sandbox_id=record.sandbox_id,
            status=status,
            created_at=record.created_at,
            name=record.name,
        ),
        version=str(record.version),
        request_digest=record.request_digest,
        image_ref=record.image_ref,
    )


def snapshot_picture(record: SnapshotRecord) -> dict[str, Any]:
    """A snapshot as observers see it."""
    return {
        "id": record.id,
        "uid": record.uid,
        "sandboxId": record.sandbox_id,
        "purpose": record.purpose,
        "phase": record.state.value,
        "imageRef": record.image_ref,
    }


def image_picture(record: ImageRecord) -> dict[str, Any]:
    """An image as observers see it."""
    return {"ref": record.ref, "digest": record.digest}


def job_picture(job: JobRecord) -> dict[str, Any]:
    """A commit job as observers see it."""
    return {"name": job.name, "sandboxId": job.sandbox_id, "snapshotId": job.snapshot_id, "phase": job.phase}
