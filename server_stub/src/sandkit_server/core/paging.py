"""Pages by number over an ordered listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from sandkit_server.core.model import Page, PageRequest

T = TypeVar("T")


def paginate(items: Sequence[T], request: PageRequest) -> Page[T]:
    """The asked-for page of ``items``; a page beyond the last is empty."""
    first = (request.page - 1) * request.page_size
    return Page(
        items=tuple(items[first : first + request.page_size]),
        page=request.page,
        page_size=request.page_size,
        total_items=len(items),
    )
