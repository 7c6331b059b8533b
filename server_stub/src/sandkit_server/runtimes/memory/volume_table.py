"""Claims: contents, labels, owner edges, and the protection of those in use."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandkit_server.core.port_errors import AlreadyExists, NotFound
from sandkit_server.core.ports import Claim, OwnerReference
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.journal import Action, Journal
from sandkit_server.runtimes.memory.records import Files, VolumeRecord


class VolumeTable:
    """All claims by name. A claim in use is only marked when deleted and goes with its last pod (VOL-21)."""

    def __init__(self, clock: AdjustableClock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._records: dict[str, VolumeRecord] = {}

    def __iter__(self) -> Iterator[VolumeRecord]:
        return iter(list(self._records.values()))

    def find(self, name: str) -> VolumeRecord | None:
        """The claim of this name."""
        return self._records.get(name)

    def get(self, name: str, uid: str | None = None) -> VolumeRecord:
        """The claim of this name, and uid if given. Raises NotFound."""
        record = self._records.get(name)
        if record is None or uid not in (None, record.uid):
            raise NotFound(f"there is no claim {name}")
        return record

    def add(
        self,
        name: str,
        labels: Mapping[str, str],
        *,
        owners: Iterable[OwnerReference] = (),
        files: Files | None = None,
        storage: str | None = None,
    ) -> VolumeRecord:
        """Make a claim. Raises AlreadyExists."""
        if name in self._records:
            raise AlreadyExists(f"claim {name} exists")
        record = VolumeRecord(
            name=name,
            uid=new_uid(),
            created_at=self._clock.now(),
            labels=dict(labels),
            owners=list(owners),
            files=dict(files or {}),
            storage=storage,
        )
        self._records[name] = record
        self._note("created", record)
        return record

    def edit(self, record: VolumeRecord, labels: Mapping[str, str], owners: Iterable[OwnerReference]) -> None:
        """Merge labels and append owners that are not there yet."""
        known = {edge.uid for edge in record.owners}
        record.labels = {**record.labels, **labels}
        record.owners += [edge for edge in owners if edge.uid not in known]
        self._note("updated", record)

    def disown(self, record: VolumeRecord, uid: str) -> None:
        """Remove the edge to an owner that is no more."""
        record.owners = [edge for edge in record.owners if edge.uid != uid]
        self._note("updated", record)

    def delete(self, record: VolumeRecord) -> None:
        """Delete a claim, or mark it when a pod uses it."""
        if record.mounted:
            if not record.terminating:
                record.terminating = True
                self._note("updated", record)
            return
        if self._records.pop(record.name, None) is record:
            self._note("deleted", record)

    def mount(self, names: Iterable[str], pod_uid: str) -> None:
        """Note that a pod uses these claims."""
        for name in names:
            if (record := self._records.get(name)) is not None:
                record.mounted.add(pod_uid)

    def unmount(self, pod_uid: str) -> None:
        """Note that a pod is gone; marked claims nobody uses any more go too."""
        for record in list(self._records.values()):
            if pod_uid in record.mounted:
                record.mounted.discard(pod_uid)
                if record.terminating:
                    self.delete(record)

    def _note(self, action: Action, record: VolumeRecord) -> None:
        record.version += 1
        self._journal.record(action, "volume", record.name, volume_picture(record))


def as_claim(record: VolumeRecord) -> Claim:
    """The claim as the core sees it."""
    return Claim(
        name=record.name,
        uid=record.uid,
        labels=dict(record.labels),
        owners=tuple(record.owners),
        created_at=record.created_at,
        version=str(record.version),
        terminating=record.terminating,
    )


def volume_picture(record: VolumeRecord) -> dict[str, Any]:
    """The claim as observers see it; the digest covers names and contents of all files."""
    content = hashlib.sha256()
    for path in sorted(record.files):
        body = record.files[path]
        content.update(f"{len(path)}:{path}{len(body)}:".encode())
        content.update(body)
    return {
        "name": record.name,
        "uid": record.uid,
        "labels": dict(record.labels),
        "owners": [owner_picture(edge) for edge in record.owners],
        "phase": "Terminating" if record.terminating else "Bound",
        "digest": f"sha256:{content.hexdigest()}",
    }


def owner_picture(edge: OwnerReference) -> dict[str, Any]:
    """An owner edge with the key names of Kubernetes."""
    return {
        "apiVersion": edge.api_version,
        "kind": edge.kind,
        "name": edge.name,
        "uid": edge.uid,
        "controller": edge.controller,
        "blockOwnerDeletion": edge.block_owner_deletion,
    }
