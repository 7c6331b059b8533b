"""Standing checks: what must hold in every exchange of a run."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from attrs import define, field

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.engine.answers import Judge
from sandkit_conformance.scenario.model import StandingCheck
from sandkit_conformance.verdict import CheckResult, Verdict

STANDING_SCENARIO: Final = "standing"
_SHOWN: Final = 8


@define
class Invariants:
    """Looks at every exchange and remembers what broke which invariant, and how many were looked at."""

    judge_answer: Judge
    examined: dict[str, int] = field(factory=lambda: defaultdict(int))
    broken: dict[str, list[tuple[float, str]]] = field(factory=lambda: defaultdict(list))

    def examine(self, exchange: Exchange, where: str) -> None:
        """Hold one exchange against all invariants; an incomplete one is the business of its own check."""
        if exchange.failure or exchange.status is None:
            return
        for finding in self.judge_answer.findings(exchange):
            self.examined[finding.invariant] += 1
            if finding.message:
                call = exchange.call
                message = f"{where}: {call.method} {call.path}: {finding.message}"
                self.broken[finding.invariant].append((exchange.ended, message))

    def transition(self, where: str, kind: str, illegal: str | None, at: float) -> None:
        """A change of state was observed `at` a time; `illegal` words it when the table does not allow it."""
        self.examined["legal-transitions"] += 1
        if illegal:
            self.broken["legal-transitions"].append((at, f"{where}: {kind} {illegal}"))

    def judge(self, check: StandingCheck) -> CheckResult:
        """The verdict of one standing check over the whole run."""
        return verdict_of(check, self.examined[check.invariant], self.broken[check.invariant])


def verdict_of(check: StandingCheck, examined: int, broken: list[tuple[float, str]]) -> CheckResult:
    """The verdict of a standing check, from how often it was looked at and what was found broken when."""
    # In the order of the answers, however the tasks that saw them took turns.
    messages = [message for _, message in sorted(broken)]
    if messages:
        more = [f"… and {len(messages) - _SHOWN} more"] if len(messages) > _SHOWN else []
        verdict, reasons = Verdict.FAIL, [*messages[:_SHOWN], *more]
    elif examined:
        verdict, reasons = Verdict.PASS, [f"{examined} looked at"]
    else:
        verdict, reasons = Verdict.INCONCLUSIVE, ["nothing in this run could have shown it"]
    return CheckResult(
        requirement=check.check,
        scenario=STANDING_SCENARIO,
        step=check.invariant,
        title=check.says,
        verdict=verdict,
        reasons=tuple(reasons),
    )
