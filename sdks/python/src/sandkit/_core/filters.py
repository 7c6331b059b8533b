"""Filters of lists as the wire wants them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

from sandkit._core.pagination import PageFacts
from sandkit._generated import models
from sandkit._generated.absence import UNSET, Unset


def states(value: str | Iterable[str] | None) -> list[str] | Unset:
    """One state or several; none means no filter."""
    if value is None:
        return UNSET
    return [str(value)] if isinstance(value, str) else [str(state) for state in value]


def metadata(value: Mapping[str, str] | None) -> str | Unset:
    """Labels as the URL-encoded query string that the filter takes as its value."""
    return urlencode(value) if value else UNSET


def given(value: int | None) -> int | Unset:
    """A number, or nothing."""
    return UNSET if value is None else value


def named(value: str | None) -> str | Unset:
    """A text, or nothing."""
    return UNSET if value is None else value


def page_facts(pagination: models.Pagination) -> PageFacts:
    """Where a page stands."""
    return PageFacts(
        page=pagination.page,
        page_size=pagination.page_size,
        total_items=pagination.total_items,
        total_pages=pagination.total_pages,
        has_next_page=pagination.has_next_page,
    )
