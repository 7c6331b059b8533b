"""What the generated transition table says about waiting."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sandkit._generated import states

UNKNOWN = "(unknown)"
"""The row of the operation table for an id the server does not know."""


@dataclass(frozen=True, slots=True)
class StateMachine:
    """Which states follow which.

    Attributes:
        edges: The states that directly follow each state.
        asked_for: The transitions that only an operation of a caller starts, as pairs.
        gone: The state of what the server may have forgotten.
    """

    edges: Mapping[str, frozenset[str]]
    asked_for: frozenset[tuple[str, str]]
    gone: str

    def knows(self, state: str) -> bool:
        """Whether the table has the state.

        Servers may have states of their own; nothing is concluded from those.
        """
        return state in self.edges

    def can_reach(self, state: str, targets: Collection[str], *, by_itself: bool = False) -> bool:
        """Whether any target can follow, in any number of steps, or is the state itself.

        Args:
            state: Where to begin.
            targets: Where to get to. One the table does not know counts as reachable.
            by_itself: Follow only transitions that need no operation of a caller.
        """
        if any(not self.knows(target) for target in (*targets, state)):
            return True
        seen = {state}
        queue = [state]
        while queue:
            current = queue.pop()
            if current in targets:
                return True
            following = {
                target
                for target in self.edges[current]
                if not (by_itself and (current, target) in self.asked_for)
            }
            queue += following - seen
            seen |= following
        return False


def _machine(
    names: Collection[str],
    transitions: Collection[states.Transition],
    operations: Collection[str],
    gone: str,
) -> StateMachine:
    edges: dict[str, set[str]] = {str(name): set() for name in names}
    for transition in transitions:
        edges[str(transition.source)].add(str(transition.target))
    return StateMachine(
        edges={name: frozenset(following) for name, following in edges.items()},
        asked_for=frozenset(
            (str(state), str(outcome.to))
            for (operation, state), outcome in states.OPERATIONS.items()
            if operation in operations and outcome.to is not None
        ),
        gone=str(gone),
    )


# Deletes are left out on purpose: expiry starts the same transition without anybody asking.
SANDBOX = _machine(
    states.SANDBOX_STATES,
    states.SANDBOX_TRANSITIONS,
    ("pauseSandbox", "resumeSandbox"),
    states.SandboxState.TERMINATED,
)
SNAPSHOT = _machine(states.SNAPSHOT_STATES, states.SNAPSHOT_TRANSITIONS, (), states.SnapshotState.DELETING)


@dataclass(frozen=True, slots=True)
class Accepted:
    """An operation the server has accepted, and how the sandbox stood before it.

    Attributes:
        state: The state the operation starts.
        since: When the state before it was entered, as last read; None when the server did not tell.
    """

    state: str
    since: datetime | None


def accepted(operation_id: str, source: str, since: datetime | None) -> Accepted | None:
    """What an accepted operation starts from a state; None when the table does not say."""
    outcome = states.OPERATIONS.get((operation_id, source))
    return Accepted(str(outcome.to), since) if outcome and outcome.to else None


def under_way(operation_id: str) -> frozenset[str]:
    """The states that show that an operation was accepted: the one it starts, and what that one ends in.

    For `pauseSandbox`: Pausing and Paused. A failed attempt goes back to where it came from, which is
    therefore left out.
    """
    starts = {
        (str(state), str(outcome.to))
        for (operation, state), outcome in states.OPERATIONS.items()
        if operation == operation_id and outcome.to is not None
    }
    shown = {target for _, target in starts}
    sources = {source for source, _ in starts}
    ends = {end for target in shown for end in SANDBOX.edges[target] if not _is_loss(end)}
    return frozenset((shown | ends) - sources)


def _is_loss(state: str) -> bool:
    return not SANDBOX.can_reach(state, {str(states.SandboxState.RUNNING)})
