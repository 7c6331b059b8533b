"""Verdicts: what a check can say, how checks add up to a requirement, and requirements to an exit code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import IntEnum, StrEnum
from typing import Final, Literal

from attrs import frozen

from sandkit_conformance.catalogue import Requirement

Gate = Literal["spec", "proposed", "all"]


class Verdict(StrEnum):
    """What is known about a promise after a check."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    FAIL = "fail"
    BLOCKED = "blocked"
    UNOBSERVABLE = "unobservable"
    NOT_APPLICABLE = "not-applicable"
    INCONCLUSIVE = "inconclusive"
    EXCUSED = "excused"
    HARNESS_ERROR = "harness-error"

    @property
    def meaning(self) -> str:
        """One sentence for legends."""
        return _MEANINGS[self]


_MEANINGS: Final[Mapping[Verdict, str]] = {
    Verdict.PASS: "The promise held in every check.",
    Verdict.FAIL: "The promise was seen broken.",
    Verdict.BLOCKED: "A prerequisite went wrong, so the promise could not be looked at.",
    Verdict.UNOBSERVABLE: "The probe or the control port that would show it is not there.",
    Verdict.NOT_APPLICABLE: "The target does not declare the capability.",
    Verdict.INCONCLUSIVE: "It was looked at, and what was seen decides nothing.",
    Verdict.EXCUSED: "Seen broken, and listed in the baseline.",
    Verdict.HARNESS_ERROR: "The suite itself went wrong here; this says nothing about the server.",
}

# From the worst down: a requirement is as good as its worst check; not applicable says the least.
_WORST_FIRST: Final = (
    Verdict.FAIL,
    Verdict.HARNESS_ERROR,
    Verdict.BLOCKED,
    Verdict.INCONCLUSIVE,
    Verdict.UNOBSERVABLE,
    Verdict.EXCUSED,
    Verdict.PASS,
    Verdict.NOT_APPLICABLE,
)
INCOMPLETE: Final = frozenset({Verdict.BLOCKED, Verdict.INCONCLUSIVE, Verdict.UNOBSERVABLE})
EXECUTED: Final = frozenset({Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.EXCUSED})


class ExitCode(IntEnum):
    """What the process tells the shell."""

    GOOD = 0
    FAILURES = 1
    CANNOT_RUN = 2
    INCOMPLETE = 3
    STALE_BASELINE = 4


@frozen
class CheckResult:
    """The outcome of one check, with its reasons worded for the reader of the report."""

    requirement: str
    scenario: str
    step: str
    title: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """Stable across runs of the same suite."""
        return f"{self.requirement}/{self.scenario}/{self.step}"


@frozen
class RequirementResult:
    """The verdict on one requirement, and the checks it came from."""

    requirement: Requirement
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    reason: str = ""


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that decides; for nothing at all, inconclusive."""
    found = set(verdicts)
    return next((verdict for verdict in _WORST_FIRST if verdict in found), Verdict.INCONCLUSIVE)


def aggregate(requirement: Requirement, checks: Iterable[CheckResult]) -> RequirementResult:
    """Add the checks of one requirement up."""
    own = tuple(check for check in checks if check.requirement == requirement.id)
    if not own:
        return RequirementResult(requirement, Verdict.INCONCLUSIVE, (), "no scenario of this run checks it")
    verdict = worst(check.verdict for check in own)
    deciding = next(check for check in own if check.verdict is verdict)
    return RequirementResult(requirement, verdict, own, deciding.reasons[0] if deciding.reasons else "")


def gates(requirement: Requirement, gate: Gate) -> bool:
    """Whether the requirement counts for the exit code: `spec` MUSTs always, others as far as asked for."""
    if gate == "all":
        return True
    authorities = {"spec"} if gate == "spec" else {"spec", "proposed"}
    return requirement.level == "MUST" and requirement.authority in authorities


def exit_code(
    results: Iterable[RequirementResult], gate: Gate, *, leaked: bool = False, stale_baseline: bool = False
) -> ExitCode:
    """Fold verdicts into the exit code. A run in which no check was executed could not run."""
    results = list(results)
    everything = {check.verdict for result in results for check in result.checks}
    if not everything & EXECUTED or Verdict.HARNESS_ERROR in everything:
        return ExitCode.CANNOT_RUN
    counted = {result.verdict for result in results if gates(result.requirement, gate)}
    if Verdict.FAIL in counted or leaked:
        return ExitCode.FAILURES
    if stale_baseline:
        return ExitCode.STALE_BASELINE
    return ExitCode.INCOMPLETE if counted & INCOMPLETE else ExitCode.GOOD
