"""Workload objects: the states sandboxes are in, and who waits for them to change."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sandkit_server.core import lifecycle
from sandkit_server.core.model import ImageSource, Sandbox, SandboxState, SandboxStatus
from sandkit_server.core.port_errors import AlreadyExists, NotFound
from sandkit_server.core.ports import ObjectRef, Workload, WorkloadSpec
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.runtimes.memory.identity import new_uid
from sandkit_server.runtimes.memory.journal import Action, Journal
from sandkit_server.runtimes.memory.records import API_VERSION, WORKLOAD_KIND, WorkloadRecord


class Superseded(Exception):  # noqa: N818 - not an error: somebody else decided otherwise meanwhile
    """The workload is no longer in the state a step of the controller was based on."""


class WorkloadTable:
    """All workload objects by sandbox id, in order of creation."""

    def __init__(self, clock: AdjustableClock, journal: Journal) -> None:
        self._clock = clock
        self._journal = journal
        self._records: dict[str, WorkloadRecord] = {}
        self._uids: set[str] = set()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    def __iter__(self) -> Iterator[WorkloadRecord]:
        return iter(list(self._records.values()))

    def __len__(self) -> int:
        return len(self._records)

    def find(self, sandbox_id: str) -> WorkloadRecord | None:
        """The workload of this sandbox."""
        return self._records.get(sandbox_id)

    def get(self, sandbox_id: str) -> WorkloadRecord:
        """The workload of this sandbox. Raises NotFound."""
        record = self._records.get(sandbox_id)
        if record is None:
            raise NotFound(f"there is no workload {sandbox_id}")
        return record

    def lives(self, uid: str) -> bool:
        """Whether the workload object of this uid exists."""
        return uid in self._uids

    def add(
        self, spec: WorkloadSpec, image_uri: str | None, state: SandboxState = SandboxState.PENDING
    ) -> WorkloadRecord:
        """Make a workload object. Raises AlreadyExists."""
        if spec.sandbox_id in self._records:
            raise AlreadyExists(f"workload {spec.sandbox_id} exists")
        now = self._clock.now()
        status = SandboxStatus(state=state, last_transition_at=now)
        sandbox = Sandbox(id=spec.sandbox_id, status=status, entrypoint=spec.entrypoint, created_at=now)
        uid = new_uid()
        record = WorkloadRecord(
            spec=spec,
            uid=uid,
            created_at=now,
            state=state,
            last_transition_at=now,
            expires_at=spec.expires_at,
            metadata=dict(spec.request.metadata),
            image_uri=image_uri,
            port=Workload(sandbox=sandbox, ref=_ref(spec.sandbox_id, uid), version="1", request_digest=""),
        )
        self._records[record.id] = record
        self._uids.add(uid)
        record.port = _as_workload(record)
        self._note("created", record)
        self._tell(record, f"{state}")
        return record

    def transition(
        self,
        record: WorkloadRecord,
        source: SandboxState,
        target: SandboxState,
        reason: str | None = None,
        message: str | None = None,
    ) -> None:
        """Move from ``source`` to ``target``. Raises Superseded when the workload is elsewhere by now."""
        self.require(record, source)
        assert lifecycle.is_legal(source, target), f"{source} to {target}"
        earliest = record.last_transition_at + timedelta(microseconds=1)
        record.state = target
        record.last_transition_at = max(self._clock.now(), earliest)
        record.reason, record.message = reason, message
        record.ever_ready = record.ever_ready or target is SandboxState.RUNNING
        because = f" ({reason}: {message})" if reason else ""
        self._tell(record, f"{source} to {target}{because}")
        self.publish(record)

    def require(self, record: WorkloadRecord, state: SandboxState) -> None:
        """Raise Superseded unless the workload still exists in ``state``."""
        if self._records.get(record.id) is not record or record.state is not state:
            raise Superseded(record.id)

    def publish(self, record: WorkloadRecord) -> None:
        """Make a change visible: a new version, an entry in the journal, and whoever waits is told."""
        record.version += 1
        record.port = _as_workload(record)
        self._note("updated", record)
        self._wake(record.id)

    def remove(self, record: WorkloadRecord) -> None:
        """Remove the object; the garbage collector does the rest."""
        if self._records.pop(record.id, None) is record:
            self._uids.discard(record.uid)
            self._note("deleted", record)
            self._wake(record.id)

    async def changed(self, sandbox_id: str) -> None:
        """Return at the next change of the workload."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(sandbox_id, []).append(waiting)
        await waiting

    def _wake(self, sandbox_id: str) -> None:
        for waiting in self._waiting.pop(sandbox_id, ()):
            if not waiting.done():
                waiting.set_result(None)

    def _tell(self, record: WorkloadRecord, text: str) -> None:
        record.events.append(f"{timestamp(self._clock.now())} {text}")

    def _note(self, action: Action, record: WorkloadRecord) -> None:
        self._journal.record(action, "workload", record.id, workload_picture(record))


def timestamp(instant: datetime) -> str:
    """An instant as it stands at the beginning of a line: RFC 3339 with microseconds, in UTC."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def workload_picture(record: WorkloadRecord) -> dict[str, Any]:
    """The object as observers see it, without what others know about it."""
    return {
        "name": record.id,
        "sandboxId": record.id,
        "uid": record.uid,
        "apiVersion": API_VERSION,
        "kind": WORKLOAD_KIND,
        "phase": record.state.value,
        "replicas": record.replicas,
        "poolRef": record.pool_ref,
        "labels": dict(record.metadata),
    }


def _ref(sandbox_id: str, uid: str) -> ObjectRef:
    return ObjectRef(api_version=API_VERSION, kind=WORKLOAD_KIND, name=sandbox_id, uid=uid)


def _as_workload(record: WorkloadRecord) -> Workload:
    request = record.spec.request
    image: ImageSource | None = request.image
    sandbox = Sandbox(
        id=record.id,
        status=SandboxStatus(
            state=record.state,
            last_transition_at=record.last_transition_at,
            reason=record.reason,
            message=record.message,
        ),
        entrypoint=record.spec.entrypoint,
        created_at=record.created_at,
        expires_at=record.expires_at,
        image_uri=record.image_uri or (image.uri if image is not None else None),
        snapshot_id=request.snapshot_id,
        platform=request.platform,
        metadata=record.metadata,
        extensions=request.extensions,
    )
    return Workload(
        sandbox=sandbox,
        ref=_ref(record.id, record.uid),
        version=str(record.version),
        request_digest=record.spec.request_digest,
        replicas=record.replicas,
        ever_ready=record.ever_ready,
    )
