"""The lifecycle service: what the API's operations do, on any engine."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sandkit_server.core.model import (
    Caller,
    CreatePool,
    CreateSandbox,
    Endpoint,
    EndpointQuery,
    Page,
    PageRequest,
    Pool,
    PoolCapacity,
    Sandbox,
    SandboxFilter,
    Snapshot,
    SnapshotFilter,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Capabilities, Ports


class LifecycleService:
    """One method per operation; each raises :class:`~sandkit_server.core.errors.SandkitError` only.

    ``start`` before the first call, ``close`` after the last. The service holds no state that matters: a
    new one over the same ports continues where a killed one stopped.
    """

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy

    @property
    def capabilities(self) -> Capabilities:
        """What the runtime behind the service can do."""
        return self._ports.workloads.capabilities

    async def start(self) -> None:
        """Finish what an earlier server left undone and begin to watch."""

    async def close(self) -> None:
        """Stop taking new work, let running creates finish, stop watching."""

    async def create_sandbox(
        self, request: CreateSandbox, caller: Caller, idempotency_key: str | None = None
    ) -> Sandbox:
        """Check the request whole, then start a sandbox.

        Nothing is left of a create that fails (VOL-13, VOL-14).
        """
        raise NotImplementedError

    async def list_sandboxes(self, selection: SandboxFilter, page: PageRequest) -> Page[Sandbox]:
        """One page of the sandboxes, in order of creation and then of id."""
        raise NotImplementedError

    async def get_sandbox(self, sandbox_id: str) -> Sandbox:
        """The sandbox as it is now."""
        raise NotImplementedError

    async def delete_sandbox(self, sandbox_id: str) -> None:
        """Take the sandbox down and reclaim what was made for it.

        An unknown id still sweeps, then is an error.
        """
        raise NotImplementedError

    async def patch_metadata(self, sandbox_id: str, patch: Mapping[str, str | None]) -> Sandbox:
        """Apply a JSON Merge Patch (RFC 7396) to the metadata."""
        raise NotImplementedError

    async def pause(self, sandbox_id: str) -> Sandbox:
        """Begin to pause; of racing calls one wins (PAU-15)."""
        raise NotImplementedError

    async def resume(self, sandbox_id: str) -> Sandbox:
        """Begin to resume; of racing calls one wins (RES-09)."""
        raise NotImplementedError

    async def renew(self, sandbox_id: str, expires_at: datetime) -> datetime:
        """Move the expiry and return the one that now holds."""
        raise NotImplementedError

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Where a port of the sandbox can be reached."""
        raise NotImplementedError

    async def logs(self, sandbox_id: str, scope: str | None = None) -> str:
        """What the sandbox printed, as text."""
        raise NotImplementedError

    async def events(self, sandbox_id: str, scope: str | None = None) -> str:
        """What happened to the sandbox, one line each."""
        raise NotImplementedError

    async def create_snapshot(
        self, sandbox_id: str, name: str | None, caller: Caller, idempotency_key: str | None = None
    ) -> Snapshot:
        """Begin to keep the root filesystem of a running sandbox as an image."""
        raise NotImplementedError

    async def list_snapshots(self, selection: SnapshotFilter, page: PageRequest) -> Page[Snapshot]:
        """One page of the snapshots, in order of creation and then of id."""
        raise NotImplementedError

    async def get_snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot as it is now."""
        raise NotImplementedError

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot and its image."""
        raise NotImplementedError

    async def create_pool(self, pool: CreatePool) -> Pool:
        """Make a pool; it fills by itself."""
        raise NotImplementedError

    async def list_pools(self) -> tuple[Pool, ...]:
        """All pools by name."""
        raise NotImplementedError

    async def get_pool(self, name: str) -> Pool:
        """The pool with its current counts."""
        raise NotImplementedError

    async def update_pool(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace a pool's capacity."""
        raise NotImplementedError

    async def delete_pool(self, name: str) -> None:
        """Delete a pool none of whose sandboxes is in use."""
        raise NotImplementedError
