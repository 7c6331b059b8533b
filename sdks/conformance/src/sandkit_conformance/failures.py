"""What can keep the suite from doing its work, as errors that say what to do about it."""

from __future__ import annotations

from attrs import frozen


class SuiteError(Exception):
    """The suite cannot run, or cannot go on, for a reason other than conformance (exit code 2)."""


@frozen
class Position:
    """A place in a file, for messages a person can click on. Lines count from 1."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@frozen
class Problem:
    """One thing that is wrong with a file, and how to mend it."""

    position: Position
    message: str

    def __str__(self) -> str:
        return f"{self.position}: {self.message}"


class BadFileError(SuiteError):
    """A scenario, target or baseline file is not usable; carries every problem found, in file order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(
            sorted(problems, key=lambda problem: (problem.position.file, problem.position.line))
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))


class UnresolvedError(SuiteError):
    """An expression names a variable that is not set, or a part that is not there."""
