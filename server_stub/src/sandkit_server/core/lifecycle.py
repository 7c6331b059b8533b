"""Admission and legal transitions, read from the generated state tables and nowhere else."""

from __future__ import annotations

from sandkit_server._generated.errors import ErrorCode
from sandkit_server._generated.states import (
    OPERATIONS,
    SANDBOX_TRANSITIONS,
    SNAPSHOT_TRANSITIONS,
    Outcome,
    SandboxState,
    SnapshotState,
)
from sandkit_server.core.errors import SandkitError

UNKNOWN = "(unknown)"

_SANDBOX_STEPS = frozenset((step.source, step.target) for step in SANDBOX_TRANSITIONS)
_SNAPSHOT_STEPS = frozenset((step.source, step.target) for step in SNAPSHOT_TRANSITIONS)
_SUCCESS = range(200, 300)


def admit(operation: str, state: str, subject: str) -> Outcome:
    """What the table answers to ``operation`` on ``subject`` in ``state``.

    Raises SandkitError unless it is a success.
    """
    outcome = OPERATIONS[operation, state]
    if outcome.code is None:
        return outcome
    raise SandkitError(outcome.code, _refusal(operation, state, subject))


def unknown(operation: str, subject: str) -> SandkitError:
    """The error for a subject that does not exist."""
    code = OPERATIONS[operation, UNKNOWN].code or ErrorCode.REQUEST_INTERNAL_ERROR
    return SandkitError(code, f"There is no {_noun(code)} {subject}.")


def admitted_states(operation: str) -> tuple[str, ...]:
    """The states in which the table answers ``operation`` with a success."""
    return tuple(
        str(state)
        for (name, state), outcome in OPERATIONS.items()
        if name == operation and outcome.status in _SUCCESS
    )


def is_legal(source: SandboxState, target: SandboxState) -> bool:
    """Whether a sandbox may go from ``source`` to ``target`` in one step."""
    return (source, target) in _SANDBOX_STEPS


def is_legal_for_snapshot(source: SnapshotState, target: SnapshotState) -> bool:
    """Whether a snapshot may go from ``source`` to ``target`` in one step."""
    return (source, target) in _SNAPSHOT_STEPS


def _refusal(operation: str, state: str, subject: str) -> str:
    needed = " or ".join(admitted_states(operation))
    return f"{operation} needs {needed}; {subject} is {state}."


def _noun(code: ErrorCode) -> str:
    return "snapshot" if code.value.startswith("SNAPSHOT::") else "sandbox"
