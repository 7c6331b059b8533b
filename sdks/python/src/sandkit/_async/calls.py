"""The operations on one sandbox or snapshot, by id, with models as they come off the wire.

Bound objects and resources both stand on these, so that each rule (what a lost answer means, which scheme an
endpoint gets) is written once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sandkit._core import creation, errors, lifecycle
from sandkit._core.endpoint import Endpoint, EndpointRoute, endpoint_url, epoch_seconds
from sandkit._core.options import RequestOptions
from sandkit._core.request import path_id
from sandkit._core.response import Answer
from sandkit._generated import models
from sandkit._generated.exchange import Request
from sandkit._generated.operations import (
    create_snapshot,
    delete_sandbox,
    delete_snapshot,
    get_sandbox,
    get_sandbox_endpoint,
    get_sandbox_events,
    get_sandbox_logs,
    get_snapshot,
    patch_sandbox_metadata,
    pause_sandbox,
    renew_sandbox_expiration,
    resume_sandbox,
)

if TYPE_CHECKING:
    from sandkit._async.exchange import AsyncExchange


class AsyncSandboxCalls:
    """Operations on a sandbox."""

    def __init__(self, exchange: AsyncExchange) -> None:
        self.exchange = exchange

    async def get(self, sandbox_id: str, options: RequestOptions | None) -> Answer[models.Sandbox]:
        """The sandbox as it is now."""
        request = get_sandbox.build(sandbox_id=path_id(sandbox_id, "sandbox id"))
        return await self.exchange.call(request, get_sandbox.parse, options)

    async def delete(self, sandbox_id: str, options: RequestOptions | None) -> None:
        """Take the sandbox down."""
        request = delete_sandbox.build(sandbox_id=path_id(sandbox_id, "sandbox id"))
        await self.exchange.call(request, delete_sandbox.parse, options)

    async def pause(self, sandbox_id: str, options: RequestOptions | None) -> None:
        """Ask for a pause."""
        request = pause_sandbox.build(sandbox_id=path_id(sandbox_id, "sandbox id"))
        await self._ask_once(sandbox_id, request, options)

    async def resume(self, sandbox_id: str, options: RequestOptions | None) -> None:
        """Ask for a resume."""
        request = resume_sandbox.build(sandbox_id=path_id(sandbox_id, "sandbox id"))
        await self._ask_once(sandbox_id, request, options)

    async def _ask_once(self, sandbox_id: str, request: Request, options: RequestOptions | None) -> None:
        """Send a pause or resume, never twice; when the answer is lost, let the sandbox's state tell.

        Sending it again could pause what somebody has just resumed. The state can only confirm: a sandbox
        that is still where it was may yet receive the request, so then the original error is raised.
        """
        try:
            await self.exchange.call(request, pause_sandbox.parse, options)
        except errors.RequestError as problem:
            if not problem.maybe_applied:
                raise
            try:
                answer = await self.get(sandbox_id, None)
            except errors.RequestError:
                raise problem from problem.__cause__
            if answer.value.status.state not in lifecycle.under_way(request.operation.operation_id):
                raise

    async def renew(
        self, sandbox_id: str, expires_at: datetime | timedelta, options: RequestOptions | None
    ) -> Answer[datetime]:
        """Move the expiry; the one that now holds."""
        body = models.RenewSandboxExpirationRequest(expires_at=creation.expiry(expires_at))
        request = renew_sandbox_expiration.build(sandbox_id=path_id(sandbox_id, "sandbox id"), body=body)
        answer = await self.exchange.call(request, renew_sandbox_expiration.parse, options)
        return Answer(answer.value.expires_at, answer.request_id)

    async def patch_metadata(
        self, sandbox_id: str, changes: Mapping[str, str | None], options: RequestOptions | None
    ) -> Answer[models.Sandbox]:
        """Set and remove labels; the whole sandbox after that."""
        request = patch_sandbox_metadata.build(
            sandbox_id=path_id(sandbox_id, "sandbox id"), body=dict(changes)
        )
        return await self.exchange.call(request, patch_sandbox_metadata.parse, options)

    async def endpoint(
        self, sandbox_id: str, port: int, route: EndpointRoute, options: RequestOptions | None
    ) -> Endpoint:
        """The address of a port."""
        request = get_sandbox_endpoint.build(
            sandbox_id=path_id(sandbox_id, "sandbox id"),
            port=port,
            use_server_proxy=True if route.through_server else models.UNSET,
            expires=models.UNSET if route.expires is None else epoch_seconds(route.expires),
        )
        answer = await self.exchange.call(request, get_sandbox_endpoint.parse, options)
        url = endpoint_url(answer.value.endpoint, self.exchange.config.scheme)
        return Endpoint(url, dict(answer.value.headers or {}))

    async def snapshot(
        self, sandbox_id: str, name: str | None, options: RequestOptions | None
    ) -> Answer[models.Snapshot]:
        """Start to keep the root filesystem as an image."""
        body = models.UNSET if name is None else models.CreateSnapshotRequest(name=name)
        request = create_snapshot.build(sandbox_id=path_id(sandbox_id, "sandbox id"), body=body)
        return await self.exchange.call(request, create_snapshot.parse, options)

    async def logs(self, sandbox_id: str, scope: str | None, options: RequestOptions | None) -> str:
        """What the entrypoint printed."""
        request = get_sandbox_logs.build(
            sandbox_id=path_id(sandbox_id, "sandbox id"), scope=models.UNSET if scope is None else scope
        )
        return (await self.exchange.call(request, get_sandbox_logs.parse, options)).value

    async def events(self, sandbox_id: str, scope: str | None, options: RequestOptions | None) -> str:
        """What happened to the sandbox."""
        request = get_sandbox_events.build(
            sandbox_id=path_id(sandbox_id, "sandbox id"), scope=models.UNSET if scope is None else scope
        )
        return (await self.exchange.call(request, get_sandbox_events.parse, options)).value


class AsyncSnapshotCalls:
    """Operations on a snapshot."""

    def __init__(self, exchange: AsyncExchange) -> None:
        self.exchange = exchange

    async def get(self, snapshot_id: str, options: RequestOptions | None) -> Answer[models.Snapshot]:
        """The snapshot as it is now."""
        request = get_snapshot.build(snapshot_id=path_id(snapshot_id, "snapshot id"))
        return await self.exchange.call(request, get_snapshot.parse, options)

    async def delete(self, snapshot_id: str, options: RequestOptions | None) -> None:
        """Remove the snapshot and its image."""
        request = delete_snapshot.build(snapshot_id=path_id(snapshot_id, "snapshot id"))
        await self.exchange.call(request, delete_snapshot.parse, options)
