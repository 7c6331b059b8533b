"""What steps work with: the run, the scenario, and one step's view of both."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from attrs import define, field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.control.port import Control
from sandkit_conformance.drivers.port import Driver, Exchange
from sandkit_conformance.engine.answers import Judge
from sandkit_conformance.engine.invariants import Invariants
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.probes.port import Probe
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.expressions import Scope
from sandkit_conformance.scenario.matchers import parse_instant
from sandkit_conformance.scenario.model import Scenario, Step
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace
from sandkit_conformance.trajectory import Trajectory, TransitionTable
from sandkit_conformance.verdict import Verdict

RUN_LABEL: Final = "sandkit-conformance-run"
_DEAD_AFTER: Final = 5
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
class RunContext:
    """Everything the scenarios of one run share.

    `raw` is raw HTTP where `driver` is something else: what is tested must not touch evidence and clean-up.
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
    invariants: Invariants = field(init=False)
    tables: Mapping[str, TransitionTable] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.invariants = Invariants(Judge(self.contract, self.catalogue, self.redactor))
        self.tables = {kind: TransitionTable.of(machine) for kind, machine in self.catalogue.machines.items()}

    @property
    def plain(self) -> Driver:
        """Raw HTTP, whatever the scenarios go through."""
        return self.raw or self.driver


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
        moment = (self.run.clock.now() + timedelta(seconds=float(seconds))).astimezone(zone)
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
