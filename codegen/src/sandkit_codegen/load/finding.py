"""Where something stands in a file, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in a source file; line and column count from 1, as editors do."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One defect: its place, the rule that found it, what is wrong and how to mend it.

    The natural order is by file, line and column, so a sorted list reads top to bottom.
    """

    position: Position
    rule: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.position}: {self.rule}: {self.what} {self.remedy}"


class SpecError(Exception):
    """The specs cannot be read; `findings` says where and how to mend each defect."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(sorted(set(findings)))
        super().__init__("\n".join(str(finding) for finding in self.findings))
