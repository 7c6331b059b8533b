"""Scenarios as the engine sees them: immutable, checked, with the place each part was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import field, frozen

from sandkit_conformance.failures import Position

VERBS: Final = (
    *("call", "await", "never", "probe", "verify", "race", "parallel", "seed", "remove", "edit", "fault"),
    *("clear", "gate", "advance", "restart", "let"),
)


@frozen
class Needs:
    """What a target must have: capabilities, probe and control features, and choices it has made."""

    capabilities: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    control: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(factory=dict)


@frozen
class Step:
    """One step. `number` is `3`, or `3.2.1` inside a parallel step, or `finally.1`."""

    verb: str
    body: Mapping[str, Any]
    number: str
    position: Position
    check: str | None = None
    says: str | None = None
    needs: Needs = field(factory=Needs)
    branches: tuple[tuple[Step, ...], ...] = ()

    @property
    def title(self) -> str:
        """What the step says it shows, else a short description made from the verb."""
        return self.says or _describe(self.verb, self.body)


def _describe(verb: str, body: Mapping[str, Any]) -> str:
    main = body.get(verb)
    if verb == "call" and isinstance(main, Mapping):
        return f"call {main['method']} {main['path']}"
    if verb in {"await", "never"} and isinstance(main, Mapping):
        return f"{verb} {main.get('probe') or main.get('call')}"
    if verb == "race" and isinstance(main, list):
        contenders = ", ".join(f"{entry.get('times', 1)} x {entry['call']}" for entry in main)
        return f"race {contenders}"
    if verb in {"parallel", "let"}:
        return verb
    if verb == "gate":
        return f"gate {main} {body.get('point') or body.get('of')}"
    return f"{verb} {' or '.join(main) if isinstance(main, list) else main}"


@frozen
class Scenario:
    """One story, told once: a scenario with cases becomes one of these per case."""

    id: str
    title: str
    area: str
    position: Position
    steps: tuple[Step, ...]
    finally_: tuple[Step, ...] = ()
    about: str = ""
    needs: Needs = field(factory=Needs)
    unless: Needs = field(factory=Needs)
    stands_in_for: str | None = None
    exclusive: bool = False
    budget: str | float = "scenario"
    case: Mapping[str, Any] | None = None
    let: Mapping[str, Any] = field(factory=dict)

    @property
    def name(self) -> str:
        """Unique in the suite: the id, with the case's name in brackets where there are cases."""
        return f"{self.id}[{self.case['name']}]" if self.case else self.id

    def all_steps(self) -> Iterator[Step]:
        """Every step in reading order, those inside parallel steps too; without `finally`."""
        return _walk(self.steps)

    def checks(self) -> Iterator[Step]:
        """The steps that cite a requirement."""
        return (step for step in self.all_steps() if step.check)


def _walk(steps: tuple[Step, ...]) -> Iterator[Step]:
    for step in steps:
        yield step
        for branch in step.branches:
            yield from _walk(branch)


@frozen
class StandingCheck:
    """A check over every exchange of the run."""

    check: str
    invariant: str
    says: str
    position: Position


@frozen
class Suite:
    """All scenarios and standing checks, and a fingerprint of the files they came from."""

    scenarios: tuple[Scenario, ...]
    standing: tuple[StandingCheck, ...]
    digest: str

    def checked_requirements(self) -> frozenset[str]:
        """Ids of the requirements that some check cites."""
        cited = {step.check for scenario in self.scenarios for step in scenario.checks() if step.check}
        return frozenset(cited | {standing.check for standing in self.standing})
