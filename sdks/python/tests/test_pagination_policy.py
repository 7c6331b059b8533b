"""The walk over pages against a model: what lives all the while comes once and in order."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sandkit._core.pagination import PageFacts, Walk


class Shelf:
    """A list that is read by pages and changes between reads."""

    def __init__(self, entries: list[str], page_size: int) -> None:
        self.entries = entries
        self.page_size = page_size
        self.reads = 0

    def page(self, number: int) -> tuple[list[str], PageFacts]:
        self.reads += 1
        total = len(self.entries)
        pages = -(-total // self.page_size)
        items = self.entries[(number - 1) * self.page_size : number * self.page_size]
        return items, PageFacts(number, self.page_size, total, pages, number < pages)


def walk(shelf: Shelf, change: list[tuple[set[str], int]]) -> list[str]:
    """Everything a walk gives out while the shelf changes between the pages as told."""
    walk, out, number = Walk(), [], 1
    while True:
        items, facts = shelf.page(number)
        back = walk.step_back(facts)
        if back is not None:
            number = back
            continue
        out += [item for item in items if walk.is_new(item)]
        following = walk.following(facts, len(items))
        if change:
            removed, added = change.pop(0)
            shelf.entries = [entry for entry in shelf.entries if entry not in removed]
            shelf.entries += [f"new-{len(change)}-{index}" for index in range(added)]
        if following is None:
            return out
        number = following


def test_deleting_while_walking_loses_nothing() -> None:
    shelf = Shelf([f"s{number}" for number in range(10)], page_size=2)
    gone: list[str] = []
    walk_, number = Walk(), 1
    while True:
        items, facts = shelf.page(number)
        back = walk_.step_back(facts)
        if back is not None:
            number = back
            continue
        for item in [entry for entry in items if walk_.is_new(entry)]:
            shelf.entries.remove(item)
            gone.append(item)
        following = walk_.following(facts, len(items))
        if following is None:
            break
        number = following
    assert gone == [f"s{number}" for number in range(10)]


@settings(max_examples=300, deadline=None)
@given(
    total=st.integers(0, 30),
    page_size=st.integers(1, 7),
    removals=st.lists(st.sets(st.integers(0, 29), max_size=8), max_size=8),
)
def test_survivors_come_exactly_once_in_order(total: int, page_size: int, removals: list[set[int]]) -> None:
    entries = [f"s{number:02}" for number in range(total)]
    change = [({f"s{number:02}" for number in removed}, 0) for removed in removals]
    removed = {name for names, _ in change for name in names}
    shelf = Shelf(list(entries), page_size)
    out = walk(shelf, change)
    assert len(out) == len(set(out))
    assert [entry for entry in out if entry not in removed] == [
        entry for entry in entries if entry not in removed
    ]
    assert shelf.reads <= 3 * (total + 2)


def test_new_entries_at_the_end_are_seen_while_pages_are_left() -> None:
    shelf = Shelf(["a", "b", "c"], page_size=2)
    assert walk(shelf, [(set(), 1)]) == ["a", "b", "c", "new-0-0"]


def test_a_server_that_promises_more_for_ever_ends_the_walk() -> None:
    walk = Walk()
    assert walk.following(PageFacts(3, 20, 60, 9, has_next_page=True), 0) is None
