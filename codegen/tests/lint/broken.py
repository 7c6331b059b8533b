"""A minimal set of specs without findings, and ways to break it in one place.

`bad` and `at` mark the place a finding must point to with `«`, so that no test counts lines and columns.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from sandkit_codegen.lint import lint_specs
from sandkit_codegen.load import Finding

MARK = "«"
MINIMAL = Path(__file__).parent / "minimal"
SPECS = Path(__file__).parents[3] / "specs"


@dataclass(frozen=True)
class Broken:
    """In `file`, `bad` stands where `good` was; exactly `rule` has to find it, and say exactly this."""

    rule: str
    file: str
    good: str
    bad: str
    what: str
    remedy: str
    at: tuple[str, str] | None = None
    also: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}"


def write_minimal(folder: Path) -> Path:
    """A fresh copy of the minimal specs, with the real schemas."""
    root = folder / "specs"
    shutil.copytree(MINIMAL, root)
    shutil.copytree(SPECS / "schemas", root / "schemas")
    return root


def replace(path: Path, good: str, bad: str) -> tuple[int, int]:
    """Put `bad` in the place of `good`, which must be there once; line and column of the mark in it."""
    text = path.read_text(encoding="utf-8")
    assert text.count(good) == 1, f"{path.name} holds {good!r} {text.count(good)} times"
    path.write_text(text.replace(good, bad.replace(MARK, "")), encoding="utf-8")
    return _line_and_column(text[: text.index(good)] + bad.partition(MARK)[0])


def place(path: Path, marked: str) -> tuple[int, int]:
    """Line and column of the mark in a text that the file holds exactly once."""
    before, after = marked.split(MARK)
    text = path.read_text(encoding="utf-8")
    assert text.count(before + after) == 1, f"{path.name} does not hold {before + after!r} exactly once"
    return _line_and_column(text[: text.index(before + after)] + before)


def _line_and_column(before: str) -> tuple[int, int]:
    lines = before.split("\n")
    return len(lines), len(lines[-1]) + 1


def check(case: Broken, folder: Path) -> None:
    """Break the minimal specs as the case says, and hold the findings against it."""
    root = write_minimal(folder)
    line, column = replace(root / case.file, case.good, case.bad)
    file = case.file
    if case.at is not None:
        file, marked = case.at
        line, column = place(root / file, marked)
    found = lint_specs(root)
    mine = [str(finding) for finding in found if finding.rule == case.rule]
    message = f"{case.what} {case.remedy}".replace("{root}", root.as_posix())
    assert mine == [f"{(root / file).as_posix()}:{line}:{column}: {case.rule}: {message}"]
    assert {finding.rule for finding in found} == {case.rule} | case.also, _text(found)


def _text(findings: list[Finding]) -> str:
    return "\n".join(str(finding) for finding in findings)
