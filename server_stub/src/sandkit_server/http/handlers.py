"""The API's operations over the core's service: each method maps its arguments, asks, and maps the result."""

# ruff: noqa: ARG002  (the generated Protocol hands the context to every method)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from sandkit_server._generated import models
from sandkit_server._generated.api import Created
from sandkit_server._generated.routes import API_VERSION
from sandkit_server.core.model import EndpointQuery, PageRequest, SnapshotFilter
from sandkit_server.core.service import LifecycleService
from sandkit_server.http.operations import Context
from sandkit_server.http.wire.absence import filled, given
from sandkit_server.http.wire.create_request import read_create_request
from sandkit_server.http.wire.instants import read_instant
from sandkit_server.http.wire.pools import read_capacity, read_create_pool, write_pool
from sandkit_server.http.wire.sandboxes import read_sandbox_filter, write_sandbox, write_sandbox_page
from sandkit_server.http.wire.snapshots import write_snapshot, write_snapshot_page

__all__ = ["Handlers", "Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What the server says about itself: the kind of runtime, and its own version when asked for."""

    version: Callable[[], str]
    runtime: str


class Handlers:
    """Implements the generated ``LifecycleApi``.

    Raises :class:`~sandkit_server.core.errors.SandkitError` only.
    """

    def __init__(self, service: LifecycleService, identity: Identity) -> None:
        self._service = service
        self._identity = identity

    # --- sandboxes ------------------------------------------------------------------------------------------

    async def create_sandbox(
        self, context: Context, body: models.CreateSandboxRequest, *, idempotency_key: str | None
    ) -> Created[models.Sandbox]:
        """``POST /sandboxes``."""
        sandbox = await self._service.create_sandbox(
            read_create_request(body), context.caller, idempotency_key
        )
        return Created(write_sandbox(sandbox), f"/v1/sandboxes/{quote(sandbox.id, safe='')}")

    async def list_sandboxes(
        self, context: Context, *, state: tuple[str, ...], metadata: str | None, page: int, page_size: int
    ) -> models.SandboxPage:
        """``GET /sandboxes``."""
        selection = read_sandbox_filter(state, metadata)
        return write_sandbox_page(await self._service.list_sandboxes(selection, PageRequest(page, page_size)))

    async def get_sandbox(self, context: Context, sandbox_id: str) -> models.Sandbox:
        """``GET /sandboxes/{sandboxId}``."""
        return write_sandbox(await self._service.get_sandbox(sandbox_id))

    async def delete_sandbox(self, context: Context, sandbox_id: str) -> None:
        """``DELETE /sandboxes/{sandboxId}``."""
        await self._service.delete_sandbox(sandbox_id)

    async def patch_sandbox_metadata(
        self, context: Context, sandbox_id: str, body: models.MetadataPatch
    ) -> models.Sandbox:
        """``PATCH /sandboxes/{sandboxId}/metadata``."""
        return write_sandbox(await self._service.patch_metadata(sandbox_id, body))

    async def pause_sandbox(self, context: Context, sandbox_id: str) -> None:
        """``POST /sandboxes/{sandboxId}/pause``."""
        await self._service.pause(sandbox_id)

    async def resume_sandbox(self, context: Context, sandbox_id: str) -> None:
        """``POST /sandboxes/{sandboxId}/resume``."""
        await self._service.resume(sandbox_id)

    async def renew_sandbox_expiration(
        self, context: Context, sandbox_id: str, body: models.RenewSandboxExpirationRequest
    ) -> models.RenewSandboxExpirationResponse:
        """``POST /sandboxes/{sandboxId}/renew-expiration``."""
        asked = read_instant(body.expires_at, "/expiresAt")
        return models.RenewSandboxExpirationResponse(expires_at=await self._service.renew(sandbox_id, asked))

    async def get_sandbox_endpoint(
        self, context: Context, sandbox_id: str, port: int, *, use_server_proxy: bool, expires: int | None
    ) -> models.Endpoint:
        """``GET /sandboxes/{sandboxId}/endpoints/{port}``."""
        query = EndpointQuery(port=port, use_server_proxy=use_server_proxy, expires=expires)
        found = await self._service.endpoint(sandbox_id, query)
        return models.Endpoint(endpoint=found.endpoint, headers=filled(found.headers))

    async def get_sandbox_logs(self, context: Context, sandbox_id: str, *, scope: str | None) -> str:
        """``GET /sandboxes/{sandboxId}/diagnostics/logs``."""
        return await self._service.logs(sandbox_id, scope)

    async def get_sandbox_events(self, context: Context, sandbox_id: str, *, scope: str | None) -> str:
        """``GET /sandboxes/{sandboxId}/diagnostics/events``."""
        return await self._service.events(sandbox_id, scope)

    # --- snapshots ------------------------------------------------------------------------------------------

    async def create_snapshot(
        self,
        context: Context,
        sandbox_id: str,
        body: models.CreateSnapshotRequest | None,
        *,
        idempotency_key: str | None,
    ) -> Created[models.Snapshot]:
        """``POST /sandboxes/{sandboxId}/snapshots``."""
        name = None if body is None else given(body.name)
        snapshot = await self._service.create_snapshot(sandbox_id, name, context.caller, idempotency_key)
        return Created(write_snapshot(snapshot), f"/v1/snapshots/{quote(snapshot.id, safe='')}")

    async def list_snapshots(
        self,
        context: Context,
        *,
        sandbox_id: str | None,
        name: str | None,
        state: tuple[str, ...],
        page: int,
        page_size: int,
    ) -> models.SnapshotPage:
        """``GET /snapshots``."""
        selection = SnapshotFilter(sandbox_id=sandbox_id, name=name, states=frozenset(state))
        return write_snapshot_page(
            await self._service.list_snapshots(selection, PageRequest(page, page_size))
        )

    async def get_snapshot(self, context: Context, snapshot_id: str) -> models.Snapshot:
        """``GET /snapshots/{snapshotId}``."""
        return write_snapshot(await self._service.get_snapshot(snapshot_id))

    async def delete_snapshot(self, context: Context, snapshot_id: str) -> None:
        """``DELETE /snapshots/{snapshotId}``."""
        await self._service.delete_snapshot(snapshot_id)

    # --- pools ----------------------------------------------------------------------------------------------

    async def create_pool(self, context: Context, body: models.CreatePoolRequest) -> Created[models.Pool]:
        """``POST /pools``."""
        pool = await self._service.create_pool(read_create_pool(body))
        return Created(write_pool(pool), f"/v1/pools/{quote(pool.name, safe='')}")

    async def list_pools(self, context: Context) -> models.PoolList:
        """``GET /pools``."""
        return models.PoolList(items=[write_pool(pool) for pool in await self._service.list_pools()])

    async def get_pool(self, context: Context, pool_name: str) -> models.Pool:
        """``GET /pools/{poolName}``."""
        return write_pool(await self._service.get_pool(pool_name))

    async def update_pool(
        self, context: Context, pool_name: str, body: models.UpdatePoolRequest
    ) -> models.Pool:
        """``PUT /pools/{poolName}``."""
        return write_pool(await self._service.update_pool(pool_name, read_capacity(body.capacity_spec)))

    async def delete_pool(self, context: Context, pool_name: str) -> None:
        """``DELETE /pools/{poolName}``."""
        await self._service.delete_pool(pool_name)

    # --- the server itself ----------------------------------------------------------------------------------

    async def get_health(self, context: Context) -> models.Health:
        """``GET /health``.

        Whoever can answer is healthy; a server that is shutting down answers 503 before this.
        """
        return models.Health(status="healthy")

    async def get_version(self, context: Context) -> models.Version:
        """``GET /version``."""
        able = self._service.capabilities
        optional = {
            "idempotency": True,
            "pause": able.pause is not None,
            "snapshots": able.snapshots,
            "pools": able.pools,
        }
        return models.Version(
            version=self._identity.version(),
            api_version=API_VERSION,
            runtime=self._identity.runtime,
            capabilities=[name for name, there in optional.items() if there],
        )
