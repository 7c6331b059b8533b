"""Where scenarios get their observations: from the server itself, which is written down, or from a trace.

This is the only way in which something from outside reaches a verdict. What comes through here live is in the
trace, so the engine can come to the same verdicts again from the trace alone.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

import anyio
from attrs import define, evolve, field, frozen

from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.matchers import parse_instant
from sandkit_conformance.trace import Trace

_DEAD_AFTER: Final = 5
_SLOWEST_POLL: Final = 0.25
_GROWTH: Final = 1.3
_DIGITS: Final = 9


@frozen
class Place:
    """Where in the suite an observation is made, by the names the trace uses."""

    scenario: str
    step: str


@frozen
class Look:
    """What was seen, and when the look began, in seconds of the run."""

    value: Any
    began: float


class Source(Protocol):
    """Gives observations."""

    async def exchange(
        self, place: Place, call: Call, purpose: str, perform: Callable[[Call], Awaitable[Exchange]]
    ) -> Exchange:
        """One call and its answer."""
        ...

    async def look(
        self, place: Place, kind: str, query: Mapping[str, Any], ask: Callable[[], Awaitable[Any]]
    ) -> Look:
        """What a side port says. Raises `SidePortError` when it does not work."""
        ...

    def ticks(self, place: Place, budget: float, poll: float) -> AsyncIterator[None]:
        """Times to look; the last one falls on the end of the budget (seconds)."""
        ...

    def now(self, scenario: str) -> datetime:
        """The server's now."""
        ...

    def dead(self, place: Place) -> str | None:
        """Why the server counts as gone, or None."""
        ...

    def fork(self, count: int) -> Callable[[], None]:
        """The caller goes on as so many tasks; each calls what is given back when it ends."""
        ...


class NotInTraceError(SuiteError):
    """The trace has no answer to what is asked here, so nothing can be said."""


class OutOfTimeError(Exception):
    """The scenario's budget was used up here when the trace was recorded."""


@define
class ServerClock:
    """The server's clock as far as the suite knows it: the wall clock plus what was advanced."""

    offset: timedelta = timedelta()
    wall: Callable[[], datetime] = lambda: datetime.now(UTC)

    def now(self) -> datetime:
        """The server's now, in UTC."""
        return self.wall() + self.offset

    def set(self, text: str | None) -> None:
        """Learn the server's time from what a side port said."""
        instant = parse_instant(text)
        if instant:
            self.offset = instant - self.wall()


@define
class Health:
    """Notices a server that has stopped answering, so that a run does not wait for it a hundred times."""

    silent: int = 0
    last: str = ""

    def note(self, exchange: Exchange) -> None:
        """Count exchanges without any answer in a row."""
        if exchange.failure and exchange.failure.kind in {"unreachable", "timeout"}:
            self.silent += 1
            self.last = exchange.failure.message
        else:
            self.silent = 0

    @property
    def dead(self) -> str | None:
        """Why the server counts as gone, or None."""
        if self.silent < _DEAD_AFTER:
            return None
        return f"the server stopped answering ({self.silent} exchanges in a row: {self.last})"


@define
class LiveSource:
    """The server and its side ports, with everything they say written into the trace."""

    trace: Trace
    health: Health
    clock: ServerClock
    _last: dict[Place, tuple[Any, ...]] = field(init=False, factory=dict)

    async def exchange(
        self, place: Place, call: Call, purpose: str, perform: Callable[[Call], Awaitable[Exchange]]
    ) -> Exchange:
        """See `Source.exchange`."""
        exchange = await perform(call)
        text = exchange.text + "\n" + "\n".join(value for _, value in exchange.headers)
        # Masked in the trace, so it must be found out now.
        exchange = evolve(exchange, echoes=self.trace.redactor.echoes(text))
        self.health.note(exchange)
        self.trace.record_exchange(place.scenario, place.step, exchange, purpose)
        return exchange

    async def look(
        self, place: Place, kind: str, query: Mapping[str, Any], ask: Callable[[], Awaitable[Any]]
    ) -> Look:
        """See `Source.look`. A look that shows nothing new in its step is not written down again."""
        began = round(self.trace.elapsed(), _DIGITS)
        try:
            value = await ask()
        except SidePortError as error:
            self.trace.record(place.scenario, place.step, kind, query=query, problem=str(error), began=began)
            raise
        except SuiteError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            problem = f"a side port answered something else than its protocol says ({kind}): {error!r}"
            self.trace.record(place.scenario, place.step, kind, query=query, problem=problem, began=began)
            raise SidePortError(problem) from error
        seen = (kind, query, value)
        if self._last.get(place) != seen:
            self._last[place] = seen
            self.trace.record(place.scenario, place.step, kind, query=query, found=value, began=began)
        return Look(value, began)

    async def ticks(self, place: Place, budget: float, poll: float) -> AsyncIterator[None]:
        """See `Source.ticks`: from often to seldom."""
        started = time.monotonic()
        while True:
            yield
            left = budget - (time.monotonic() - started)
            if left <= 0:
                self.trace.record(place.scenario, place.step, "over", budget=budget)
                return
            await anyio.sleep(min(poll, left))
            poll = min(poll * _GROWTH, _SLOWEST_POLL)

    def now(self, scenario: str) -> datetime:
        """See `Source.now`."""
        moment = self.clock.now()
        self.trace.record(scenario, "", "instant", now=moment.isoformat())
        return moment

    def dead(self, place: Place) -> str | None:
        """See `Source.dead`."""
        reason = self.health.dead
        if reason:
            self.trace.record(place.scenario, place.step, "dead", reason=reason)
        return reason

    def fork(self, count: int) -> Callable[[], None]:  # noqa: ARG002
        """See `Source.fork`; the tasks of a live run need no order."""
        return lambda: None
