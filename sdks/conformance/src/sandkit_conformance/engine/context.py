"""What steps work with: the run, the scenario, and one step's view of both."""

from __future__ import annotations

import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from attrs import Factory, define, field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.control.port import Control
from sandkit_conformance.drivers.port import Driver
from sandkit_conformance.engine.answers import Judge
from sandkit_conformance.engine.invariants import Invariants
from sandkit_conformance.engine.source import Health, LiveSource, Look, Place, ServerClock, Source
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.probes.port import Probe
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.expressions import Scope
from sandkit_conformance.scenario.model import Scenario, Step
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace
from sandkit_conformance.trajectory import Trajectory, TransitionTable
from sandkit_conformance.verdict import Verdict

RUN_LABEL: Final = "sandkit-conformance-run"
_LONGEST_LABEL: Final = 63


@frozen
class Outcome:
    """What came of one step. `halts`: what the story stands on is missing, so later checks cannot be made."""

    verdict: Verdict = Verdict.PASS
    reasons: tuple[str, ...] = ()
    halts: bool = False

    @classmethod
    def fail(cls, *reasons: str, halts: bool = False) -> Outcome:
        """The expectation did not hold."""
        return cls(Verdict.FAIL, reasons, halts)

    @classmethod
    def inconclusive(cls, *reasons: str, halts: bool = False) -> Outcome:
        """What was seen decides nothing."""
        return cls(Verdict.INCONCLUSIVE, reasons, halts)


PASSED: Final = Outcome()


@frozen
class Ports:
    """What the side ports can do; None where there is no such port."""

    probe: frozenset[str] | None = None
    control: frozenset[str] | None = None


@define
class RunContext:
    """Everything the scenarios of one run share.

    `raw` is raw HTTP where `driver` is something else: what is tested must not touch evidence and clean-up.
    `recorded_ports` stands for probe and control when a trace is played instead of a server.
    """

    run_id: str
    seed: int
    target: Target
    catalogue: Catalogue
    contract: Contract
    driver: Driver
    trace: Trace
    ledger: Ledger
    redactor: Redactor
    raw: Driver | None = None
    probe: Probe | None = None
    control: Control | None = None
    clock: ServerClock = field(factory=ServerClock)
    health: Health = field(factory=Health)
    recorded_ports: Ports | None = None
    source: Source = field(
        default=Factory(lambda self: LiveSource(self.trace, self.health, self.clock), takes_self=True)
    )
    invariants: Invariants = field(init=False)
    tables: Mapping[str, TransitionTable] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.invariants = Invariants(Judge(self.contract, self.catalogue))
        self.tables = {kind: TransitionTable.of(machine) for kind, machine in self.catalogue.machines.items()}

    @property
    def plain(self) -> Driver:
        """Raw HTTP, whatever the scenarios go through."""
        return self.raw or self.driver

    @property
    def ports(self) -> Ports:
        """What there is beside the API."""
        return self.recorded_ports or Ports(
            self.probe.features if self.probe else None, self.control.features if self.control else None
        )


@define
class ScenarioContext:
    """One scenario under way: its variables, its trajectories, and what it must take back."""

    run: RunContext
    scenario: Scenario
    ordinal: int
    variables: dict[str, Any] = field(factory=dict)
    unobserved: set[str] = field(factory=set)
    trajectories: dict[tuple[str, str], Trajectory] = field(factory=dict)
    faults: dict[str, str] = field(factory=dict)
    gates: dict[str, str] = field(factory=dict)
    random: random.Random = field(init=False)

    def __attrs_post_init__(self) -> None:
        # A text seed is hashed the same way in every process, unlike a tuple's.
        self.random = random.Random(f"{self.run.seed}/{self.scenario.name}")  # noqa: S311 - reproducible, not secret
        self.variables |= {
            "run": {"id": self.run.run_id, "seed": self.run.seed},
            "scenario": {"id": self.scenario.id, "name": self.scenario.name},
            "choice": dict(self.run.target.choices),
        }
        if self.scenario.case:
            self.variables["case"] = self.scope().resolve(dict(self.scenario.case))
        self.variables |= self.scope().resolve(dict(self.scenario.let))

    def scope(self, **extra: Any) -> Scope:
        """Where this scenario's expressions find their values."""
        functions: dict[str, Callable[..., Any]] = {
            "unique": self.unique,
            "instant": self.instant,
            "repeat": lambda text, count: str(text) * int(count),
            # Bytes that are no UTF-8 travel through text as lone surrogates, and leave it again in `content`.
            "bytes": lambda digits: bytes.fromhex(digits).decode("utf-8", "surrogateescape"),
        }
        return Scope({**self.variables, **extra}, functions)

    def unique(self, text: str) -> str:
        """A DNS label of this run, this scenario and this text; the same text gives the same label again."""
        tail = re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-")
        return f"sk{self.run.run_id}-{self.ordinal}-{tail}"[:_LONGEST_LABEL].rstrip("-")

    def instant(self, seconds: float, offset: str = "+00:00") -> str:
        """The server's now plus so many seconds, RFC 3339 with milliseconds, written in the given offset."""
        zone = datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
        now = self.run.source.now(self.scenario.name)
        moment = (now + timedelta(seconds=float(seconds))).astimezone(zone)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def trajectory(self, kind: str, name: str) -> Trajectory:
        """The trajectory of a resource, begun when it is first asked for."""
        key = (kind, name)
        if key not in self.trajectories:
            self.trajectories[key] = Trajectory(self.run.tables[kind], kind, name)
        return self.trajectories[key]


@frozen
class StepContext:
    """One step's view of its scenario."""

    scenario: ScenarioContext
    step: Step

    @property
    def run(self) -> RunContext:
        """The run."""
        return self.scenario.run

    @property
    def body(self) -> Mapping[str, Any]:
        """What stands beside the verb, unresolved."""
        return self.step.body

    def resolve(self, value: Any, **extra: Any) -> Any:
        """Replace expressions; raises `UnresolvedError`."""
        return self.scenario.scope(**extra).resolve(value)

    def get(self, name: str, default: Any = None) -> Any:
        """One resolved field of the step."""
        return self.resolve(self.body[name]) if name in self.body else default

    def bind(self, value: Any) -> None:
        """Give the value the step's `as` name, if it has one."""
        name = self.body.get("as")
        if name:
            self.scenario.variables[name] = value

    def seconds(self, name: str, default: str) -> float:
        """A time the step gives in seconds or as a budget's name."""
        return self.run.target.seconds(self.body.get(name, default))

    @property
    def place(self) -> Place:
        """Where this is, for the source and the trace."""
        return Place(self.scenario.scenario.name, self.step.number)

    async def look(self, kind: str, query: Mapping[str, Any], ask: Callable[[], Awaitable[Any]]) -> Look:
        """Ask a side port; raises `SidePortError` when it does not work."""
        return await self.run.source.look(self.place, kind, query, ask)

    def ticks(self, budget: float) -> AsyncIterator[None]:
        """Times to look within a budget of seconds."""
        return self.run.source.ticks(self.place, budget, self.run.target.seconds("poll"))

    @property
    def dead(self) -> str | None:
        """Why the server counts as gone, or None."""
        return self.run.source.dead(self.place)

    def record(self, kind: str, **data: Any) -> None:
        """Write into the trace."""
        self.run.trace.record(self.scenario.scenario.name, self.step.number, kind, **data)

    @property
    def probe(self) -> Probe:
        """The probe; the runner has made sure it is there."""
        if self.run.probe is None:
            raise SuiteError("this step needs a probe; give --probe-url")
        return self.run.probe

    @property
    def control(self) -> Control:
        """The control port; the runner has made sure it is there."""
        if self.run.control is None:
            raise SuiteError("this step needs a control port; give --control-url")
        return self.run.control
