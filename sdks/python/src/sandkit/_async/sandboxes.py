"""`client.sandboxes`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Unpack

from sandkit._async.calls import AsyncSandboxCalls, AsyncSnapshotCalls
from sandkit._async.page import AsyncListing, AsyncPage
from sandkit._async.sandbox import AsyncSandbox
from sandkit._async.snapshot import AsyncSnapshot
from sandkit._core import filters
from sandkit._core.creation import SandboxFields, sandbox_request
from sandkit._core.endpoint import Endpoint, EndpointRoute
from sandkit._core.options import RequestOptions
from sandkit._core.response import Answer
from sandkit._generated.operations import create_sandbox, list_sandboxes

if TYPE_CHECKING:
    from sandkit._async.exchange import AsyncExchange


class AsyncSandboxes:
    """Creates and finds sandboxes, and acts on them by id.

    Acting by id saves reading a sandbox first; `AsyncSandbox` has the same methods, described in full.
    """

    def __init__(self, exchange: AsyncExchange) -> None:
        self._exchange = exchange
        self._calls = AsyncSandboxCalls(exchange)

    async def create(
        self, *, options: RequestOptions | None = None, **fields: Unpack[SandboxFields]
    ) -> AsyncSandbox:
        """Ask for a sandbox; it starts in the background, and `wait_running()` waits for it.

        A create whose answer is lost is repeated under the same Idempotency-Key, if the server says that
        it honours the key; otherwise the error is raised with `maybe_applied` set.

        Args:
            options: Settings of this call; `idempotency_key` makes the create repeatable across processes.
            **fields: What to create; see `SandboxFields`.

        Raises:
            TypeError: A field is misspelt or has the wrong type.
            ValueError: A value cannot be expressed on the wire.
            BadRequestError: A rule is broken and nothing was created; `details` names the fields.
            ConflictError: A volume belongs to another sandbox, a snapshot is not Ready, or the
                idempotency key was used for another request.
            CapacityExhaustedError: The pool has no warm sandbox right now.
            QuotaExceededError: A quota would be exceeded.
        """
        request = create_sandbox.build(body=sandbox_request(fields))
        del fields  # they may hold secrets, which a traceback that shows variables would tell
        return AsyncSandbox(self._calls, await self._exchange.call(request, create_sandbox.parse, options))

    async def get(self, sandbox_id: str, *, options: RequestOptions | None = None) -> AsyncSandbox:
        """Read a sandbox.

        Raises:
            NotFoundError: There is none with this id, or it is gone.
        """
        return AsyncSandbox(self._calls, await self._calls.get(sandbox_id, options))

    def list(
        self,
        *,
        state: str | Iterable[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        page: int = 1,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> AsyncListing[AsyncSandbox]:
        """List sandboxes, oldest first: iterate for all of them, or look at one page.

        Args:
            state: Only sandboxes in this state, or in one of these.
            metadata: Only sandboxes that carry all these labels.
            page: The page to begin with.
            page_size: How many sandboxes to read at a time, 1 to 200; the server's default is 20.
            options: Settings of each call.
        """
        chosen = filters.states(state)

        async def fetch(number: int) -> AsyncPage[AsyncSandbox]:
            request = list_sandboxes.build(
                state=chosen,
                metadata=filters.metadata(metadata),
                page=number,
                page_size=filters.given(page_size),
            )
            answer = await self._exchange.call(request, list_sandboxes.parse, options)
            items = [
                AsyncSandbox(self._calls, Answer(item, answer.request_id)) for item in answer.value.items
            ]
            return AsyncPage(items, filters.page_facts(answer.value.pagination), fetch, answer.request_id)

        return AsyncListing.of(fetch, page)

    async def delete(self, sandbox_id: str, *, options: RequestOptions | None = None) -> None:
        """Take a sandbox down; see `AsyncSandbox.delete`."""
        await self._calls.delete(sandbox_id, options)

    async def pause(self, sandbox_id: str, *, options: RequestOptions | None = None) -> None:
        """Ask for a pause; see `AsyncSandbox.pause`."""
        await self._calls.pause(sandbox_id, options)

    async def resume(self, sandbox_id: str, *, options: RequestOptions | None = None) -> None:
        """Ask for a resume; see `AsyncSandbox.resume`."""
        await self._calls.resume(sandbox_id, options)

    async def renew(
        self,
        sandbox_id: str,
        expires_at: datetime | timedelta,
        *,
        options: RequestOptions | None = None,
    ) -> datetime:
        """Move the expiry; see `AsyncSandbox.renew`."""
        return (await self._calls.renew(sandbox_id, expires_at, options)).value

    async def patch_metadata(
        self,
        sandbox_id: str,
        changes: Mapping[str, str | None],
        *,
        options: RequestOptions | None = None,
    ) -> AsyncSandbox:
        """Set and remove labels; see `AsyncSandbox.patch_metadata`."""
        return AsyncSandbox(self._calls, await self._calls.patch_metadata(sandbox_id, changes, options))

    async def endpoint(
        self,
        sandbox_id: str,
        port: int,
        *,
        through_server: bool = False,
        expires: datetime | int | None = None,
        options: RequestOptions | None = None,
    ) -> Endpoint:
        """The address of a port; see `AsyncSandbox.endpoint`."""
        route = EndpointRoute(through_server, expires)
        return await self._calls.endpoint(sandbox_id, port, route, options)

    async def snapshot(
        self, sandbox_id: str, name: str | None = None, *, options: RequestOptions | None = None
    ) -> AsyncSnapshot:
        """Start to keep the root filesystem as an image; see `AsyncSandbox.snapshot`."""
        answer = await self._calls.snapshot(sandbox_id, name, options)
        return AsyncSnapshot(AsyncSnapshotCalls(self._exchange), answer)

    async def logs(
        self, sandbox_id: str, scope: str | None = None, *, options: RequestOptions | None = None
    ) -> str:
        """The most recent output of the entrypoint, oldest line first."""
        return await self._calls.logs(sandbox_id, scope, options)

    async def events(
        self, sandbox_id: str, scope: str | None = None, *, options: RequestOptions | None = None
    ) -> str:
        """What happened to the sandbox, one line each, oldest first."""
        return await self._calls.events(sandbox_id, scope, options)
