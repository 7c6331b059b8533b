"""A trace for people, and as JSON that can be run again: on the model, or on any cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandkit_server.testing.explorer.scenarios import Stage
from sandkit_server.testing.explorer.search import Finding, Step
from sandkit_server.testing.explorer.setting import State

FORMAT: Final = "sandkit-trace/1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The way to a broken promise.

    Attributes:
        scenario: Name of the scenario it begins in.
        steps: Labels, in order.
        chosen: So many of them were chosen; the rest is the system's own way on.
        broken: The promise; empty for a trace that breaks none.
        defect: The seeded bug it was found with, or empty.
    """

    scenario: str
    steps: Sequence[str]
    chosen: int
    broken: str = ""
    defect: str = ""

    def to_json(self) -> str:
        """For a file."""
        document = {
            "format": FORMAT,
            "scenario": self.scenario,
            "defect": self.defect,
            "broken": self.broken,
            "chosen": self.chosen,
            "steps": list(self.steps),
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Trace:
        """Raises ValueError for what is no trace."""
        document: Mapping[str, Any] = json.loads(text)
        if document.get("format") != FORMAT:
            raise ValueError(f"this is no trace: its format is not {FORMAT}")
        return cls(**{name: value for name, value in document.items() if name != "format"})

    def lines(self) -> Iterator[str]:
        """For a terminal."""
        for number, label in enumerate(self.steps, 1):
            how = "" if number <= self.chosen else "  (left alone)"
            yield f"{number:4}  {label}{how}"
        if self.broken:
            yield f"      BROKEN: {self.broken}"


def trace_of(scenario: str, finding: Finding[str], defect: str = "") -> Trace:
    """What a search has found."""
    return Trace(
        scenario=scenario,
        steps=finding.trace,
        chosen=len(finding.trace) - finding.settled,
        broken=finding.message,
        defect=defect,
    )


class UnknownStepError(ValueError):
    """The product does not do what the trace says any more."""


def walk(stage: Stage, trace: Trace) -> Iterator[tuple[State, Step[State, str]]]:
    """Take the steps of a trace on the model, each with the state before it.

    Chosen steps are taken in the whole state; where nothing was chosen any more, that piece of the state goes
    on that the trace is about. Raises UnknownStepError.
    """
    state = stage.world.begin()
    for label in trace.steps[: trace.chosen]:
        step = next((each for each in stage.world.steps(state) if each.label == label), None)
        if step is None:
            raise UnknownStepError(f"there is no such step here: {label}")
        yield state, step
        state = step.state
    yield from _left_alone(stage, state, trace.steps[trace.chosen :])


def _left_alone(
    stage: Stage, state: State, labels: Sequence[str]
) -> Iterator[tuple[State, Step[State, str]]]:
    if not labels:
        return
    for piece in stage.world.calm(state):
        taken: list[tuple[State, Step[State, str]]] = []
        current = piece
        for label in labels:
            step = stage.world.settle(current)
            if step is None or step.label != label:
                break
            taken.append((current, step))
            current = step.state
        if len(taken) == len(labels):
            yield from taken
            return
    raise UnknownStepError(f"left alone, the system does not go on like this: {labels[0]}")
