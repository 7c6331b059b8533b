from __future__ import annotations

import pytest

from sandkit_server.core.model import PageRequest
from sandkit_server.core.paging import paginate


@pytest.mark.parametrize(
    ("count", "page", "size", "items", "pages", "more"),
    [
        (0, 1, 20, [], 0, False),
        (5, 1, 2, [0, 1], 3, True),
        (5, 2, 2, [2, 3], 3, True),
        (5, 3, 2, [4], 3, False),
        (5, 4, 2, [], 3, False),
        (4, 2, 2, [2, 3], 2, False),
        (1, 10**9, 200, [], 1, False),
    ],
)
def test_pages(count: int, page: int, size: int, items: list[int], pages: int, more: bool) -> None:
    found = paginate(range(count), PageRequest(page, size))
    assert (list(found.items), found.total_items, found.total_pages, found.has_next_page) == (
        items,
        count,
        pages,
        more,
    )


def test_the_pages_together_are_the_whole() -> None:
    pages = [paginate(range(23), PageRequest(page, 5)).items for page in range(1, 6)]
    assert [item for page in pages for item in page] == list(range(23))
