"""The totals of a page."""

from __future__ import annotations

from typing import Any

from sandkit_server._generated import models
from sandkit_server.core.model import Page

__all__ = ["write_pagination"]


def write_pagination(page: Page[Any]) -> models.Pagination:
    """Where this page stands in the whole listing."""
    return models.Pagination(
        page=page.page,
        page_size=page.page_size,
        total_items=page.total_items,
        total_pages=page.total_pages,
        has_next_page=page.has_next_page,
    )
