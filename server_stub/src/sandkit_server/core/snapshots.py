"""Snapshots that users ask for."""

from __future__ import annotations

from sandkit_server.core import lifecycle
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.idempotency import derived_id, request_digest, require_same
from sandkit_server.core.model import (
    Caller,
    Page,
    PageRequest,
    SandboxState,
    Snapshot,
    SnapshotFilter,
    SnapshotState,
)
from sandkit_server.core.paging import paginate
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import AlreadyExists, NotFound, PortError, VersionConflict
from sandkit_server.core.ports import Ports, SnapshotSpec, StoredSnapshot
from sandkit_server.core.translation import translate, unavailable

ID_PREFIX = "snap"


class Snapshots:
    """The operations on snapshots. Every method raises SandkitError."""

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy

    async def create(self, sandbox_id: str, name: str | None, caller: Caller, key: str | None) -> Snapshot:
        """Begin a snapshot of a running sandbox; the same key gives the same snapshot."""
        self._require_support()
        snapshot_id = (
            self._ports.ids.new(ID_PREFIX)
            if key is None
            else derived_id(ID_PREFIX, caller, key, scope=sandbox_id)
        )
        digest = request_digest(snapshot_id, {"sandboxId": sandbox_id, "name": name})
        if key is not None and (existing := await self._existing(snapshot_id, digest)):
            return existing
        for _ in range(self._policy.contention_attempts):
            spec = SnapshotSpec(
                id=snapshot_id,
                sandbox_id=sandbox_id,
                source_version=await self._source_version(sandbox_id),
                request_digest=digest,
                name=name,
            )
            try:
                return (await self._ports.snapshots.create(spec)).snapshot
            except VersionConflict:
                continue
            except AlreadyExists as error:
                if existing := await self._existing(snapshot_id, digest):
                    return existing
                raise translate(error) from error
            except NotFound as error:
                raise lifecycle.unknown("createSnapshot", sandbox_id) from error
            except PortError as error:
                raise translate(error) from error
        raise unavailable(f"Sandbox {sandbox_id} kept changing; no snapshot was begun.")

    async def list(self, selection: SnapshotFilter, page: PageRequest) -> Page[Snapshot]:
        """One page of those selected, in order of creation and then of id."""
        self._require_support()
        try:
            stored = await self._ports.snapshots.list()
        except PortError as error:
            raise translate(error) from error
        found = [entry.snapshot for entry in stored if _selected(entry.snapshot, selection)]
        found.sort(key=lambda snapshot: (snapshot.created_at, snapshot.id))
        return paginate(found, page)

    async def get(self, snapshot_id: str) -> Snapshot:
        """The snapshot as it is now."""
        return (await self._admitted("getSnapshot", snapshot_id)).snapshot

    async def delete(self, snapshot_id: str) -> None:
        """Delete the snapshot and its image, unless a sandbox is being started from it."""
        for _ in range(self._policy.contention_attempts):
            stored = await self._admitted("deleteSnapshot", snapshot_id)
            if stored.snapshot.status.state is SnapshotState.DELETING:
                return
            await self._require_unused(snapshot_id)
            try:
                await self._ports.snapshots.delete(snapshot_id, stored.version)
            except VersionConflict:
                continue
            except NotFound:
                return
            except PortError as error:
                raise translate(error) from error
            return
        raise unavailable(f"Snapshot {snapshot_id} kept changing; nothing was done.")

    async def _require_unused(self, snapshot_id: str) -> None:
        try:
            workloads = await self._ports.workloads.list()
        except PortError as error:
            raise translate(error) from error
        for workload in workloads:
            sandbox = workload.sandbox
            if sandbox.snapshot_id == snapshot_id and sandbox.status.state is SandboxState.PENDING:
                message = f"Sandbox {sandbox.id} is being started from snapshot {snapshot_id}."
                raise SandkitError(ErrorCode.SNAPSHOT_DELETE_CONFLICT, message)

    async def _source_version(self, sandbox_id: str) -> str:
        try:
            source = await self._ports.workloads.get(sandbox_id)
        except NotFound as error:
            raise lifecycle.unknown("createSnapshot", sandbox_id) from error
        except PortError as error:
            raise translate(error) from error
        lifecycle.admit("createSnapshot", source.sandbox.status.state, sandbox_id)
        return source.version

    async def _existing(self, snapshot_id: str, digest: str) -> Snapshot | None:
        try:
            stored = await self._ports.snapshots.get(snapshot_id)
        except NotFound:
            return None
        except PortError as error:
            raise translate(error) from error
        require_same(stored.request_digest, digest)
        return stored.snapshot

    async def _admitted(self, operation: str, snapshot_id: str) -> StoredSnapshot:
        self._require_support()
        try:
            stored = await self._ports.snapshots.get(snapshot_id)
        except NotFound as error:
            raise lifecycle.unknown(operation, snapshot_id) from error
        except PortError as error:
            raise translate(error) from error
        lifecycle.admit(operation, stored.snapshot.status.state, f"snapshot {snapshot_id}")
        return stored

    def _require_support(self) -> None:
        if not self._ports.workloads.capabilities.snapshots:
            message = "This runtime cannot take snapshots; nothing was changed."
            raise SandkitError(ErrorCode.SNAPSHOT_UNSUPPORTED_RUNTIME, message)


def _selected(snapshot: Snapshot, selection: SnapshotFilter) -> bool:
    states = {state.casefold() for state in selection.states}
    return (
        selection.sandbox_id in (None, snapshot.sandbox_id)
        and selection.name in (None, snapshot.name)
        and (not states or snapshot.status.state.casefold() in states)
    )
