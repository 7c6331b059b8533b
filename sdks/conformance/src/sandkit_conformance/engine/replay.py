"""A trace in place of a server: every observation as it was recorded, in the order in which it was made."""

from __future__ import annotations

import heapq
import json
import re
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import anyio
from attrs import define, field, frozen

from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import Call, Exchange, TransportFailure
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.client import account_for
from sandkit_conformance.engine.context import ScenarioContext, StepContext
from sandkit_conformance.engine.source import Look, NotInTraceError, OutOfTimeError, Place
from sandkit_conformance.failures import Position
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.model import Step
from sandkit_conformance.trace import TraceEvent, sent_text

_LOOKS: Final = frozenset(
    ("exchange", "probe", "seed", "remove", "edit", "fault", "gate", "clock", "restart", "over")
)
_REPLACED: Final = "\ufffd"


@define
class _Moment:
    """One recorded observation; `claimed` once somebody has asked for it."""

    event: TraceEvent
    claimed: bool = False


@define
class TraceSource:
    """Answers from a trace. Tasks of one scenario are let on in the recorded order of their observations."""

    events: tuple[TraceEvent, ...]
    redactor: Redactor
    _moments: dict[Place, list[_Moment]] = field(init=False, factory=lambda: defaultdict(list))
    _instants: dict[str, deque[datetime]] = field(init=False, factory=lambda: defaultdict(deque))
    _dead: dict[Place, str] = field(init=False, factory=dict)
    _ended: set[Place] = field(init=False, factory=set)
    _cut_off: set[str] = field(init=False, factory=set)
    _waiting: list[tuple[int, anyio.Event]] = field(init=False, factory=list)
    _tasks: int = field(init=False, default=1)

    def __attrs_post_init__(self) -> None:
        for event in self.events:
            place = Place(event.scenario, event.step)
            if event.kind in _LOOKS:
                self._moments[place].append(_Moment(event))
            elif event.kind == "instant":
                self._instants[event.scenario].append(datetime.fromisoformat(event.data["now"]))
            elif event.kind == "dead":
                self._dead[place] = event.data["reason"]
            elif event.kind == "step":
                self._ended.add(place)
            elif event.kind == "out-of-time":
                self._cut_off.add(event.scenario)

    async def exchange(
        self,
        place: Place,
        call: Call,
        purpose: str,
        perform: Callable[[Call], Awaitable[Exchange]],  # noqa: ARG002 - nothing is sent
    ) -> Exchange:
        """The recorded answer to the same request in the same step."""
        wanted = _request(call, self.redactor)

        def fits(event: TraceEvent) -> bool:
            return event.data.get("purpose") == purpose and _recorded_request(event) == wanted

        event = await self._take(place, "exchange", fits, f"{call.method} {call.path}")
        if event.data.get("cut"):
            raise NotInTraceError(f"the answer to {call.method} {call.path} is longer than a trace keeps")
        return exchange_of(event, call, self.redactor)

    async def look(
        self,
        place: Place,
        kind: str,
        query: Mapping[str, Any],
        ask: Callable[[], Awaitable[Any]],  # noqa: ARG002 - nobody is asked
    ) -> Look:
        """The recorded answer to the same question in the same step."""
        wanted = _plain(self.redactor.value(query))

        def fits(event: TraceEvent) -> bool:
            return bool(event.data.get("query") == wanted)

        event = await self._take(place, kind, fits, f"{kind} {json.dumps(wanted, ensure_ascii=False)}")
        if "problem" in event.data:
            raise SidePortError(event.data["problem"])
        return Look(self.redactor.restored(event.data["found"]), event.data["began"])

    async def ticks(
        self,
        place: Place,
        budget: float,  # noqa: ARG002 - it was kept then
        poll: float,  # noqa: ARG002 - no time passes
    ) -> AsyncIterator[None]:
        """As many looks as were recorded."""
        while True:
            left = next((one for one in self._moments[place] if not one.claimed), None)
            if left is None:
                self._missing(place, "any more looks")
                return
            if left.event.kind == "over":
                left.claimed = True
                return
            yield

    def now(self, scenario: str) -> datetime:
        """The recorded instants of the scenario, one after the other; then the last one again."""
        instants = self._instants[scenario]
        if not instants:
            raise NotInTraceError("the trace has no instant for this scenario")
        return instants.popleft() if len(instants) > 1 else instants[0]

    def dead(self, place: Place) -> str | None:
        """Whether the server was found gone here, after everything else that was recorded of the step."""
        everything = all(one.claimed for one in self._moments[place])
        return self._dead.get(place) if everything else None

    def fork(self, count: int) -> Callable[[], None]:
        """See `Source.fork`; who comes last hands its place back to the caller."""
        self._tasks += count - 1
        left = count

        def join() -> None:
            nonlocal left
            left -= 1
            if left:
                self._tasks -= 1
                self._let_on()

        return join

    async def _take(
        self, place: Place, kind: str, fits: Callable[[TraceEvent], bool], what: str
    ) -> TraceEvent:
        for moment in self._moments[place]:
            if not moment.claimed and moment.event.kind == kind and fits(moment.event):
                moment.claimed = True
                await self._turn(moment.event.seq)
                return moment.event
        self._missing(place, what)
        raise AssertionError

    def _missing(self, place: Place, what: str) -> None:
        if place.scenario in self._cut_off and place not in self._ended:
            raise OutOfTimeError
        raise NotInTraceError(f"the trace has not {what} here; only a new run can tell")

    async def _turn(self, seq: int) -> None:
        """Wait until every other task of the scenario waits for something later."""
        event = anyio.Event()
        heapq.heappush(self._waiting, (seq, event))
        self._let_on()
        await event.wait()

    def _let_on(self) -> None:
        if self._waiting and len(self._waiting) >= self._tasks:
            heapq.heappop(self._waiting)[1].set()


@frozen
class TraceClosing:
    """The end of a scenario as it was recorded: its answers count, nothing is done."""

    events: Mapping[Place, list[TraceEvent]]
    contract: Contract

    async def evidence(self, scenario: ScenarioContext) -> None:
        """Account for what was read before the clean-up."""
        self._account_for(scenario, "evidence")

    async def open_gates(self, scenario: ScenarioContext) -> list[str]:  # noqa: ARG002
        """Nothing stands at a gate any more."""
        return []

    async def take_back(self, scenario: ScenarioContext) -> list[str]:
        """Account for what was answered during the clean-up."""
        self._account_for(scenario, "cleanup")
        return []

    def _account_for(self, scenario: ScenarioContext, step: str) -> None:
        context = StepContext(scenario, Step(verb="call", body={}, number=step, position=Position("", 0)))
        for event in self.events.get(context.place, ()):
            if event.kind == "exchange":
                call = self._call_of(event)
                account_for(context, exchange_of(event, call, scenario.run.redactor))

    def _call_of(self, event: TraceEvent) -> Call:
        """The call of a recorded exchange, as far as the invariants and trajectories ask for it."""
        data = event.data
        path = urlsplit(data["url"]).path
        operation = self.contract.operations.get(data["operation"] or "")
        parameters: dict[str, str] = {}
        if operation:
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(operation.path))
            found = re.search(f"{pattern}$", path)
            parameters = {name: unquote(value) for name, value in found.groupdict().items()} if found else {}
        return Call(data["method"], path, 0.0, operation=data["operation"], parameters=parameters)


def exchange_of(event: TraceEvent, call: Call, redactor: Redactor) -> Exchange:
    """A recorded exchange, with the secrets of requests back in it."""
    data = event.data
    failure = data.get("failure")
    body = str(redactor.restored(data["body"] or ""))
    content = body.encode("utf-8", "surrogatepass")
    if data.get("broken"):
        content = body.replace(_REPLACED, "\udcff").encode("utf-8", "surrogateescape")
    headers = redactor.restored(data["headers"])
    return Exchange(
        call=call,
        url=data["url"],
        at=data["at"],
        started=data["began"],
        ended=data["began"] + data["took"],
        status=data["status"],
        headers=tuple((name, value) for name, value in headers),
        body=content,
        failure=TransportFailure(data["failureKind"], failure) if failure else None,
        via=data["via"],
        raw_because=data.get("rawBecause", ""),
        echoes=frozenset(data.get("echoes", ())),
    )


def _request(call: Call, redactor: Redactor) -> tuple[Any, ...]:
    body = sent_text(call.content)
    return (
        call.method,
        *_address(redactor.text(call.path), list(call.query)),
        redactor.headers(call.headers),
        None if body is None else redactor.text(body),
    )


def _recorded_request(event: TraceEvent) -> tuple[Any, ...]:
    data = event.data
    parts = urlsplit(data["url"])
    address = _address(f"{parts.path}?{parts.query}", [])
    return data["method"], *address, data["requestHeaders"], data["requestBody"]


def _address(path: str, query: list[tuple[str, str]]) -> tuple[str, list[tuple[str, str]]]:
    parts = urlsplit(path)
    return unquote(parts.path), [*parse_qsl(parts.query, keep_blank_values=True), *query]


def _plain(value: Any) -> Any:
    """The value the way it comes back from JSON."""
    return json.loads(json.dumps(value, ensure_ascii=False, default=str))
