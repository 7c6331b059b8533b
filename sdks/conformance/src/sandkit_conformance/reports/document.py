"""The report as plain data: what report.json holds, and what every other report is made from."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from sandkit_conformance.drivers.port import RAW_HTTP
from sandkit_conformance.engine.result import Environment, RunResult, ScenarioResult, StepResult
from sandkit_conformance.reports.curl import curl_command
from sandkit_conformance.trace import TraceEvent
from sandkit_conformance.verdict import EXECUTED, CheckResult, RequirementResult, Verdict, gates

FORMAT: Final = "sandkit-conformance-report/1"
_OUTCOMES: Final = {
    0: "conformant",
    1: "failures",
    2: "the suite could not run",
    3: "incomplete",
    4: "stale baseline",
}
_REPRODUCED: Final = frozenset({"call", "race"})
_ASIDE: Final = frozenset({"evidence", "cleanup"})


def report_document(result: RunResult) -> dict[str, Any]:
    """The whole report, in the shape of the report schema."""
    exchanges = _exchanges(result.events)
    changes = _changes(result.events)
    return {
        "format": FORMAT,
        "outcome": {"exitCode": int(result.exit_code), "text": _OUTCOMES[int(result.exit_code)]},
        "target": _target(result.environment),
        "suite": {
            "version": result.environment.suite_version,
            "digest": result.environment.suite_digest,
            "specDigest": result.environment.spec_digest,
        },
        "run": _run(result),
        "summary": _summary(result, exchanges),
        "leaks": {
            "verdict": result.leaks.verdict,
            "leaked": list(result.leaks.leaked),
            "note": result.leaks.note,
        },
        "areas": _areas(result, exchanges),
        "scenarios": [_scenario(one, changes.get(one.scenario.name, [])) for one in result.scenarios],
        "elsewhere": [
            {"id": one.id, "text": one.text, "where": one.checked_elsewhere} for one in result.uncovered
        ],
        "staleBaseline": list(result.baseline_problems),
    }


def _target(environment: Environment) -> dict[str, Any]:
    return {
        "name": environment.target,
        "serverVersion": environment.server_version,
        "driver": environment.driver,
        "probe": list(environment.probe),
        "control": list(environment.control),
        "capabilities": list(environment.capabilities) if environment.capabilities is not None else None,
    }


def _run(result: RunResult) -> dict[str, Any]:
    environment = result.environment
    return {
        "id": environment.run_id,
        "seed": environment.seed,
        "profile": environment.profile,
        "selection": list(environment.selection),
        "gate": environment.gate,
        "startedAt": environment.started_at,
        "seconds": round(result.seconds, 3),
        "command": environment.command,
    }


def _counts(verdicts: Iterable[Verdict]) -> dict[str, int]:
    counter = Counter(verdicts)
    return {str(verdict): counter[verdict] for verdict in Verdict if counter[verdict]}


def _summary(result: RunResult, exchanges: dict[tuple[str, str], list[TraceEvent]]) -> dict[str, Any]:
    gate = result.environment.gate
    gating = [one for one in result.requirements if gates(one.requirement, gate)]
    return {
        "requirements": _counts(one.verdict for one in result.requirements),
        "gating": _counts(one.verdict for one in gating),
        "checks": _counts(check.verdict for one in result.requirements for check in one.checks),
        "ways": _ways(result, exchanges),
    }


def _ways(result: RunResult, exchanges: dict[tuple[str, str], list[TraceEvent]]) -> dict[str, int]:
    """Checks by the way their own calls took; a check without calls of its own looked in another way."""
    checks = [check for one in result.requirements for check in one.checks if check.verdict in EXECUTED]
    ways = (_via(exchanges.get((check.scenario, check.step), [])) for check in checks)
    return dict(Counter(" and ".join(way) or "no call" for way in ways))


def _via(events: list[TraceEvent]) -> list[str]:
    own = [event.data for event in events if event.data["purpose"] not in _ASIDE]
    return sorted({data.get("via", RAW_HTTP) for data in own})


def _areas(result: RunResult, exchanges: dict[tuple[str, str], list[TraceEvent]]) -> list[dict[str, Any]]:
    grouped: dict[str, list[RequirementResult]] = defaultdict(list)
    for one in result.requirements:
        grouped[one.requirement.area].append(one)
    return [
        {
            "id": area,
            "title": result.area_titles.get(area, area),
            "verdicts": _counts(one.verdict for one in found),
            "requirements": [_requirement(one, result, exchanges) for one in found],
        }
        for area, found in grouped.items()
    ]


def _requirement(
    one: RequirementResult, result: RunResult, exchanges: dict[tuple[str, str], list[TraceEvent]]
) -> dict[str, Any]:
    requirement = one.requirement
    return {
        "id": requirement.id,
        "level": requirement.level,
        "authority": requirement.authority,
        "gates": gates(requirement, result.environment.gate),
        "text": requirement.text,
        "rationale": requirement.rationale,
        "source": requirement.source,
        "digest": requirement.digest,
        "verdict": one.verdict,
        "reason": one.reason,
        "checks": [_check(check, exchanges.get((check.scenario, check.step), [])) for check in one.checks],
    }


def _check(check: CheckResult, events: list[TraceEvent]) -> dict[str, Any]:
    shown = check.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE}
    calls = [event for event in events if event.data.get("purpose") in _REPRODUCED]
    return {
        "id": check.id,
        "scenario": check.scenario,
        "step": check.step,
        "title": check.title,
        "verdict": check.verdict,
        "reasons": list(check.reasons),
        "seconds": round(check.seconds, 3),
        "via": _via(events),
        "rawBecause": list(
            dict.fromkeys(event.data["rawBecause"] for event in events if "rawBecause" in event.data)
        ),
        "reproduce": list(dict.fromkeys(curl_command(event.data) for event in calls)) if shown else [],
    }


def _exchanges(events: Iterable[TraceEvent]) -> dict[tuple[str, str], list[TraceEvent]]:
    grouped: dict[tuple[str, str], list[TraceEvent]] = defaultdict(list)
    for event in events:
        if event.kind == "exchange":
            grouped[event.scenario, event.step].append(event)
    return grouped


def _changes(events: Iterable[TraceEvent]) -> dict[str, list[TraceEvent]]:
    grouped: dict[str, list[TraceEvent]] = defaultdict(list)
    for event in events:
        if event.kind == "state":
            grouped[event.scenario].append(event)
    return grouped


def _scenario(one: ScenarioResult, states: list[TraceEvent]) -> dict[str, Any]:
    scenario = one.scenario
    return {
        "name": scenario.name,
        "title": scenario.title,
        "about": " ".join(scenario.about.split()),
        "area": scenario.area,
        "file": str(scenario.position),
        "began": round(one.began, 4),
        "seconds": round(one.seconds, 4),
        "leftOut": one.left_out,
        "notes": list(one.notes),
        "steps": [_step(step) for step in one.steps],
        "transitions": [
            {
                "resource": event.data["resource"],
                "id": event.data["id"],
                "state": event.data["state"],
                "legal": event.data["legal"],
                "seconds": round(event.seconds, 4),
            }
            for event in states
        ],
    }


def _step(step: StepResult) -> dict[str, Any]:
    return {
        "number": step.number,
        "verb": step.verb,
        "title": step.title,
        "check": step.check,
        "verdict": step.verdict,
        "reasons": list(step.reasons),
        "began": round(step.began, 4),
        "seconds": round(step.seconds, 4),
    }
