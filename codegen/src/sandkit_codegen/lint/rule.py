"""What a rule is: a name, what it holds, and a pure function from the specs to the places that break it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from sandkit_codegen.load import Finding, Position, SpecSet


class Defect(NamedTuple):
    """A place that breaks a rule: what is wrong there, and how to mend it, both in full sentences."""

    position: Position
    what: str
    remedy: str


Check: TypeAlias = Callable[[SpecSet], Iterable[Defect]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named rule; `id` is what findings print."""

    id: str
    summary: str
    check: Check

    def findings(self, specs: SpecSet) -> Iterator[Finding]:
        """What the rule finds in the specs, in no particular order."""
        for position, what, remedy in self.check(specs):
            yield Finding(position, self.id, what, remedy)


def rule(identifier: str) -> Callable[[Check], Rule]:
    """Make a rule of a check; the first line of its docstring says what holds when nothing is found."""

    def named(check: Check) -> Rule:
        return Rule(identifier, (inspect.getdoc(check) or "").split("\n", 1)[0], check)

    return named


def listed(names: Iterable[str]) -> str:
    """Names for the end of a sentence: `a, b, c`; `none` when there are none."""
    return ", ".join(names) or "none"
