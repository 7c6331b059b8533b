from __future__ import annotations

import pytest

from sandkit_server._generated.states import OPERATIONS, SANDBOX_TRANSITIONS, SNAPSHOT_TRANSITIONS
from sandkit_server.core import lifecycle
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import SandboxState, SnapshotState


@pytest.mark.parametrize(("operation", "state"), [key for key in OPERATIONS if key[1] != lifecycle.UNKNOWN])
def test_admission_is_the_table(operation: str, state: str) -> None:
    outcome = OPERATIONS[operation, state]
    if outcome.code is None:
        assert lifecycle.admit(operation, state, "it") is outcome
        return
    with pytest.raises(SandkitError) as raised:
        lifecycle.admit(operation, state, "it")
    assert (raised.value.code, raised.value.status) == (outcome.code, outcome.status)


def test_a_refusal_says_what_is_needed_and_what_is() -> None:
    with pytest.raises(SandkitError) as raised:
        lifecycle.admit("pauseSandbox", SandboxState.PAUSED, "sbx-1")
    assert raised.value.message == "pauseSandbox needs Running; sbx-1 is Paused."


@pytest.mark.parametrize("operation", sorted({operation for operation, _ in OPERATIONS}))
def test_the_unknown_subject_has_the_code_of_the_table(operation: str) -> None:
    error = lifecycle.unknown(operation, "it-1")
    assert error.code is OPERATIONS[operation, lifecycle.UNKNOWN].code
    assert error.status == 404
    assert "it-1" in error.message


def test_legal_steps_are_those_of_the_tables() -> None:
    legal = {(s, t) for s in SandboxState for t in SandboxState if lifecycle.is_legal(s, t)}
    assert legal == {(step.source, step.target) for step in SANDBOX_TRANSITIONS}
    legal_for_snapshots = {
        (s, t) for s in SnapshotState for t in SnapshotState if lifecycle.is_legal_for_snapshot(s, t)
    }
    assert legal_for_snapshots == {(step.source, step.target) for step in SNAPSHOT_TRANSITIONS}
