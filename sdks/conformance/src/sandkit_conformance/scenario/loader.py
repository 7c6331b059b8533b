"""Reads scenario files: YAML, schema, cases, references. Every problem of every file is reported at once."""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.failures import BadFileError, Problem
from sandkit_conformance.scenario.document import Document, read_document
from sandkit_conformance.scenario.document import Path as DataPath
from sandkit_conformance.scenario.expressions import expressions_in, fill_case
from sandkit_conformance.scenario.lint import lint_scenario, lint_standing
from sandkit_conformance.scenario.model import VERBS, Needs, Scenario, StandingCheck, Step, Suite
from sandkit_conformance.scenario.paths import NOTHING, select
from sandkit_conformance.scenario.schema import problems, scenario_frame, verb_check


@functools.cache
def shipped_suite() -> Suite:
    """The scenarios that come with this distribution, read once in a process."""
    return _read(resources.files("sandkit_conformance") / "scenarios")


def load_suite(folder: Path | None) -> Suite:
    """All scenarios of a folder; without one those that come with this distribution.

    Raises:
        BadFileError: with every problem of every file.
    """
    return _read(folder) if folder else shipped_suite()


def _read(folder: Traversable) -> Suite:
    return parse_suite(sorted(_scenario_files(folder, "scenarios")), load_catalogue())


def _scenario_files(place: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in place.iterdir():
        name = f"{prefix}/{entry.name}"
        if entry.is_dir():
            yield from _scenario_files(entry, name)
        elif entry.name.endswith(".yaml"):
            yield name, entry.read_text("utf-8")


def parse_suite(files: Iterable[tuple[str, str]], catalogue: Catalogue) -> Suite:
    """Scenarios out of (file name, text) pairs.

    Raises:
        BadFileError: with every problem of every file.
    """
    found: list[Problem] = []
    scenarios: list[Scenario] = []
    standing: list[StandingCheck] = []
    digest = hashlib.sha256()
    for name, text in files:
        digest.update(f"{name}\0{text}\0".encode())
        try:
            reader = _FileReader(read_document(text, name))
            scenarios += reader.scenarios()
            standing += reader.standing()
        except BadFileError as error:
            found += error.problems
    for scenario in scenarios:
        found += lint_scenario(scenario, catalogue)
    for check in standing:
        found += lint_standing(check, catalogue)
    found += _duplicates(scenarios)
    found += _stand_ins(scenarios)
    if found:
        raise BadFileError(list(dict.fromkeys(found)))
    return Suite(tuple(scenarios), tuple(standing), digest.hexdigest())


def _duplicates(scenarios: list[Scenario]) -> Iterator[Problem]:
    counts = Counter(scenario.name for scenario in scenarios)
    for scenario in scenarios:
        if counts[scenario.name] > 1:
            yield Problem(
                scenario.position,
                f"`{scenario.name}` is used {counts[scenario.name]} times; names are unique",
            )


def _stand_ins(scenarios: list[Scenario]) -> Iterator[Problem]:
    ids = {scenario.id for scenario in scenarios}
    for scenario in scenarios:
        if scenario.stands_in_for and scenario.stands_in_for not in ids:
            yield Problem(scenario.position, f"standsInFor: there is no scenario `{scenario.stands_in_for}`")


class _FileReader:
    """One file, checked against the schema when constructed."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._good: set[str] = set()
        self._tellings: list[_Telling] = []
        found = list(problems(document, scenario_frame(), document.data))
        if not found:
            self._tellings = list(_tellings(document.data))
            found = [problem for telling in self._tellings for problem in self._problems_of(telling)]
        if found:
            # Cases repeat a scenario's steps, and so its problems.
            raise BadFileError(list(dict.fromkeys(found)))
        self._area = str(document.data["area"])

    def scenarios(self) -> Iterator[Scenario]:
        return (self._scenario(telling) for telling in self._tellings)

    def standing(self) -> Iterator[StandingCheck]:
        for index, entry in enumerate(self._document.data.get("standing", [])):
            yield StandingCheck(**entry, position=self._document.position(("standing", index)))

    def _problems_of(self, telling: _Telling) -> Iterator[Problem]:
        for expression in expressions_in({**telling.entry, "cases": None}) if telling.case else ():
            name = expression.removeprefix("case.")
            if expression.startswith("case.") and select(telling.case, name) is NOTHING:
                message = f"the case `{telling.case['name']}` has no field `{name}`" if telling.case else ""
                yield Problem(self._document.position(telling.path), message)
        for part in ("steps", "finally"):
            yield from self._list_problems(telling.entry.get(part, []), (*telling.path, part))

    def _list_problems(self, steps: list[Any], base: DataPath) -> Iterator[Problem]:
        for index, step in enumerate(steps):
            yield from self._one_step_problems(step, (*base, index))

    def _one_step_problems(self, step: Mapping[str, Any], path: DataPath) -> Iterator[Problem]:
        verb = verb_of(step)
        if verb is None:
            named = [key for key in VERBS if key in step]
            what = (
                f"has several verbs ({', '.join(named)})" if named else f"has no verb of {', '.join(VERBS)}"
            )
            yield Problem(self._document.position(path), f"this step {what}; exactly one is needed")
            return
        yield from self._schema_problems(verb, step, path)
        if verb == "parallel" and isinstance(step["parallel"], list):
            for branch, steps in enumerate(step["parallel"]):
                if isinstance(steps, list):
                    yield from self._list_problems(steps, (*path, "parallel", branch))

    def _schema_problems(self, verb: str, step: Mapping[str, Any], path: DataPath) -> Iterator[Problem]:
        text = json.dumps(step)
        if text in self._good:
            # Most steps are the same in every case of a scenario, and the schema is what takes the time.
            return
        found = list(problems(self._document, verb_check(verb), step, path))
        if not found:
            self._good.add(text)
        yield from found

    def _scenario(self, telling: _Telling) -> Scenario:
        entry = telling.entry
        return Scenario(
            id=entry["id"],
            title=entry["title"],
            area=self._area,
            position=self._document.position(telling.path),
            steps=self._steps(entry["steps"], (*telling.path, "steps")),
            finally_=self._steps(entry.get("finally", []), (*telling.path, "finally"), "finally."),
            about=entry.get("about", ""),
            needs=_needs(entry.get("needs")),
            unless=_needs(entry.get("unless")),
            stands_in_for=entry.get("standsInFor"),
            exclusive=entry.get("exclusive", False),
            budget=entry.get("budget", "scenario"),
            case=telling.case,
            let=entry.get("let", {}),
        )

    def _steps(self, entries: list[Any], path: DataPath, prefix: str = "") -> tuple[Step, ...]:
        return tuple(
            self._step(entry, (*path, index), f"{prefix}{index + 1}") for index, entry in enumerate(entries)
        )

    def _step(self, entry: Mapping[str, Any], path: DataPath, number: str) -> Step:
        verb = verb_of(entry) or ""
        branches: tuple[tuple[Step, ...], ...] = ()
        if verb == "parallel":
            branches = tuple(
                self._steps(steps, (*path, "parallel", branch), f"{number}.{branch + 1}.")
                for branch, steps in enumerate(entry["parallel"])
            )
        return Step(
            verb=verb,
            body=entry,
            number=number,
            position=self._document.position(path),
            check=entry.get("check"),
            says=entry.get("says"),
            needs=_needs(entry.get("needs")),
            branches=branches,
        )


@frozen
class _Telling:
    """A scenario's entry with one case filled in."""

    entry: Mapping[str, Any]
    case: Mapping[str, Any] | None
    path: DataPath


def _tellings(data: Mapping[str, Any]) -> Iterator[_Telling]:
    for index, entry in enumerate(data.get("scenarios", [])):
        for case in entry.get("cases") or [None]:
            yield _Telling(fill_case(entry, case) if case else entry, case, ("scenarios", index))


def verb_of(step: Mapping[str, Any]) -> str | None:
    """The one verb of a step; None when there is none or more than one."""
    verbs = [key for key in VERBS if key in step]
    # A race's contenders and conditions carry `call` and `probe` inside, never beside.
    return verbs[0] if len(verbs) == 1 else None


def _needs(entry: Mapping[str, Any] | None) -> Needs:
    entry = entry or {}
    return Needs(
        capabilities=tuple(entry.get("capabilities", ())),
        probe=tuple(entry.get("probe", ())),
        control=tuple(entry.get("control", ())),
        choices=entry.get("choices", {}),
    )
