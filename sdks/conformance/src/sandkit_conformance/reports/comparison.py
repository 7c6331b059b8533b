"""Compares two reports: what has become better, worse, or is another promise than before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from attrs import frozen

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.schema import whole
from sandkit_conformance.verdict import Verdict

Kind = Literal["worse", "better", "other", "added", "removed", "reworded"]
# From good to bad; verdicts of one rank are only different.
_RANKS: Final[Mapping[str, int]] = {
    Verdict.PASS: 0,
    Verdict.NOT_APPLICABLE: 1,
    Verdict.EXCUSED: 2,
    Verdict.UNOBSERVABLE: 3,
    Verdict.INCONCLUSIVE: 3,
    Verdict.BLOCKED: 4,
    Verdict.HARNESS_ERROR: 4,
    Verdict.FAIL: 5,
}


@frozen
class Change:
    """One difference between two reports."""

    kind: Kind
    requirement: str
    before: str | None
    after: str | None
    reason: str = ""

    def line(self) -> str:
        """For the terminal."""
        if self.kind == "reworded":
            return f"reworded  {self.requirement}  its promise is not the one it was"
        step = f"{self.before or 'not there'} → {self.after or 'not there'}"
        return f"{self.kind:<9} {self.requirement}  {step}{f'  {self.reason}' if self.reason else ''}"


def read_report(path: Path) -> dict[str, Any]:
    """Read a report.json.

    Raises:
        SuiteError: it cannot be read, or is no report.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SuiteError(f"cannot read the report {path}: {error}") from error
    for problem in whole("report").errors(document):
        where = "/".join(str(part) for part in problem.instance_path) or "the whole"
        raise SuiteError(f"{path} is no report of this suite: {where}: {problem.message[:200]}")
    return document


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Every difference, the worst first."""
    old, new = _requirements(before), _requirements(after)
    changes = [_verdicts(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    found = [change for change in changes if change]
    found += [
        Change("reworded", name, None, None)
        for name in old
        if name in new and old[name]["digest"] != new[name]["digest"]
    ]
    order = ("worse", "removed", "reworded", "other", "added", "better")
    return sorted(found, key=lambda change: order.index(change.kind))


def _requirements(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {one["id"]: one for area in document["areas"] for one in area["requirements"]}


def _verdicts(name: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Change | None:
    if old is None or new is None:
        kind: Kind = "added" if old is None else "removed"
        return Change(kind, name, old["verdict"] if old else None, new["verdict"] if new else None)
    before, after = old["verdict"], new["verdict"]
    if before == after:
        return None
    ranks = _RANKS[before], _RANKS[after]
    kind = "worse" if ranks[1] > ranks[0] else "better" if ranks[1] < ranks[0] else "other"
    return Change(kind, name, before, after, new["reason"] if kind == "worse" else "")
