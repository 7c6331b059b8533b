"""`client.snapshots`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sandkit._async.calls import AsyncSnapshotCalls
from sandkit._async.page import AsyncListing, AsyncPage
from sandkit._async.snapshot import AsyncSnapshot
from sandkit._core import filters
from sandkit._core.options import RequestOptions
from sandkit._core.response import Answer
from sandkit._generated.operations import list_snapshots

if TYPE_CHECKING:
    from sandkit._async.exchange import AsyncExchange


class AsyncSnapshots:
    """Finds snapshots, and acts on them by id. A sandbox makes them: `AsyncSandbox.snapshot`."""

    def __init__(self, exchange: AsyncExchange) -> None:
        self._exchange = exchange
        self._calls = AsyncSnapshotCalls(exchange)

    async def get(self, snapshot_id: str, *, options: RequestOptions | None = None) -> AsyncSnapshot:
        """Read a snapshot.

        Raises:
            NotFoundError: There is none with this id, or it is gone.
        """
        return AsyncSnapshot(self._calls, await self._calls.get(snapshot_id, options))

    def list(
        self,
        *,
        sandbox_id: str | None = None,
        name: str | None = None,
        state: str | Iterable[str] | None = None,
        page: int = 1,
        page_size: int | None = None,
        options: RequestOptions | None = None,
    ) -> AsyncListing[AsyncSnapshot]:
        """List snapshots, oldest first: iterate for all of them, or look at one page.

        Args:
            sandbox_id: Only snapshots taken of this sandbox.
            name: Only snapshots of exactly this name.
            state: Only snapshots in this state, or in one of these.
            page: The page to begin with.
            page_size: How many snapshots to read at a time, 1 to 200; the server's default is 20.
            options: Settings of each call.
        """
        chosen = filters.states(state)

        async def fetch(number: int) -> AsyncPage[AsyncSnapshot]:
            request = list_snapshots.build(
                sandbox_id=filters.named(sandbox_id),
                name=filters.named(name),
                state=chosen,
                page=number,
                page_size=filters.given(page_size),
            )
            answer = await self._exchange.call(request, list_snapshots.parse, options)
            items = [
                AsyncSnapshot(self._calls, Answer(item, answer.request_id)) for item in answer.value.items
            ]
            return AsyncPage(items, filters.page_facts(answer.value.pagination), fetch, answer.request_id)

        return AsyncListing.of(fetch, page)

    async def delete(self, snapshot_id: str, *, options: RequestOptions | None = None) -> None:
        """Remove a snapshot; see `AsyncSnapshot.delete`."""
        await self._calls.delete(snapshot_id, options)
