"""The writes of the product's processes: numbered as they are sent, and where something strikes at them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from sandkit_server.core.errors import Killed
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.control_plane.harness.mortal import MortalCluster
from sandkit_server.testing.control_plane.harness.points import Actor

_WRITES: Final = frozenset({Verb.CREATE, Verb.PATCH, Verb.DELETE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One write of a life: who sent what, and the how manieth of its kind it was.

    Attributes:
        what: Verb, resource and, of a status, the phase it tells: ``patch batchsandboxes/status Pausing``.
    """

    actor: Actor
    what: str
    nth: int

    def __str__(self) -> str:
        return f"{self.actor}: {self.what} ({self.nth})"


class Moment(StrEnum):
    """On which side of a write something happens."""

    BEFORE = "before"
    AFTER = "after"


# Awaited on both sides of every write. Killed, raised by it, ends the process that sends the write.
Strike = Callable[[Write, Moment], Awaitable[None]]


class Ledger:
    """Numbers the writes of one life and lets something strike at each.

    Attributes:
        writes: Those of the present life, in the order in which they were sent.
        strike: What strikes at them.
    """

    def __init__(self) -> None:
        self.writes: list[Write] = []
        self._counts: Counter[tuple[Actor, str]] = Counter()
        self.strike: Strike | None = None

    def begin(self, strike: Strike | None = None) -> None:
        """Forget the last life; ``strike`` at the writes of the one that begins."""
        self.writes = []
        self._counts.clear()
        self.strike = strike

    def note(self, actor: Actor, call: Call) -> Write:
        """Number a write that is about to be sent."""
        what = _described(call)
        self._counts[actor, what] += 1
        write = Write(actor=actor, what=what, nth=self._counts[actor, what])
        self.writes.append(write)
        return write

    async def passing(self, write: Write, moment: Moment) -> None:
        """Let happen what is to happen here. Raises Killed."""
        if self.strike is not None:
            await self.strike(write, moment)


class Kill:
    """Strikes once: the process that sends ``write`` dies at it.

    Attributes:
        done: Whether it has.
    """

    def __init__(self, write: Write, moment: Moment) -> None:
        self.write = write
        self.moment = moment
        self.done = False

    def __str__(self) -> str:
        return f"killed {self.moment} {self.write}"

    async def __call__(self, write: Write, moment: Moment) -> None:
        """Die if this is the place. Raises Killed."""
        if not self.done and (write, moment) == (self.write, self.moment):
            self.done = True
            raise Killed


class RecordedCluster(MortalCluster):
    """The connection of one process, whose writes are numbered and may be struck at.

    Attributes:
        died: Set when the process was killed.
    """

    def __init__(self, inner: HttpCluster, actor: Actor, ledger: Ledger) -> None:
        super().__init__(inner)
        self._actor = actor
        self._ledger = ledger
        self.died = asyncio.Event()

    @property
    def is_alive(self) -> bool:
        """Whether the process still lives."""
        return not self.died.is_set()

    async def send(self, call: Call) -> Object:
        """Carry out a call, unless the process dies before; if it dies after, nobody gets the answer."""
        self._require_life()
        if call.verb not in _WRITES:
            answer = await self._inner.send(call)
        else:
            write = self._ledger.note(self._actor, call)
            await self._pass(write, Moment.BEFORE)
            try:
                answer = await self._inner.send(call)
            finally:
                await self._pass(write, Moment.AFTER)
        self._require_life()
        return answer

    async def close(self) -> None:
        """Close every connection."""
        self.died.set()
        await super().close()

    async def _pass(self, write: Write, moment: Moment) -> None:
        self._require_life()
        try:
            await self._ledger.passing(write, moment)
        except Killed:
            self.died.set()
            raise


def _described(call: Call) -> str:
    resource = f"{call.resource.plural}/{call.subresource}" if call.subresource else call.resource.plural
    phase = ((call.body or {}).get("status") or {}).get("phase") if call.subresource else None
    return " ".join(filter(None, (call.verb, resource, phase)))
