"""Trajectories: the states a resource was seen in, held against the transition table.

A poll may miss states, so the step from one observation to the next is a path in the table, not an edge. What
makes this strict nevertheless: an edge that only an operation starts (Running to Pausing, Paused to Resuming)
can be taken as often as the suite asked for it, and not once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from attrs import define, field, frozen

from sandkit_conformance.catalogue import StateMachine

GONE: Final = "gone"
# Expiry stops a sandbox without anybody asking, so these edges are never counted.
_SPONTANEOUS: Final = frozenset({"deleteSandbox", "deleteSnapshot"})

Tokens = tuple[tuple[str, int], ...]
Configuration = tuple[str, Tokens]


@frozen
class Observation:
    """One reading of a state: when its answer was asked for and had arrived, in seconds of the run."""

    state: str
    asked: float
    seen: float
    legal: bool = True
    through: tuple[str, ...] = ()


@frozen
class TransitionTable:
    """The legal changes of state of one kind of resource, and who starts each."""

    edges: Mapping[str, tuple[tuple[str, str | None], ...]]
    states: frozenset[str]
    initial: tuple[str, ...]
    starters: frozenset[str]

    @classmethod
    def of(cls, machine: StateMachine) -> TransitionTable:
        """Read the table of one machine; adds `gone`, which follows every terminal state."""
        started: dict[tuple[str, str], str] = {}
        for operation, row in machine.operations.items():
            for state, cell in row.items():
                if cell.to and cell.to != state and operation not in _SPONTANEOUS:
                    started[state, cell.to] = operation
        edges: dict[str, list[tuple[str, str | None]]] = {state: [] for state in machine.states}
        for source, target in machine.transitions:
            edges[source].append((target, started.get((source, target))))
        for state in machine.terminal:
            edges[state].append((GONE, None))
        edges[GONE] = []
        return cls(
            edges={state: tuple(targets) for state, targets in edges.items()},
            states=frozenset(edges),
            initial=machine.initial,
            starters=frozenset(started.values()),
        )

    def reachable(self, configurations: frozenset[Configuration]) -> frozenset[Configuration]:
        """Everything that can follow, the configurations themselves included."""
        seen = set(configurations)
        todo = list(configurations)
        while todo:
            state, tokens = todo.pop()
            for target, operation in self.edges.get(state, ()):
                rest = tokens if operation is None else _spend(tokens, operation)
                if rest is not None and (target, rest) not in seen:
                    seen.add((target, rest))
                    todo.append((target, rest))
        return frozenset(seen)


def _spend(tokens: Tokens, operation: str) -> Tokens | None:
    counts = Counter(dict(tokens))
    if counts[operation] < 1:
        return None
    counts[operation] -= 1
    return _tokens(counts)


def _tokens(counts: Counter[str]) -> Tokens:
    return tuple(sorted((name, count) for name, count in counts.items() if count > 0))


@define
class Trajectory:
    """What is known about one resource: every observation, and the configurations it can be in now."""

    table: TransitionTable
    kind: str
    id: str
    observations: list[Observation] = field(factory=list)
    _possible: frozenset[Configuration] = field(factory=frozenset)
    _missed: set[str] = field(factory=set)

    def __attrs_post_init__(self) -> None:
        self._possible = frozenset((state, ()) for state in self.table.initial)

    def asked(self, operation: str) -> None:
        """The suite sends an operation that may start a transition."""
        if operation not in self.table.starters:
            return
        self._possible = frozenset(
            (state, _tokens(Counter(dict(tokens)) + Counter({operation: 1})))
            for state, tokens in self._possible
        )

    def refused(self, operation: str) -> None:
        """The operation was refused: it cannot have started anything."""
        self._possible = frozenset(
            (state, _tokens(Counter(dict(tokens)) - Counter({operation: 1})))
            for state, tokens in self._possible
        )

    @property
    def illegal(self) -> list[str]:
        """Every change that the table does not allow, worded."""
        pairs = zip([None, *self.observations], self.observations, strict=False)
        return [
            f"{before.state if before else 'the beginning'} → {after.state} is not in the transition table"
            for before, after in pairs
            if not after.legal
        ]

    def observe(self, state: str, asked: float, seen: float) -> Observation | None:
        """Record a reading; None when it overlaps an earlier one, so that their order is unknown."""
        last = self.observations[-1] if self.observations else None
        if last and asked < last.seen:
            return None
        if state not in self.table.states:
            observation = Observation(state, asked, seen)
            # The set of states is open: after a state the table does not know, anything may follow.
            self._possible = frozenset((known, ()) for known in self.table.states)
        else:
            observation = self._step(state, asked, seen)
        if last is None or last.state != state or not observation.legal:
            self.observations.append(observation)
        else:
            self.observations[-1] = Observation(state, last.asked, seen, last.legal, last.through)
        return observation

    def _step(self, state: str, asked: float, seen: float) -> Observation:
        following = self.table.reachable(self._possible)
        arrived = frozenset(configuration for configuration in following if configuration[0] == state)
        if not arrived:
            self._possible = frozenset({(state, ())})
            return Observation(state, asked, seen, legal=False)
        through = {
            middle
            for middle, tokens in following
            if middle != state
            and any(target in arrived for target in self.table.reachable(frozenset({(middle, tokens)})))
        }
        before = {configuration[0] for configuration in self._possible}
        # Fewest operations spent first: the rest may still be under way.
        self._possible = arrived
        self._missed |= through - before
        return Observation(state, asked, seen, through=tuple(sorted(through - before)))

    def possible_states(self) -> frozenset[str]:
        """The states it can be in now, as far as the last reading tells."""
        return frozenset(state for state, _ in self._possible)

    def can_reach(self, states: frozenset[str]) -> bool:
        """Whether one of the states can still follow from here without the suite asking for anything more."""
        return any(state in states for state, _ in self.table.reachable(self._possible))

    def may_have_passed(self, states: frozenset[str]) -> bool:
        """Whether one of the states may have been there between two readings."""
        return bool(states & self._missed)

    def forget_missed(self) -> None:
        """Start a new wait: only what is missed from here on counts."""
        self._missed.clear()
