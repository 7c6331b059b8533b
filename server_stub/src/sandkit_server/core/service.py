"""The lifecycle service: what the API's operations do, on any engine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from sandkit_server.core.claims import ClaimKeeper
from sandkit_server.core.creation import Creation
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
from sandkit_server.core.pools import Pools
from sandkit_server.core.ports import Capabilities, Ports
from sandkit_server.core.readiness import Readiness
from sandkit_server.core.reconciliation import Reconciler
from sandkit_server.core.removal import Removal
from sandkit_server.core.sandboxes import Sandboxes
from sandkit_server.core.snapshots import Snapshots
from sandkit_server.core.supervision import Supervisor
from sandkit_server.core.turns import Turns

_START_PATIENCE = 2.0
_CLOSE_GRACE = 5.0


class LifecycleService:
    """One method per operation; each raises :class:`~sandkit_server.core.errors.SandkitError` only.

    ``start`` before the first call, ``close`` after the last. The service holds no state that matters: a
    new one over the same ports continues where a killed one stopped.
    """

    def __init__(self, ports: Ports, policy: Policy) -> None:
        self._ports = ports
        self._policy = policy
        self._supervisor = Supervisor()
        claims = ClaimKeeper(ports.claims, policy)
        turns = Turns()
        self._removal = Removal(ports.workloads, claims, policy, turns)
        readiness = Readiness(ports.workloads, self._removal, ports.clock, policy, self._supervisor)
        self._creation = Creation(ports, policy, claims, self._removal, readiness, self._supervisor)
        self._reconciler = Reconciler(ports.workloads, claims, self._creation, readiness, self._removal)
        self._sandboxes = Sandboxes(ports.workloads, ports.clock, policy)
        self._snapshots = Snapshots(ports, policy)
        self._pools = Pools(ports.pools)

    @property
    def capabilities(self) -> Capabilities:
        """What the runtime behind the service can do."""
        return self._ports.workloads.capabilities

    async def start(self) -> None:
        """Finish what an earlier server left undone and begin to watch.

        Returns after the first look, or after two seconds when the engine is slow; the look then goes on.
        """
        clock, policy = self._ports.clock, self._policy
        look = self._supervisor.spawn(
            "first reconciliation", self._reconciler.look(clock, policy, starting=True)
        )
        await asyncio.wait({look}, timeout=_START_PATIENCE)
        self._supervisor.spawn("reconciliation", self._reconciler.run(clock, policy))

    async def close(self) -> None:
        """Refuse new creates, let those under way end for up to five seconds, stop watching."""
        await self._creation.close(_CLOSE_GRACE)
        await self._supervisor.close()

    async def kill(self) -> None:
        """Drop everything at once, as a killed process does; the ports must be dead already."""
        self._creation.kill()
        await self._supervisor.close()

    async def create_sandbox(
        self, request: CreateSandbox, caller: Caller, idempotency_key: str | None = None
    ) -> Sandbox:
        """Check the request whole, then start a sandbox.

        Nothing is left of a create that fails (VOL-13, VOL-14).
        """
        return await self._creation.create(request, caller, idempotency_key)

    async def list_sandboxes(self, selection: SandboxFilter, page: PageRequest) -> Page[Sandbox]:
        """One page of the sandboxes, in order of creation and then of id."""
        return await self._sandboxes.list(selection, page)

    async def get_sandbox(self, sandbox_id: str) -> Sandbox:
        """The sandbox as it is now."""
        return await self._sandboxes.get(sandbox_id)

    async def delete_sandbox(self, sandbox_id: str) -> None:
        """Take the sandbox down and reclaim what was made for it.

        An unknown id still sweeps, then is an error.
        """
        await self._removal.delete(sandbox_id)

    async def patch_metadata(self, sandbox_id: str, patch: Mapping[str, str | None]) -> Sandbox:
        """Apply a JSON Merge Patch (RFC 7396) to the metadata."""
        return await self._sandboxes.patch_metadata(sandbox_id, patch)

    async def pause(self, sandbox_id: str) -> Sandbox:
        """Begin to pause; of racing calls one wins (PAU-15)."""
        return await self._sandboxes.pause(sandbox_id)

    async def resume(self, sandbox_id: str) -> Sandbox:
        """Begin to resume; of racing calls one wins (RES-09)."""
        return await self._sandboxes.resume(sandbox_id)

    async def renew(self, sandbox_id: str, expires_at: datetime) -> datetime:
        """Move the expiry and return the one that now holds."""
        return await self._sandboxes.renew(sandbox_id, expires_at)

    async def endpoint(self, sandbox_id: str, query: EndpointQuery) -> Endpoint:
        """Where a port of the sandbox can be reached."""
        return await self._sandboxes.endpoint(sandbox_id, query)

    async def logs(self, sandbox_id: str, scope: str | None = None) -> str:
        """What the sandbox printed, as text."""
        return await self._sandboxes.logs(sandbox_id, scope)

    async def events(self, sandbox_id: str, scope: str | None = None) -> str:
        """What happened to the sandbox, one line each."""
        return await self._sandboxes.events(sandbox_id, scope)

    async def create_snapshot(
        self, sandbox_id: str, name: str | None, caller: Caller, idempotency_key: str | None = None
    ) -> Snapshot:
        """Begin to keep the root filesystem of a running sandbox as an image."""
        return await self._snapshots.create(sandbox_id, name, caller, idempotency_key)

    async def list_snapshots(self, selection: SnapshotFilter, page: PageRequest) -> Page[Snapshot]:
        """One page of the snapshots, in order of creation and then of id."""
        return await self._snapshots.list(selection, page)

    async def get_snapshot(self, snapshot_id: str) -> Snapshot:
        """The snapshot as it is now."""
        return await self._snapshots.get(snapshot_id)

    async def delete_snapshot(self, snapshot_id: str) -> None:
        """Delete a snapshot and its image."""
        await self._snapshots.delete(snapshot_id)

    async def create_pool(self, pool: CreatePool) -> Pool:
        """Make a pool; it fills by itself."""
        return await self._pools.create(pool)

    async def list_pools(self) -> tuple[Pool, ...]:
        """All pools by name."""
        return await self._pools.list()

    async def get_pool(self, name: str) -> Pool:
        """The pool with its current counts."""
        return await self._pools.get(name)

    async def update_pool(self, name: str, capacity: PoolCapacity) -> Pool:
        """Replace a pool's capacity."""
        return await self._pools.update(name, capacity)

    async def delete_pool(self, name: str) -> None:
        """Delete a pool none of whose sandboxes is in use."""
        await self._pools.delete(name)
