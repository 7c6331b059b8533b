"""What the API shows of an object, for every phase and intent."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandkit_server.core.model import SandboxState, SnapshotState
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.resources import ABANDONED_ANNOTATION, INTENT_ANNOTATION, SANDBOX_ANNOTATION

CREATED = datetime(2026, 1, 1, 12, 0, 0, 250_000, UTC)


def sandbox(
    *,
    phase: str | None = None,
    pause: bool | None = None,
    generation: int = 1,
    acted: int | None = None,
    **status: Any,
) -> dict[str, Any]:
    spec: dict[str, Any] = {"replicas": 1}
    if pause is not None:
        spec["pause"] = pause
    fields = {"phase": phase, "pauseObservedGeneration": acted, **status}
    return {
        "metadata": {
            "name": "sbx-1",
            "generation": generation,
            "creationTimestamp": "2026-01-01T12:00:00Z",
            "annotations": {SANDBOX_ANNOTATION: json.dumps({"createdAt": standing.rfc3339(CREATED)})},
        },
        "spec": spec,
        "status": {key: value for key, value in fields.items() if value is not None},
    }


def because(kind: str, reason: str, status: str = "True") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": f"{reason}, in full."}


@pytest.mark.parametrize(
    ("obj", "state", "new", "failed"),
    [
        (sandbox(), SandboxState.PENDING, None, False),
        (sandbox(phase="Pending", pause=True), SandboxState.PENDING, None, False),
        (sandbox(phase="Succeed"), SandboxState.RUNNING, None, False),
        (sandbox(phase="Succeed", pause=True, generation=2), SandboxState.PAUSING, True, False),
        (sandbox(phase="Succeed", pause=True, generation=2, acted=2), SandboxState.RUNNING, None, True),
        (sandbox(phase="Succeed", pause=True, generation=4, acted=2), SandboxState.PAUSING, True, False),
        (sandbox(phase="Succeed", pause=False, generation=3, acted=2), SandboxState.RUNNING, None, False),
        (sandbox(phase="Pausing", pause=True, generation=2, acted=2), SandboxState.PAUSING, None, False),
        (sandbox(phase="Paused", pause=True, generation=3, acted=2), SandboxState.PAUSED, None, False),
        (sandbox(phase="Paused", pause=False, generation=3, acted=2), SandboxState.RESUMING, False, False),
        (sandbox(phase="Paused", pause=False, generation=3, acted=3), SandboxState.PAUSED, None, True),
        (sandbox(phase="Resuming", pause=False, generation=3, acted=3), SandboxState.RESUMING, None, False),
        (sandbox(phase="Failed"), SandboxState.FAILED, None, False),
    ],
)
def test_the_state_follows_from_phase_and_intent(
    obj: dict[str, Any], state: SandboxState, new: bool | None, failed: bool
) -> None:
    assert standing.state_of(obj).state is state
    assert standing.new_intent(obj) is new
    assert standing.failed_intent(obj) is failed


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        ("Pending", "Progressing"),
        ("Succeed", "PauseFailed"),
        ("Paused", "ResumeFailed"),
        ("Failed", "PodFailed"),
    ],
)
def test_the_cause_is_told_by_the_condition_of_the_phase(phase: str, kind: str) -> None:
    others = [because(other, "Other") for other in standing.Condition if other != kind]
    told = standing.state_of(sandbox(phase=phase, conditions=[*others, because(kind, "Cause")]))
    assert (told.reason, told.message) == ("Cause", "Cause, in full.")

    passed = standing.state_of(sandbox(phase=phase, conditions=[*others, because(kind, "Past", "False")]))
    assert (passed.reason, passed.message) == (None, None)


def test_a_new_intent_hides_the_cause_of_the_last_failure() -> None:
    obj = sandbox(
        phase="Succeed", pause=True, generation=4, acted=2, conditions=[because("PauseFailed", "PushFailed")]
    )
    assert standing.state_of(obj).reason is None


def test_it_is_known_to_have_been_up_once_ready_was_ever_set() -> None:
    assert not standing.ever_ready(sandbox())
    assert standing.ever_ready(sandbox(phase="Failed", conditions=[because("Ready", "PodLost", "False")]))


def test_the_time_moves_forward_through_pause_resume_and_deletion_even_when_clocks_do_not() -> None:
    obj = sandbox(phase="Succeed", phaseTransitionTime="2026-01-01T12:00:05.000007Z")
    times = [standing.state_of(sandbox()).last_transition_at, standing.state_of(obj).last_transition_at]

    # The server's clock is behind the controller's, and a deletion is noted in full seconds only.
    obj["spec"]["pause"] = True
    obj["metadata"]["generation"] = 2
    obj["metadata"]["annotations"][INTENT_ANNOTATION] = "2026-01-01T12:00:04Z"
    times.append(standing.state_of(obj).last_transition_at)
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:05Z"
    times.append(standing.state_of(obj).last_transition_at)

    assert times == sorted(set(times))
    assert times[0] == CREATED


def test_an_intent_dates_from_when_it_was_asked_for() -> None:
    obj = sandbox(phase="Succeed", pause=True, generation=2)
    obj["metadata"]["annotations"][INTENT_ANNOTATION] = "2026-01-01T13:00:00.5Z"
    assert standing.state_of(obj).last_transition_at == datetime(2026, 1, 1, 13, 0, 0, 500_000, UTC)


@pytest.mark.parametrize(
    ("expiry", "reason"), [("12:30:00Z", "Expired"), ("12:30:00.9Z", "Expired"), ("12:30:01Z", None)]
)
def test_a_deletion_at_the_expiry_is_told_as_one(expiry: str, reason: str | None) -> None:
    obj = sandbox(phase="Paused", pause=True, acted=1)
    obj["spec"]["expireTime"] = f"2026-01-01T{expiry}"
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T12:30:00Z"
    told = standing.state_of(obj)
    assert (told.state, told.reason) == (SandboxState.STOPPING, reason)


def test_an_abandoned_sandbox_is_failed_with_the_reason_it_was_given_up_for() -> None:
    obj = sandbox()
    obj["metadata"]["annotations"][ABANDONED_ANNOTATION] = json.dumps(
        {"reason": "ReadyTimeout", "message": "Too late.", "at": "2026-01-01T12:05:00Z"}
    )
    told = standing.state_of(obj)
    assert (told.state, told.reason, told.message) == (SandboxState.FAILED, "ReadyTimeout", "Too late.")
    assert told.last_transition_at == datetime(2026, 1, 1, 12, 5, tzinfo=UTC)


def test_deleting_an_abandoned_sandbox_within_the_same_second_moves_the_time_too() -> None:
    obj = sandbox()
    note = {"reason": "ReadyTimeout", "message": "Too late.", "at": "2026-01-01T12:05:00.7Z"}
    obj["metadata"]["annotations"][ABANDONED_ANNOTATION] = json.dumps(note)
    given_up = standing.state_of(obj).last_transition_at
    obj["metadata"]["deletionTimestamp"] = "2026-01-01T12:05:00Z"
    assert standing.state_of(obj).last_transition_at > given_up


@pytest.mark.parametrize("text", ["", "[]", "{", '{"createdAt": 5}', '{"createdAt": "yesterday"}'])
def test_annotations_broken_by_hand_are_read_past(text: str) -> None:
    obj = sandbox()
    obj["metadata"]["annotations"] = {
        SANDBOX_ANNOTATION: text,
        INTENT_ANNOTATION: text,
        ABANDONED_ANNOTATION: text,
    }
    assert standing.created_at(obj) == CREATED.replace(microsecond=0)
    assert standing.state_of(obj).state is SandboxState.FAILED


@pytest.mark.parametrize(
    ("status", "deleted", "state", "reason"),
    [
        ({}, False, SnapshotState.CREATING, None),
        ({"phase": "Committing"}, False, SnapshotState.CREATING, None),
        ({"phase": "Succeed"}, False, SnapshotState.READY, None),
        (
            {"phase": "Failed", "conditions": [because("Failed", "PushFailed")]},
            False,
            SnapshotState.FAILED,
            "PushFailed",
        ),
        ({"phase": "Succeed"}, True, SnapshotState.DELETING, None),
    ],
)
def test_the_state_of_a_snapshot(
    status: dict[str, Any], deleted: bool, state: SnapshotState, reason: str | None
) -> None:
    metadata = {"name": "snap-1", "creationTimestamp": "2026-01-01T12:00:00Z"}
    if deleted:
        metadata["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    told = standing.snapshot_state_of(
        {"metadata": metadata, "spec": {"sandboxName": "sbx-1"}, "status": status}
    )
    assert (told.state, told.reason) == (state, reason)
    assert told.last_transition_at >= datetime(2026, 1, 1, 12, tzinfo=UTC) + timedelta(microseconds=deleted)


def test_the_counts_of_a_pool_the_controller_has_not_seen_are_zero() -> None:
    assert standing.pool_status_of({"metadata": {}, "spec": {}}).total == 0
