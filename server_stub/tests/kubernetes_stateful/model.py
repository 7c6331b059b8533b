"""What a client may expect to be there in the end, out of nothing but its own requests and their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto


class Answer(Enum):
    """How a request ended, as far as its client knows."""

    DONE = auto()
    # The error says that nothing was changed.
    REFUSED = auto()
    # No answer, or one that does not say.
    UNKNOWN = auto()


class Fate(Enum):
    """What a client knows of a thing it made."""

    THERE = auto()
    UNSURE = auto()
    # Deleted past the server, which may not know it yet.
    TAKEN = auto()
    GONE = auto()


@dataclass
class Life:
    """One sandbox that a create was answered with. ``expires`` is when it goes by itself."""

    id: str
    created: datetime
    expires: datetime | None
    fate: Fate = Fate.THERE

    def is_life_of(self, other: Life) -> bool:
        """Whether both are the same one, not one after the other under the same key."""
        return (self.id, self.created) == (other.id, other.created)

    def is_gone(self, now: datetime) -> bool:
        """Whether the client knows that it is, or will be."""
        return self.fate_at(now) in _GONE

    def fate_at(self, now: datetime) -> Fate:
        """What the client knows once everything that was due at ``now`` has happened."""
        if self.fate is Fate.THERE and self.expires is not None and self.expires <= now:
            return Fate.GONE
        return self.fate


class Request:
    """One request under way. ``alone``: nobody else asked for anything about the same sandbox meanwhile."""

    def __init__(self) -> None:
        self.alone = True


class Model:
    """Sandboxes by the client's own name for them, user snapshots by id.

    Attributes:
        lost: How many creates of sandboxes were never answered.
        lost_snapshots: Likewise of snapshots.
    """

    def __init__(self) -> None:
        self.lives: dict[str, Life] = {}
        self.former: list[Life] = []
        self.snapshots: dict[str, Fate] = {}
        self.lost = 0
        self.lost_snapshots = 0
        self._under_way: dict[str, list[Request]] = {}

    @contextmanager
    def request(self, name: str) -> Iterator[Request]:
        """A request about the sandbox ``name``; what overlaps has no known order."""
        mine, others = Request(), self._under_way.setdefault(name, [])
        for each in others:
            each.alone = mine.alone = False
        others.append(mine)
        try:
            yield mine
        finally:
            others.remove(mine)

    def deleted_by_others(self, name: str) -> None:
        """Somebody deleted the workload of the sandbox ``name``, past the server; that overlaps as well."""
        under_way = self._under_way.get(name, [])
        for each in under_way:
            each.alone = False
        self.lives[name].fate = Fate.UNSURE if under_way else Fate.TAKEN

    def created(self, name: str, made: Life | None, answer: Answer, request: Request) -> None:
        """A create ended."""
        before = self.lives.get(name)
        if answer is Answer.UNKNOWN:
            self.lost += 1
            if before is not None and before.fate is not Fate.THERE:
                # The same key may have brought the same id back.
                before.fate = Fate.UNSURE
        if made is None:
            return
        if before is not None and before.id != made.id:
            self.former.append(before)
        # A repeated create is answered with what is there, which a renewal may have given another expiry.
        self.lives[name] = made
        # The server may have answered with what it does not yet know to be gone.
        is_past = before is not None and before.fate is Fate.TAKEN and before.is_life_of(made)
        if is_past or not request.alone:
            made.fate = Fate.UNSURE

    def removed(self, life: Life, answer: Answer, request: Request) -> None:
        """A delete ended; one that finds nothing says as much."""
        if answer is Answer.DONE and request.alone:
            life.fate = Fate.GONE
        elif answer is not Answer.REFUSED or not request.alone:
            life.fate = Fate.UNSURE

    def renewed(self, life: Life, expires: datetime, answer: Answer, request: Request) -> None:
        """A renewal ended."""
        if answer is Answer.DONE and request.alone:
            life.expires = expires
        elif answer is not Answer.REFUSED:
            life.fate = Fate.UNSURE

    def snapshot_made(self, snapshot_id: str | None, answer: Answer) -> None:
        """The create of a user snapshot ended."""
        self.lost_snapshots += answer is Answer.UNKNOWN
        if snapshot_id is not None:
            self.snapshots[snapshot_id] = Fate.THERE

    def snapshot_removed(self, snapshot_id: str, answer: Answer) -> None:
        """The delete of a user snapshot ended."""
        if answer is Answer.DONE:
            self.snapshots[snapshot_id] = Fate.GONE
        elif answer is Answer.UNKNOWN:
            self.snapshots[snapshot_id] = Fate.UNSURE

    def sandboxes_differ(self, there: set[str], now: datetime) -> str | None:
        """What is missing or too much among the sandboxes."""
        fates: dict[str, Fate] = {}
        # The same id can have lived before; the last life counts.
        for life in (*self.former, *self.lives.values()):
            fates[life.id] = life.fate_at(now)
        return _differs("sandbox", fates, there, self.lost)

    def snapshots_differ(self, there: set[str]) -> str | None:
        """Likewise among the user snapshots."""
        return _differs("snapshot", self.snapshots, there, self.lost_snapshots)


_GONE = frozenset({Fate.TAKEN, Fate.GONE})


def _differs(kind: str, fates: dict[str, Fate], there: set[str], lost: int) -> str | None:
    tally = Counter(fates.get(each) for each in there)
    if missing := sorted(each for each, fate in fates.items() if fate is Fate.THERE and each not in there):
        return f"{kind} {missing[0]} should be there, and is not"
    if back := sorted(each for each in there if fates.get(each) in _GONE):
        return f"{kind} {back[0]} should be gone, and is there"
    if tally[None] > lost:
        unknown = sorted(there - fates.keys())
        return f"{kind}s {', '.join(unknown)} are there, and only {lost} creates went unanswered"
    return None
