"""One page of a list, and the walk over all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from typing import Generic, TypeVar

from sandkit._core.creation import Identified
from sandkit._core.pagination import PageFacts, Walk

T = TypeVar("T", bound=Identified)


class AsyncPage(Generic[T]):
    """One page of a list.

    Iterating over a page goes on with the pages behind it, reading each when it is needed. Entries that
    live all the while come exactly once, in the server's order, also when others are deleted or created
    meanwhile.

    Attributes:
        items: The entries of this page alone.
        request_id: The X-Request-ID of the exchange that read it.
    """

    def __init__(
        self,
        items: Sequence[T],
        facts: PageFacts,
        fetch: Callable[[int], Awaitable[AsyncPage[T]]],
        request_id: str,
    ) -> None:
        self.items = tuple(items)
        self.request_id = request_id
        self._facts = facts
        self._fetch = fetch

    @property
    def page(self) -> int:
        """The number of this page, from 1."""
        return self._facts.page

    @property
    def page_size(self) -> int:
        """Entries a page holds at most."""
        return self._facts.page_size

    @property
    def total_items(self) -> int:
        """Entries in all, when this page was read."""
        return self._facts.total_items

    @property
    def total_pages(self) -> int:
        """Pages in all, when this page was read."""
        return self._facts.total_pages

    @property
    def has_next_page(self) -> bool:
        """Whether a page followed, when this page was read."""
        return self._facts.has_next_page

    async def next_page(self) -> AsyncPage[T] | None:
        """The page after this one, or None when this is the last."""
        return await self._fetch(self.page + 1) if self.has_next_page else None

    async def __aiter__(self) -> AsyncIterator[T]:
        walk = Walk()
        page = self
        while True:
            back = walk.step_back(page._facts)
            if back is not None:
                page = await self._fetch(back)
                continue
            for item in page.items:
                if walk.is_new(item.id):
                    yield item
            following = walk.following(page._facts, len(page.items))
            if following is None:
                return
            page = await self._fetch(following)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}(page={self.page}, total_pages={self.total_pages}, items={list(self.items)!r})"

    @staticmethod
    async def of(fetch: Callable[[int], Awaitable[AsyncPage[T]]], number: int) -> AsyncPage[T]:
        """Read one page."""
        return await fetch(number)


# async-only: blocking code gets the page itself
class AsyncListing(Generic[T]):
    """A list that has not been read yet: `await` it for its first page, or iterate over all entries at once.

    ```python
    page = await client.sandboxes.list(state="Running")
    async for sandbox in client.sandboxes.list(state="Running"):
        print(sandbox.id)
    ```
    """

    def __init__(self, fetch: Callable[[int], Awaitable[AsyncPage[T]]], number: int) -> None:
        self._fetch = fetch
        self._number = number

    @classmethod
    def of(cls, fetch: Callable[[int], Awaitable[AsyncPage[T]]], number: int) -> AsyncListing[T]:
        """A list that begins with that page."""
        return cls(fetch, number)

    def __await__(self) -> Generator[object, None, AsyncPage[T]]:
        return AsyncPage.of(self._fetch, self._number).__await__()

    async def __aiter__(self) -> AsyncIterator[T]:
        async for item in await self:
            yield item
