"""Pages and walks over them."""

from __future__ import annotations

import httpx
import pytest

from sandkit import AsyncClient
from sandkit.errors import ServerError
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer, page_body, sandbox_body, snapshot_body


class Shelf:
    """A server with sandboxes that are listed and deleted."""

    def __init__(self, count: int) -> None:
        self.ids = [f"sbx-{number}" for number in range(count)]
        self.transport = httpx.MockTransport(self.serve)
        self.pages: list[int] = []

    def serve(self, request: httpx.Request) -> httpx.Response:
        if request.method == "DELETE":
            self.ids.remove(request.url.path.rpartition("/")[2])
            return httpx.Response(204)
        page, size = int(request.url.params["page"]), int(request.url.params.get("pageSize", 20))
        self.pages.append(page)
        items = [sandbox_body(entry) for entry in self.ids[(page - 1) * size : page * size]]
        return httpx.Response(200, json=page_body(items, page=page, page_size=size, total=len(self.ids)))


def client_over(transport: httpx.MockTransport) -> AsyncClient:
    return AsyncClient("key", "http://localhost:1", transport=transport, clock=AsyncFakeClock())


async def test_a_page_has_items_and_totals() -> None:
    shelf = Shelf(5)
    page = await client_over(shelf.transport).sandboxes.list(page=2, page_size=2)
    assert [sandbox.id for sandbox in page.items] == ["sbx-2", "sbx-3"]
    assert (page.page, page.page_size, page.total_items, page.total_pages) == (2, 2, 5, 3)
    assert page.has_next_page
    last = await page.next_page()
    assert last is not None
    assert [sandbox.id for sandbox in last.items] == ["sbx-4"]
    assert await last.next_page() is None
    assert "page=2, total_pages=3" in repr(page)


async def test_iterating_reads_page_after_page_when_needed() -> None:
    shelf = Shelf(5)
    seen = []
    async for sandbox in client_over(shelf.transport).sandboxes.list(page_size=2):
        seen.append(sandbox.id)
        if len(seen) == 3:
            assert shelf.pages == [1, 2]
    assert seen == [f"sbx-{number}" for number in range(5)]
    assert shelf.pages == [1, 2, 3]


async def test_iterating_over_a_page_goes_on_behind_it() -> None:
    shelf = Shelf(5)
    page = await client_over(shelf.transport).sandboxes.list(page=2, page_size=2)
    assert [sandbox.id async for sandbox in page] == ["sbx-2", "sbx-3", "sbx-4"]


async def test_deleting_while_iterating_deletes_all_of_them() -> None:
    shelf = Shelf(11)
    client = client_over(shelf.transport)
    async for sandbox in client.sandboxes.list(page_size=3):
        await sandbox.delete()
    assert shelf.ids == []


async def test_nothing_comes_twice_when_what_was_not_seen_yet_is_deleted() -> None:
    shelf = Shelf(7)
    seen = []
    async for sandbox in client_over(shelf.transport).sandboxes.list(page_size=2):
        seen.append(sandbox.id)
        if sandbox.id == "sbx-1":
            shelf.ids.remove("sbx-6")
    assert seen == [f"sbx-{number}" for number in range(6)]
    assert shelf.pages == [1, 2, 1, 2, 3]


async def test_no_sandboxes_is_one_read_and_no_items() -> None:
    shelf = Shelf(0)
    assert [sandbox async for sandbox in client_over(shelf.transport).sandboxes.list()] == []
    assert shelf.pages == [1]


async def test_items_of_a_list_are_bound() -> None:
    shelf = Shelf(1)
    page = await client_over(shelf.transport).sandboxes.list()
    await page.items[0].delete()
    assert shelf.ids == []


async def test_snapshots_are_listed_in_the_same_way() -> None:
    server = ScriptedTransport(
        answer(200, page_body([snapshot_body("snap-1")], page_size=1, total=2)),
        answer(200, page_body([snapshot_body("snap-2")], page=2, page_size=1, total=2)),
    )
    client = client_over(server)
    assert [entry.id async for entry in client.snapshots.list(page_size=1)] == ["snap-1", "snap-2"]


async def test_a_failure_in_the_middle_comes_out_of_the_iteration() -> None:
    server = ScriptedTransport(
        answer(200, page_body([sandbox_body()], page_size=1, total=2)), *[answer(500) for _ in range(4)]
    )
    with pytest.raises(ServerError):
        assert [sandbox async for sandbox in client_over(server).sandboxes.list(page_size=1)] == []
    assert server.finished
