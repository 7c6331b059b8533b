"""Walking through pages that change underfoot.

Pages are counted, so an entry that vanishes moves everything behind it forward, and a plain walk would
step over as many entries as vanished: half of them in `for sandbox in client.sandboxes.list():
sandbox.delete()`. The walk therefore watches the total: when it shrinks, it goes back by the pages that
may have moved, and what it has given out already it does not give out again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Where a page stands.

    Attributes:
        page: Its number, from 1.
        page_size: Entries a page holds at most.
        total_items: Entries in all, as of this page.
        total_pages: Pages in all, as of this page.
        has_next_page: Whether a page follows.
    """

    page: int
    page_size: int
    total_items: int
    total_pages: int
    has_next_page: bool


class Walk:
    """Decides, page by page, what to give out and what to read next."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._last: PageFacts | None = None

    def step_back(self, facts: PageFacts) -> int | None:
        """The page to read instead of the one just read, or None when that one can be used."""
        last, self._last = self._last, facts
        if last is None or facts.total_items >= last.total_items or facts.page <= 1:
            return None
        moved = last.total_items - facts.total_items
        return max(1, facts.page - -(-moved // max(1, facts.page_size)))

    def is_new(self, key: str) -> bool:
        """Whether an entry has not been given out before; it then counts as given out."""
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def following(self, facts: PageFacts, count: int) -> int | None:
        """The page to read next, or None at the end.

        A server that promises more but gives nothing ends the walk.
        """
        return facts.page + 1 if facts.has_next_page and count > 0 else None
