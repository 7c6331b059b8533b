"""Comes to the verdicts of a recorded run again: the same engine and checks, with the trace for a server."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from attrs import evolve, frozen

from sandkit_conformance.baseline import Baseline, Excuse
from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.engine.context import Ports, RunContext
from sandkit_conformance.engine.folding import Asked, Played, fold, judge_standing
from sandkit_conformance.engine.replay import TraceClosing, TraceSource
from sandkit_conformance.engine.result import Environment, LeakResult, RunResult, ScenarioResult, StepResult
from sandkit_conformance.engine.scenario_run import ScenarioRunner
from sandkit_conformance.engine.selection import Chosen, choose
from sandkit_conformance.engine.source import Place
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.profile import PROFILES, select_requirements
from sandkit_conformance.recorded import RecordedRun
from sandkit_conformance.redaction import MASK, Redactor
from sandkit_conformance.scenario.model import Scenario, Suite
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace, TraceEvent
from sandkit_conformance.verdict import CheckResult, Verdict


@frozen
class Difference:
    """A check whose verdict is not the one that was recorded; None where there was, or is, no such check."""

    check: str
    before: str | None
    after: str | None
    reason: str = ""

    def line(self) -> str:
        """For the terminal."""
        step = f"{self.before or 'not recorded'} → {self.after or 'not checked any more'}"
        return f"{self.check}  {step}{f'  {self.reason}' if self.reason else ''}"


@frozen
class Rechecked:
    """What the suite says today about what happened then."""

    result: RunResult
    differences: tuple[Difference, ...]
    remarks: tuple[str, ...]


async def recheck(recorded: RecordedRun, catalogue: Catalogue, suite: Suite) -> Rechecked:
    """Evaluate a recorded run.

    Raises:
        SuiteError: the run selected what this suite does not have.
    """
    asked = _asked(recorded, catalogue, suite)
    requirements = select_requirements(catalogue, asked.profile, asked.patterns)
    context = _context(recorded, catalogue)
    memory = _Memory.of(recorded)
    closing = TraceClosing(memory.places, context.contract)
    scenarios = [await _play(one, context, memory, closing) for one in choose(suite, requirements, context)]
    played = Played(
        scenarios=tuple(scenarios),
        standing=judge_standing(suite, requirements, context),
        leaks=memory.leaks(),
        seconds=recorded.end["took"],
        events=recorded.events,
    )
    environment = _environment(recorded)
    result = fold(asked, requirements, played, context, environment.server_version)
    found = [check for scenario in scenarios for check in scenario.checks]
    return Rechecked(
        result=evolve(result, environment=environment),
        differences=tuple(_differences(memory.verdicts, [*found, *played.standing], requirements)),
        remarks=tuple(_remarks(environment, suite, catalogue)),
    )


class _NoServer:
    """The driver of a run without a server: what is not in the trace is not asked anybody."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def perform(self, call: Call) -> Exchange:
        raise SuiteError(f"{call.method} {call.path} would need a server")

    async def aclose(self) -> None:
        """Nothing to let go of."""


@frozen
class _Memory:
    """What the trace says about the run beside the observations."""

    places: dict[Place, list[TraceEvent]]
    verdicts: dict[str, str]

    @classmethod
    def of(cls, recorded: RecordedRun) -> _Memory:
        places: dict[Place, list[TraceEvent]] = defaultdict(list)
        verdicts: dict[str, str] = {}
        for event in recorded.events:
            places[Place(event.scenario, event.step)].append(event)
            if event.kind in {"step", "unreached"} and event.data["check"]:
                verdicts[f"{event.data['check']}/{event.scenario}/{event.step}"] = event.data["verdict"]
        return cls(dict(places), verdicts)

    def find(self, scenario: str, step: str, kind: str) -> dict[str, Any] | None:
        events = self.places.get(Place(scenario, step), ())
        return next((event.data for event in events if event.kind == kind), None)

    def leaks(self) -> LeakResult:
        data = self.find("", "", "leaks")
        if data is None:
            raise SuiteError("the trace does not say what was left behind")
        return LeakResult(Verdict(data["verdict"]), tuple(data["leaked"]), data["note"])


def _asked(recorded: RecordedRun, catalogue: Catalogue, suite: Suite) -> Asked:
    environment = _environment(recorded)
    if environment.profile not in PROFILES:
        raise SuiteError(f"the trace is of the profile {environment.profile}, which this suite does not have")
    excuses = [Excuse(**one) for one in recorded.start["excused"]]
    return Asked(
        catalogue=catalogue,
        suite=suite,
        profile=PROFILES[environment.profile],
        patterns=environment.selection,
        gate=environment.gate,
        baseline=Baseline({one.requirement: one for one in excuses}),
        command=environment.command,
        started_at=environment.started_at,
    )


def _environment(recorded: RecordedRun) -> Environment:
    data = dict(recorded.start["environment"])
    for name in ("selection", "probe", "control", "capabilities"):
        data[name] = tuple(data[name]) if data[name] is not None else None
    return Environment(**{**data, "driver": recorded.end["driver"]})


def _context(recorded: RecordedRun, catalogue: Catalogue) -> RunContext:
    environment, told = _environment(recorded), recorded.start["target"]
    redactor = Redactor(environment.run_id)
    target = Target(
        root=told["root"],
        name=told["name"],
        api_key=MASK if told["hasKey"] else None,
        capabilities=frozenset(told["capabilities"]) if told["capabilities"] is not None else None,
        choices=told["choices"],
        budgets=told["budgets"],
        template=told["template"],
        codes={name: tuple(others) for name, others in told["codes"].items()},
    )
    ports = {
        name: None if features is None else frozenset(features)
        for name, features in recorded.start["ports"].items()
    }
    return RunContext(
        run_id=environment.run_id,
        seed=environment.seed,
        target=target,
        catalogue=catalogue,
        contract=Contract(catalogue.openapi),
        driver=_NoServer(environment.driver),
        trace=Trace(redactor),
        ledger=Ledger(environment.run_id),
        redactor=redactor,
        recorded_ports=Ports(**ports),
        source=TraceSource(recorded.events, redactor),
    )


async def _play(one: Chosen, context: RunContext, memory: _Memory, closing: TraceClosing) -> ScenarioResult:
    name = one.scenario.name
    if one.left_out:
        return ScenarioResult(one.scenario, (), left_out=one.left_out)
    told = memory.find(name, "", "scenario")
    if told is None:
        return _never_played(one.scenario)
    result = await ScenarioRunner(context, one.scenario, told["ordinal"], closing=closing).execute()
    return evolve(
        result,
        checks=tuple(_timed_check(check, memory) for check in result.checks),
        steps=tuple(_timed_step(step, name, memory) for step in result.steps),
        began=told["began"],
        seconds=told["took"],
        notes=tuple(told["notes"]),
    )


def _never_played(scenario: Scenario) -> ScenarioResult:
    reason = "the trace has nothing of this scenario; only a new run can tell"
    checks = (
        CheckResult(step.check or "", scenario.name, step.number, step.title, Verdict.INCONCLUSIVE, (reason,))
        for step in scenario.checks()
    )
    return ScenarioResult(scenario, tuple(checks))


def _timed_check(check: CheckResult, memory: _Memory) -> CheckResult:
    told = memory.find(check.scenario, check.step, "step")
    return evolve(check, seconds=told["took"] if told else 0.0)


def _timed_step(step: StepResult, scenario: str, memory: _Memory) -> StepResult:
    told = memory.find(scenario, step.number, "step")
    return evolve(step, began=told["began"] if told else 0.0, seconds=told["took"] if told else 0.0)


def _differences(
    before: dict[str, str], checks: list[CheckResult], requirements: tuple[Requirement, ...]
) -> list[Difference]:
    after = {check.id: check for check in checks}
    wanted = {one.id for one in requirements}
    found = [
        Difference(name, before.get(name), str(check.verdict), "; ".join(check.reasons))
        for name, check in after.items()
        if before.get(name) != check.verdict
    ]
    gone = [name for name in before if name not in after and name.partition("/")[0] in wanted]
    return found + [Difference(name, before[name], None) for name in gone]


def _remarks(recorded: Environment, suite: Suite, catalogue: Catalogue) -> list[str]:
    remarks = []
    if recorded.suite_digest != suite.digest:
        remarks.append(
            f"recorded with other scenarios ({recorded.suite_digest[:12]}, here {suite.digest[:12]})"
        )
    if recorded.spec_digest != catalogue.digest:
        remarks.append(
            f"recorded for another contract ({recorded.spec_digest[:12]}, here {catalogue.digest[:12]})"
        )
    return remarks
