"""What is known only when everything has run, in one process or in many: standing checks, leaks, excuses."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict, field, frozen

from sandkit_conformance.baseline import Baseline
from sandkit_conformance.engine.invariants import verdict_of
from sandkit_conformance.scenario.model import StandingCheck
from sandkit_conformance.verdict import CheckResult, Verdict


@frozen
class Findings:
    """What one process has seen, as plain data that travels from a worker to its controller."""

    run_id: str
    examined: Mapping[str, int] = field(factory=dict)
    broken: Mapping[str, list[list[Any]]] = field(factory=dict)
    leaks: Mapping[str, Any] = field(factory=dict)
    checks: list[tuple[str, str]] = field(factory=list)
    standing: list[str] = field(factory=list)

    def plain(self) -> dict[str, Any]:
        """For the wire between a worker and its controller."""
        return asdict(self)


@frozen
class Closing:
    """The findings of all processes together."""

    findings: tuple[Findings, ...]

    def standing(self, checks: Iterable[StandingCheck]) -> list[CheckResult]:
        """The verdict of every standing check that was selected."""
        examined: Counter[str] = Counter()
        broken: dict[str, list[tuple[float, str]]] = defaultdict(list)
        for one in self.findings:
            examined.update(one.examined)
            for name, found in one.broken.items():
                broken[name] += [(float(at), str(message)) for at, message in found]
        wanted = {nodeid for one in self.findings for nodeid in one.standing}
        return [
            verdict_of(check, examined[check.invariant], broken[check.invariant])
            for check in checks
            if standing_nodeid(check) in wanted
        ]

    def leaks(self) -> tuple[Verdict, str]:
        """The worst leak verdict, and what it is about."""
        leaked = [
            f"{name} (run {one.run_id})" for one in self.findings for name in one.leaks.get("leaked", ())
        ]
        notes = dict.fromkeys(str(one.leaks["note"]) for one in self.findings if one.leaks.get("note"))
        if leaked:
            return Verdict.FAIL, f"left behind on the server: {', '.join(leaked)}"
        verdicts = {str(one.leaks.get("verdict", Verdict.PASS)) for one in self.findings}
        worst = next((one for one in ("inconclusive", "unobservable") if one in verdicts), "pass")
        return Verdict(worst), "; ".join(notes)

    def stale(self, baseline: Baseline) -> tuple[str, ...]:
        """Excuses that were not needed."""
        checks = [
            CheckResult(requirement, "", "", "", Verdict(verdict))
            for one in self.findings
            for requirement, verdict in one.checks
        ]
        return baseline.stale(checks)


def standing_nodeid(check: StandingCheck) -> str:
    """The id of a standing check in pytest's words."""
    return f"conformance::{check.check}::standing::{check.invariant}"
