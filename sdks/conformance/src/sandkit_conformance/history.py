"""Histories of concurrent calls, held against the state machine as a nondeterministic model.

A set of answers is explained when some order of the calls, one at a time, gives exactly these answers, and no
call that was answered before another was sent comes after it (linearizability). Between calls the resource
may move on by itself. A call without an answer may have happened or not.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from sandkit_conformance.catalogue import StateMachine
from sandkit_conformance.trajectory import GONE, TransitionTable

_UNKNOWN = "(unknown)"
_LOST = "Failed"


@frozen
class Operation:
    """One call of a history: times in monotonic seconds, status None when no answer came."""

    name: str
    started: float
    ended: float
    status: int | None


@frozen
class Model:
    """What one call may do to the resource, by the generated tables."""

    machine: StateMachine
    table: TransitionTable
    _drifts: dict[str, frozenset[str]] = field(factory=dict)

    def drift(self, state: str) -> frozenset[str]:
        """The states the resource may move on to without anybody asking, itself included.

        Only what is under way goes on. That it fails just then is not assumed: two winners could otherwise
        always be explained by a first pause that was given up at once.
        """
        if state not in self._drifts:
            reached, todo = {state}, [state]
            while todo:
                now = todo.pop()
                following = self._moves_on_to(now) - reached
                reached |= following
                todo += following
            self._drifts[state] = frozenset(reached)
        return self._drifts[state]

    def _moves_on_to(self, state: str) -> frozenset[str]:
        if state in self.machine.terminal:
            return frozenset({GONE})
        if state not in self.machine.transitional:
            return frozenset()
        undone = {
            source
            for row in self.machine.operations.values()
            for source, cell in row.items()
            if cell.to == state and source not in self.machine.transitional
        }
        targets = {target for target, operation in self.table.edges[state] if operation is None}
        # A transitional state that follows by itself would be an expiry.
        return frozenset(targets - undone - self.machine.transitional - {_LOST})

    def after(self, state: str, operation: Operation) -> frozenset[str]:
        """The states the call may leave behind in `state`; empty when its answer denies that."""
        cell = self.machine.operations[operation.name].get(_UNKNOWN if state == GONE else state)
        if cell is None or (operation.status is not None and cell.status != operation.status):
            return frozenset()
        return frozenset({cell.to or state})


def explained(model: Model, initial: Iterable[str], operations: Iterable[Operation]) -> bool:
    """Whether some sequential order of the calls explains every answer; others are left out."""
    known = tuple(operation for operation in operations if operation.name in model.machine.operations)
    search = _Search(model, known, set())
    return any(search.possible(frozenset(range(len(known))), state) for state in initial)


@frozen
class _Search:
    model: Model
    operations: tuple[Operation, ...]
    failed: set[tuple[frozenset[int], str]]

    def possible(self, left: frozenset[int], state: str) -> bool:
        if not left:
            return True
        if (left, state) in self.failed:
            return False
        for now in self.model.drift(state):
            for index in self._next(left):
                operation = self.operations[index]
                rest = left - {index}
                if any(self.possible(rest, after) for after in self.model.after(now, operation)):
                    return True
                if operation.status is None and self.possible(rest, now):
                    return True
        self.failed.add((left, state))
        return False

    def _next(self, left: frozenset[int]) -> list[int]:
        """Calls that may come next: nothing left was answered before they were sent. Twins count once."""
        first_answer = min(self.operations[index].ended for index in left)
        seen: set[tuple[str, int | None]] = set()
        candidates: list[int] = []
        for index in sorted(left, key=lambda one: self.operations[one].ended):
            operation = self.operations[index]
            twin = (operation.name, operation.status)
            if operation.started <= first_answer and twin not in seen:
                seen.add(twin)
                candidates.append(index)
        return candidates
