"""What a schema cannot say about scenarios: references that lead nowhere, steps that disturb others."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import define, field

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.failures import Position, Problem
from sandkit_conformance.scenario.expressions import ExpressionError, expressions_in, variables_in
from sandkit_conformance.scenario.matchers import MATCHER_NAMES
from sandkit_conformance.scenario.model import Scenario, StandingCheck, Step
from sandkit_conformance.scenario.paths import PathError, parse_path

BUILT_IN: Final = frozenset({"run", "scenario", "choice"})
_PATH_KEYS: Final = ("body", "where", "first", "each", "any", "env", "fields", "detail")


def lint_scenario(scenario: Scenario, catalogue: Catalogue) -> Iterator[Problem]:
    """Everything wrong with one scenario that its schema lets pass."""
    known = set(BUILT_IN) | ({"case"} if scenario.case else set())
    yield from _unknown_variables(scenario.let, known, scenario.position)
    walk = _Walk(catalogue, known | set(scenario.let), scenario.exclusive)
    yield from walk.steps(scenario.steps)
    yield from walk.steps(scenario.finally_)
    if not any(True for _ in scenario.checks()):
        yield Problem(scenario.position, f"scenario `{scenario.id}` checks nothing; give a step `check: ID`")
    if any(step.check for step in scenario.finally_):
        yield Problem(scenario.position, "`finally` is for cleaning up; move its check into `steps`")


def lint_standing(standing: StandingCheck, catalogue: Catalogue) -> Iterator[Problem]:
    """A standing check must cite a requirement that exists."""
    yield from _unknown_requirement(standing.check, catalogue, standing.position)


def _unknown_requirement(cited: str, catalogue: Catalogue, position: Position) -> Iterator[Problem]:
    if cited not in catalogue.requirements:
        near = difflib.get_close_matches(cited, catalogue.requirements, n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `sandkit-conformance list` prints them"
        yield Problem(position, f"there is no requirement {cited} in the catalogue{hint}")


def _unknown_variables(value: Any, known: set[str], position: Position) -> Iterator[Problem]:
    try:
        for name in variables_in(value):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = (
                    f"; did you mean `{near[0]}`?"
                    if near
                    else "; set it with `as`, `capture` or `let` in an earlier step"
                )
                yield Problem(position, f"variable `{name}` is not set here{hint}")
    except ExpressionError as error:
        yield Problem(position, str(error))


@define
class _Walk:
    """Goes through steps in order, knowing which names are set so far."""

    catalogue: Catalogue
    known: set[str]
    exclusive: bool
    handles: dict[str, set[str]] = field(factory=lambda: {"fault": set(), "gate": set()})

    def steps(self, steps: tuple[Step, ...]) -> Iterator[Problem]:
        for step in steps:
            yield from self._step(step)

    def _step(self, step: Step) -> Iterator[Problem]:
        if step.check:
            yield from _unknown_requirement(step.check, self.catalogue, step.position)
        own = {"race"} if step.verb == "race" else set()
        visible = {key: value for key, value in step.body.items() if key != "parallel"}
        yield from _unknown_variables(visible, self.known | own, step.position)
        yield from self._operations(step)
        yield from self._global_effects(step)
        yield from self._handles(step)
        yield from _bad_paths(step.body, step.position)
        yield from self._branches(step)
        self._learn(step)

    def _branches(self, step: Step) -> Iterator[Problem]:
        learnt: set[str] = set()
        before = set(self.known)
        for branch in step.branches:
            self.known = set(before)
            yield from self.steps(branch)
            learnt |= self.known
        if step.branches:
            self.known = learnt

    def _learn(self, step: Step) -> None:
        if step.verb in self.handles:
            if isinstance(step.body.get("as"), str):
                self.handles[step.verb].add(step.body["as"])
        elif isinstance(step.body.get("as"), str):
            self.known.add(step.body["as"])
        self.known |= set(step.body.get("capture", {}))
        if step.verb == "let":
            self.known |= set(step.body["let"])

    def _operations(self, step: Step) -> Iterator[Problem]:
        operations = self.catalogue.operation_ids
        for mapping in _mappings(step.body):
            called = mapping.get("call")
            if isinstance(called, str) and "${" not in called and called not in operations:
                near = difflib.get_close_matches(called, operations, n=1)
                hint = f"; did you mean `{near[0]}`?" if near else ""
                yield Problem(step.position, f"there is no operation `{called}` in the spec{hint}")
            table = mapping.get("table")
            if isinstance(table, str) and "${" not in table and self.catalogue.cell(table) is None:
                yield Problem(step.position, f"the operation x state table has no cell `{table}`")

    def _global_effects(self, step: Step) -> Iterator[Problem]:
        if self.exclusive:
            return
        unmatched = (
            step.verb in {"fault", "gate"}
            and "match" not in step.body
            and step.body.get("gate") in {None, "hold"}
        )
        census = step.verb == "probe" and step.body["probe"] == "census" and "where" not in step.body
        if step.verb in {"advance", "restart"} or unmatched or census:
            yield Problem(
                step.position,
                f"this `{step.verb}` touches what other scenarios use; narrow it (`match`, `where`) "
                "or set `exclusive: true`",
            )

    def _handles(self, step: Step) -> Iterator[Problem]:
        uses = [("gate", step.body.get("of"))] if step.verb == "gate" else []
        uses += [("fault", step.body.get("clear"))] if step.verb == "clear" else []
        condition = step.body.get(step.verb) if step.verb in {"await", "never"} else None
        uses += [("fault", condition.get("fault"))] if isinstance(condition, Mapping) else []
        for kind, name in uses:
            if name and name != "all" and name not in self.handles[kind]:
                yield Problem(step.position, f"no earlier {kind} step is named `{name}` with `as`")


def _mappings(value: Any) -> Iterator[Mapping[str, Any]]:
    """The step and what is directly part of it: contenders of a race, a condition, what is expected."""
    if isinstance(value, Mapping):
        yield value
        for key in ("race", "await", "never", "expect"):
            yield from _mappings(value.get(key))
    elif isinstance(value, list):
        for part in value:
            yield from _mappings(part)


def _bad_paths(value: Any, position: Position) -> Iterator[Problem]:
    """Paths and regular expressions are read once here: no scenario may stumble over them half way."""
    if isinstance(value, list):
        for part in value:
            yield from _bad_paths(part, position)
    if not isinstance(value, Mapping):
        return
    for key, part in value.items():
        if key in {"with", "content", "let", "parallel"}:
            continue
        if key in _PATH_KEYS and isinstance(part, Mapping) and set(part) - set(MATCHER_NAMES):
            yield from _paths(part, position)
        if key == "matches" and isinstance(part, str) and not any(True for _ in expressions_in(part)):
            yield from _regular_expression(part, position)
        yield from _bad_paths(part, position)


def _paths(fields: Mapping[str, Any], position: Position) -> Iterator[Problem]:
    for path in fields:
        if any(True for _ in expressions_in(path)):
            continue
        try:
            parse_path(path)
        except PathError as error:
            yield Problem(position, str(error))


def _regular_expression(text: str, position: Position) -> Iterator[Problem]:
    try:
        re.compile(text)
    except re.error as error:
        yield Problem(position, f"not a regular expression: {text!r}: {error}")
