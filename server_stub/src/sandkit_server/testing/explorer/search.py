"""Breadth-first search through every state a model can reach: what is found first has the shortest trace.

The search knows nothing of clusters. Of each state it keeps a 64-bit hash, and the hash of the state it was
reached from; a trace is found again by walking that chain from the start.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar

S = TypeVar("S", bound=Hashable)
L = TypeVar("L")


class Step(NamedTuple, Generic[S, L]):
    """Something that can happen.

    From one state, steps of the same label lead to the same state.

    Attributes:
        label: Its name.
        state: What it leads to.
        broken: The promise it breaks, if any.
        writes: Numbers of the writes it sent, for who wants to send them again.
    """

    label: L
    state: S
    broken: str | None = None
    writes: tuple[int, ...] = ()


class Model(Protocol[S, L]):
    """What can be explored. States are equal when nobody could tell them apart."""

    def begin(self) -> S:
        """The first state."""
        ...

    def steps(self, state: S) -> Iterable[Step[S, L]]:
        """Everything that can happen next."""
        ...

    def calm(self, state: S) -> Iterable[S]:
        """The state without what only chance could still bring, in pieces that do not touch each other."""
        ...

    def settle(self, state: S) -> Step[S, L] | None:
        """How the system goes on when it is left alone and nothing fails; ``None`` when it rests."""
        ...

    def judge(self, state: S) -> str | None:
        """The promise that a state of rest breaks, if any."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """When to stop: after so many steps of a trace, distinct states, or seconds.

    A system left alone for ``patience`` steps that has not come to rest never will.
    """

    depth: int
    patience: int = 300
    states: int = 100_000_000
    seconds: float = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Generic[L]):
    """A broken promise and the way to it.

    Attributes:
        trace: Labels from the start; no shorter choice of steps leads there.
        settled: How many of the last steps are the system's own way to rest, which nobody chose.
    """

    message: str
    trace: tuple[L, ...]
    settled: int = 0


@dataclass(slots=True, kw_only=True)
class Outcome(Generic[L]):
    """What a search did.

    Attributes:
        states: Distinct states reached.
        steps: Steps taken, those to known states included.
        depth: The level up to which every state was expanded.
        exhausted: There was nothing left to expand: the bounds did not cut anything off.
        rests: States of rest that were judged.
        seconds: By the clock on the wall.
        cpu: Of this process, in seconds; the same on a busy machine.
    """

    states: int = 0
    steps: int = 0
    depth: int = 0
    exhausted: bool = False
    rests: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    finding: Finding[L] | None = None


class Search(Generic[S, L]):
    """One search of one model."""

    # Of a system that never comes to rest, the beginning says it all.
    _SHOWN = 4

    def __init__(
        self, model: Model[S, L], bounds: Bounds, progress: Callable[[Outcome[L]], None] | None = None
    ) -> None:
        """Begin nothing yet; ``progress`` is told the outcome so far after each level."""
        self._model = model
        self._bounds = bounds
        self._progress = progress
        self._parents: dict[int, int] = {}
        # Hashes of states from which the system comes to a rest that keeps every promise.
        self._sound: set[int] = set()
        self._outcome: Outcome[L] = Outcome()

    def run(self) -> Outcome[L]:
        """Expand level by level until something is found, nothing is left or a bound is met."""
        outcome, began, busy = self._outcome, time.monotonic(), time.process_time()
        first = self._model.begin()
        self._parents[hash(first)] = 0
        level = [first]
        self._settle(first, hash(first))
        while level and outcome.finding is None and outcome.depth < self._bounds.depth:
            level = self._expand(level, began + self._bounds.seconds)
            outcome.states = len(self._parents)
            outcome.seconds = time.monotonic() - began
            if self._is_over(began):
                break
            outcome.depth += 1
            if self._progress is not None:
                self._progress(outcome)
        outcome.exhausted = not level and outcome.finding is None
        outcome.seconds, outcome.cpu = time.monotonic() - began, time.process_time() - busy
        return outcome

    def _is_over(self, began: float) -> bool:
        outcome = self._outcome
        late = time.monotonic() - began > self._bounds.seconds
        return late or outcome.finding is not None or outcome.states >= self._bounds.states

    def _expand(self, level: list[S], deadline: float) -> list[S]:
        outcome, parents = self._outcome, self._parents
        following: list[S] = []
        for number, state in enumerate(level):
            here = hash(state)
            for label, reached, broken, _ in self._model.steps(state):
                outcome.steps += 1
                if broken is not None:
                    outcome.finding = Finding(message=broken, trace=(*self._trace(here), label))
                    return following
                there = hash(reached)
                if there not in parents:
                    parents[there] = here
                    following.append(reached)
                    if not self._settle(reached, there):
                        return following
            if number % 1024 == 0 and (time.monotonic() > deadline or len(parents) > self._bounds.states):
                return following
        return following

    def _settle(self, state: S, here: int) -> bool:
        """Leave the system alone; whether it comes to a rest that keeps every promise."""
        return all(self._settle_piece(piece, here) for piece in self._model.calm(state))

    def _settle_piece(self, current: S, here: int) -> bool:
        chain: list[int] = []
        labels: list[L] = []
        at = hash(current)
        while at not in self._sound:
            chain.append(at)
            step = self._model.settle(current)
            broken = self._judge(current) if step is None else step.broken
            if step is not None:
                labels.append(step.label)
            if len(chain) > self._bounds.patience:
                broken, labels = "it never comes to rest", labels[: self._SHOWN]
            if broken is not None:
                trace = (*self._trace(here), *labels)
                self._outcome.finding = Finding(message=broken, trace=trace, settled=len(labels))
                return False
            if step is None:
                break
            current, at = step.state, hash(step.state)
        self._sound.update(chain)
        return True

    def _judge(self, state: S) -> str | None:
        self._outcome.rests += 1
        return self._model.judge(state)

    def _trace(self, last: int) -> list[L]:
        """The labels that lead from the start to the state of this hash."""
        hashes = [last]
        while (parent := self._parents[hashes[-1]]) != 0:
            hashes.append(parent)
        state, labels = self._model.begin(), []
        for wanted in reversed(hashes[:-1]):
            label, state = next(
                (step.label, step.state) for step in self._model.steps(state) if hash(step.state) == wanted
            )
            labels.append(label)
        return labels
