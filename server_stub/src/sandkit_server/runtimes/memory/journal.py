"""What happened in the engine, in order; kept for observers who must not miss what is there only briefly."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sandkit_server.disturbance.clock import AdjustableClock

Action = Literal["created", "updated", "deleted"]
Kind = Literal["volume", "workload", "pod", "snapshot", "job", "image", "process"]

_CAPACITY = 20_000


@dataclass(frozen=True, slots=True)
class Entry:
    """One change.

    ``object`` is a small JSON-ready picture of the thing after it (before it, when deleted).
    """

    seq: int
    at: datetime
    action: Action
    kind: Kind
    name: str
    object: dict[str, Any]


class Journal:
    """Numbers entries from 1 and forgets the oldest beyond a fixed capacity."""

    def __init__(self, clock: AdjustableClock) -> None:
        self._clock = clock
        self._entries: deque[Entry] = deque(maxlen=_CAPACITY)
        self.last = 0

    def record(self, action: Action, kind: Kind, name: str, picture: dict[str, Any]) -> None:
        """Append an entry."""
        self._clock.touch()
        self.last += 1
        self._entries.append(Entry(self.last, self._clock.now(), action, kind, name, picture))

    def after(self, seq: int) -> list[Entry]:
        """All kept entries with a number above ``seq``."""
        missing = self.last - seq
        if missing <= 0:
            return []
        return list(self._entries)[-missing:]
