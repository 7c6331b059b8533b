"""Baselines: failures that are known and excused. A line that no longer fails is stale, and that is red."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from attrs import evolve, field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.failures import BadFileError, Problem, SuiteError
from sandkit_conformance.scenario.document import read_document
from sandkit_conformance.scenario.schema import problems, whole
from sandkit_conformance.verdict import EXECUTED, CheckResult, Verdict

_FINE: Final[Mapping[Verdict, str]] = {
    Verdict.FAIL: "did not fail",
    Verdict.UNOBSERVABLE: "was observed",
}


@frozen
class Excuse:
    """Why a requirement is allowed to fail.

    `unobservable` excuses that it cannot be seen on this target, and nothing else. An `intermittent` failure
    depends on a race: a run that does not meet it does not make the line stale.
    """

    requirement: str
    reason: str
    unobservable: bool = False
    intermittent: bool = False

    @property
    def verdict(self) -> Verdict:
        """The one verdict that is excused."""
        return Verdict.UNOBSERVABLE if self.unobservable else Verdict.FAIL


@frozen
class Baseline:
    """The excused requirements of a target."""

    excuses: Mapping[str, Excuse] = field(factory=dict)

    def apply(self, checks: Iterable[CheckResult]) -> list[CheckResult]:
        """Turn what is excused into a verdict of its own; the reason comes first.

        What an excused failure has blocked, of the same requirement in the same scenario, goes with it.
        """
        checks = list(checks)
        failed = {(one.requirement, one.scenario) for one in checks if one.verdict is Verdict.FAIL}
        return [self._applied(check, (check.requirement, check.scenario) in failed) for check in checks]

    def _applied(self, check: CheckResult, failed_beside: bool) -> CheckResult:
        excuse = self.excuses.get(check.requirement)
        if excuse is None:
            return check
        follows = check.verdict is Verdict.BLOCKED and failed_beside and not excuse.unobservable
        if check.verdict is not excuse.verdict and not follows:
            return check
        return evolve(check, verdict=Verdict.EXCUSED, reasons=(f"excused: {excuse.reason}", *check.reasons))

    def stale(self, checks: Iterable[CheckResult]) -> tuple[str, ...]:
        """Lines that excused nothing, although their requirement was checked."""
        verdicts: dict[str, set[Verdict]] = {}
        for check in checks:
            verdicts.setdefault(check.requirement, set()).add(check.verdict)
        return tuple(
            f"{name} is excused ({excuse.reason}) and {_FINE[excuse.verdict]}; take it out of the baseline"
            for name, excuse in self.excuses.items()
            if not excuse.intermittent
            and verdicts.get(name, set()) & EXECUTED
            and Verdict.EXCUSED not in verdicts[name]
        )


def load_baseline(path: Path, catalogue: Catalogue) -> Baseline:
    """Read a baseline file.

    Raises:
        SuiteError: it cannot be read, does not match its schema, or names an unknown requirement.
    """
    try:
        document = read_document(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"cannot read the baseline {path}: {error}") from error
    found = list(problems(document, whole("baseline"), document.data))
    entries: list[Mapping[str, Any]] = [] if found else document.data["excused"]
    for index, entry in enumerate(entries):
        if entry["requirement"] not in catalogue.requirements:
            position = document.position(("excused", index))
            found.append(
                Problem(position, f"there is no requirement {entry['requirement']} in the catalogue")
            )
    if found:
        raise BadFileError(found)
    return Baseline({entry["requirement"]: Excuse(**entry) for entry in entries})
