"""Elections over a lease kept in memory, in the time of a clock that only waiting moves."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandkit_server.core.port_errors import AlreadyExists, NotFound, Unavailable, VersionConflict
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.lease import Election, Terms

TERMS = Terms(duration=15.0, deadline=10.0, retry=2.0)


class TickingClock:
    """Jumps to the next sleeper's end whenever nothing else is left to do."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)
        self._sleepers: list[tuple[datetime, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> datetime:
        return self._now

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now + timedelta(seconds=seconds), self._count, done))
        await done

    async def advance(self, seconds: float) -> None:
        end = self._now + timedelta(seconds=seconds)
        await _settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self._now, _, done = heapq.heappop(self._sleepers)
            if not done.done():
                done.set_result(None)
            await _settle()
        self._now = end


async def _settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


class OneLease:
    """The API server with one Lease in it."""

    namespace = "boxes"

    def __init__(self) -> None:
        self.spec: dict[str, Any] | None = None
        self.version = 0
        self.down = False
        self.hanging = False
        self.lose_answers = False

    async def send(self, call: Call) -> Object:
        if self.hanging:
            await asyncio.Event().wait()
        if self.down:
            raise Unavailable("down")
        if call.verb is Verb.CREATE:
            if self.spec is not None:
                raise AlreadyExists("there")
            assert call.body is not None
            return self._write(call.body["spec"])
        if self.spec is None:
            raise NotFound("none")
        if call.verb is Verb.PATCH:
            assert call.body is not None
            if call.body["metadata"]["resourceVersion"] != str(self.version):
                raise VersionConflict("changed")
            written = self._write({**self.spec, **call.body["spec"]})
            if self.lose_answers:
                raise Unavailable("cut")
            return written
        return self._object()

    def _write(self, spec: Mapping[str, Any]) -> Object:
        self.spec = dict(spec)
        self.version += 1
        return self._object()

    def take(self, holder: str) -> None:
        self._write({**(self.spec or {}), "holderIdentity": holder})

    def _object(self) -> Object:
        metadata = {"name": "controller", "resourceVersion": str(self.version)}
        return {"metadata": metadata, "spec": dict(self.spec or {})}


class Candidate:
    def __init__(self, lease: OneLease, clock: TickingClock, name: str) -> None:
        self.lease = lease
        self.election = Election(lease, clock, lease="controller", identity=name, terms=TERMS)
        self._busy = False
        self.task = asyncio.create_task(self.election.lead(self._work))

    def working(self) -> bool:
        return self._busy

    async def _work(self) -> None:
        self._busy = True
        try:
            await asyncio.Event().wait()
        finally:
            self._busy = False

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def candidates(clock: TickingClock, *named: tuple[OneLease, str]) -> AsyncIterator[list[Candidate]]:
    made = [Candidate(lease, clock, name) for lease, name in named]
    await clock.advance(0)
    try:
        yield made
    finally:
        for candidate in made:
            await candidate.stop()


async def test_the_first_leads_and_says_so_in_the_lease() -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a"), (lease, "b")) as (a, b):
        await clock.advance(60)
        assert (a.working(), b.working()) == (True, False)
        assert (a.election.leading, b.election.leading) == (True, False)
        assert lease.spec is not None
        assert lease.spec["holderIdentity"] == "a"
        assert lease.spec["leaseDurationSeconds"] == 15
        assert lease.spec["acquireTime"] == "2026-01-01T00:00:00.000000Z"
        assert lease.spec["renewTime"] == "2026-01-01T00:01:00.000000Z"


async def test_who_stops_hands_over_at_the_next_look() -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a"), (lease, "b")) as (a, b):
        await clock.advance(5)
        await a.stop()
        await clock.advance(2)
        assert b.working()
        assert lease.spec is not None
        assert (lease.spec["holderIdentity"], lease.spec["leaseTransitions"]) == ("b", 1)


async def test_a_silent_holder_has_stopped_before_it_is_replaced() -> None:
    """Cut off from the API server, a stops; only then b, which sees no renewals, begins."""
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a"), (lease, "b")) as (a, b):
        await clock.advance(5)
        cut = OneLease()
        cut.down = True
        a.election._cluster = cut
        both = False
        for _ in range(40):
            await clock.advance(0.5)
            both = both or (a.working() and b.working())
        assert not both
        assert (a.working(), b.working(), a.task.done()) == (False, True, True)


async def test_a_request_that_hangs_does_not_keep_the_holder_at_work() -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a")) as (a,):
        lease.hanging = True
        await clock.advance(9.5)
        assert a.working()
        await clock.advance(1)
        assert not a.working()
        lease.hanging = False


async def test_a_short_outage_is_survived() -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a")) as (a,):
        lease.down = True
        await clock.advance(7)
        lease.down = False
        await clock.advance(30)
        assert a.working()


async def test_lost_answers_of_renewals_are_no_loss_while_some_arrive() -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a")) as (a,):
        lease.lose_answers = True
        await clock.advance(5)
        lease.lose_answers = False
        await clock.advance(30)
        assert a.working()


@pytest.mark.parametrize("how", ["taken", "deleted"])
async def test_who_lost_the_lease_stops_and_does_not_take_it_back(how: str) -> None:
    clock, lease = TickingClock(), OneLease()
    async with candidates(clock, (lease, "a")) as (a,):
        if how == "taken":
            lease.take("thief")
        else:
            lease.spec = None
        await clock.advance(2.5)
        assert not a.working()
        await a.task
        assert (lease.spec or {}).get("holderIdentity") == ("thief" if how == "taken" else None)


async def test_while_the_api_server_is_down_nobody_leads_but_everybody_tries() -> None:
    clock, lease = TickingClock(), OneLease()
    lease.down = True
    async with candidates(clock, (lease, "a")) as (a,):
        await clock.advance(30)
        assert not a.working()
        lease.down = False
        await clock.advance(2)
        assert a.working()


async def test_a_restarted_holder_of_the_same_name_need_not_wait() -> None:
    clock, lease = TickingClock(), OneLease()
    lease.take("a")
    async with candidates(clock, (lease, "a")) as (a,):
        assert a.working()


async def test_what_the_work_raises_comes_out_and_the_lease_is_free() -> None:
    clock, lease = TickingClock(), OneLease()

    async def fail() -> None:
        raise ValueError("work")

    election = Election(lease, clock, lease="controller", identity="a", terms=TERMS)
    with pytest.raises(ValueError, match="work"):
        await election.lead(fail)
    assert lease.spec is not None
    assert lease.spec["holderIdentity"] == ""


@pytest.mark.parametrize(
    "times", [{"duration": 10.0}, {"deadline": 15.0}, {"retry": 10.0}, {"retry": 0.0}], ids=str
)
def test_terms_that_let_two_lead_at_once_are_refused(times: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="duration > deadline > retry > 0"):
        Terms(**times)
