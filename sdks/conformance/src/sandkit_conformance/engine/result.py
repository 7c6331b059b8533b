"""What a run leaves: step by step, scenario by scenario, and the whole."""

from __future__ import annotations

from attrs import field, frozen

from sandkit_conformance.catalogue import Requirement
from sandkit_conformance.scenario.model import Scenario
from sandkit_conformance.trace import TraceEvent
from sandkit_conformance.verdict import CheckResult, ExitCode, Gate, RequirementResult, Verdict


@frozen
class StepResult:
    """One step as it went. `verdict` None: not reached. `began` is seconds since the run started."""

    number: str
    verb: str
    title: str
    check: str | None
    verdict: Verdict | None
    reasons: tuple[str, ...] = ()
    began: float = 0.0
    seconds: float = 0.0


def reading_order(number: str) -> tuple[tuple[int, int], ...]:
    """Sorts step numbers the way they are written: 2 before 10, and `finally` last."""
    return tuple((0, int(part)) if part.isdigit() else (1, 0) for part in number.split("."))


@frozen
class ScenarioResult:
    """One scenario as it went. `left_out` says why it gives no verdict at all."""

    scenario: Scenario
    checks: tuple[CheckResult, ...]
    steps: tuple[StepResult, ...] = ()
    began: float = 0.0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    left_out: str | None = None


@frozen
class LeakResult:
    """What the run left behind: pass, fail, or unobservable without a probe (then the API was looked at)."""

    verdict: Verdict
    leaked: tuple[str, ...] = ()
    note: str = ""


@frozen
class Environment:
    """What a reader needs to know to run it again."""

    target: str
    server_version: str
    driver: str
    suite_version: str
    suite_digest: str
    spec_digest: str
    run_id: str
    seed: int
    profile: str
    selection: tuple[str, ...]
    gate: Gate
    started_at: str
    command: str
    probe: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    capabilities: tuple[str, ...] | None = None


# Without a representation: asyncio words the result of its main task when it gives the signals back.
@frozen(repr=False)
class RunResult:
    """A whole run."""

    environment: Environment
    requirements: tuple[RequirementResult, ...]
    scenarios: tuple[ScenarioResult, ...]
    leaks: LeakResult
    exit_code: ExitCode
    seconds: float
    events: tuple[TraceEvent, ...] = ()
    uncovered: tuple[Requirement, ...] = ()
    baseline_problems: tuple[str, ...] = ()
    area_titles: dict[str, str] = field(factory=dict)
