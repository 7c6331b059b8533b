"""Folds what the scenarios of a run brought into requirements, an exit code and a result."""

from __future__ import annotations

from importlib import metadata

from attrs import field, frozen

from sandkit_conformance.baseline import Baseline
from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.result import Environment, LeakResult, RunResult, ScenarioResult
from sandkit_conformance.profile import Profile
from sandkit_conformance.scenario.model import Suite
from sandkit_conformance.trace import TraceEvent
from sandkit_conformance.verdict import CheckResult, Gate, aggregate, exit_code


@frozen
class Asked:
    """What a run was asked to do, and with which suite."""

    catalogue: Catalogue
    suite: Suite
    profile: Profile
    patterns: tuple[str, ...]
    gate: Gate
    baseline: Baseline
    command: str
    started_at: str


@frozen
class Played:
    """What came of the scenarios. `events` is the trace to report from; None: the run's own."""

    scenarios: tuple[ScenarioResult, ...]
    standing: tuple[CheckResult, ...]
    leaks: LeakResult
    seconds: float
    events: tuple[TraceEvent, ...] | None = field(default=None, repr=False)


def fold(
    asked: Asked,
    requirements: tuple[Requirement, ...],
    played: Played,
    context: RunContext,
    server_version: str,
) -> RunResult:
    """Add everything up. What no check could have shown is inconclusive, never good."""
    found = [check for scenario in played.scenarios for check in scenario.checks]
    checks = asked.baseline.apply([*found, *played.standing])
    stale = asked.baseline.stale(checks)
    covered = asked.suite.checked_requirements()
    elsewhere = tuple(one for one in requirements if one.id not in covered and one.checked_elsewhere)
    results = tuple(aggregate(one, checks) for one in requirements if one not in elsewhere)
    leaked = bool(played.leaks.leaked)
    return RunResult(
        environment=environment(asked, context, server_version),
        requirements=results,
        scenarios=played.scenarios,
        leaks=played.leaks,
        exit_code=exit_code(results, asked.gate, leaked=leaked, stale_baseline=bool(stale)),
        seconds=played.seconds,
        events=tuple(context.trace.events) if played.events is None else played.events,
        uncovered=elsewhere,
        baseline_problems=stale,
        area_titles=dict(asked.catalogue.area_titles),
    )


def judge_standing(
    suite: Suite, requirements: tuple[Requirement, ...], context: RunContext
) -> tuple[CheckResult, ...]:
    """The verdicts of the standing checks of the selection, once every scenario is through."""
    wanted = {requirement.id for requirement in requirements}
    return tuple(context.invariants.judge(check) for check in suite.standing if check.check in wanted)


def environment(asked: Asked, context: RunContext, server_version: str) -> Environment:
    """What a reader needs to know to run it again."""
    target, ports = context.target, context.ports
    return Environment(
        target=target.name,
        server_version=server_version,
        driver=context.driver.name,
        suite_version=metadata.version("sandkit-conformance"),
        suite_digest=asked.suite.digest,
        spec_digest=asked.catalogue.digest,
        run_id=context.run_id,
        seed=context.seed,
        profile=asked.profile.name,
        selection=asked.patterns,
        gate=asked.gate,
        started_at=asked.started_at,
        command=asked.command,
        probe=tuple(sorted(ports.probe or ())),
        control=tuple(sorted(ports.control or ())),
        capabilities=tuple(sorted(target.capabilities)) if target.capabilities is not None else None,
    )
