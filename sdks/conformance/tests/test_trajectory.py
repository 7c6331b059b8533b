from __future__ import annotations

import pytest

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.trajectory import Trajectory, TransitionTable


def seen(catalogue: Catalogue, *events: str, kind: str = "sandbox") -> Trajectory:
    """A trajectory out of states, and of operations written as `pause!` (asked) or `pause?` (refused)."""
    trajectory = Trajectory(TransitionTable.of(catalogue.machines[kind]), kind, "x")
    for moment, event in enumerate(events):
        if event.endswith("!"):
            trajectory.asked(f"{event[:-1]}Sandbox")
        elif event.endswith("?"):
            trajectory.refused(f"{event[:-1]}Sandbox")
        else:
            trajectory.observe(event, moment, moment + 0.5)
    return trajectory


LEGAL = [
    ("Pending", "Running", "pause!", "Pausing", "Paused", "resume!", "Resuming", "Running"),
    ("Running", "pause!", "Paused"),
    ("Pending", "pause!", "Paused", "resume!", "Running", "pause!", "Paused"),
    ("Running", "pause!", "Pausing", "Running"),
    ("Running", "pause!", "Running"),
    ("Paused", "resume!", "Resuming", "Paused"),
    ("Running", "Stopping", "gone"),
    ("Running", "gone"),
    ("Running", "Failed", "Stopping", "Terminated", "gone"),
    ("Running", "pause!", "Failed"),
    ("Running", "Rebooting", "Paused"),
]
ILLEGAL = [
    (("Pending", "Paused"), "Pending → Paused"),
    (("Running", "Paused"), "Running → Paused"),
    (("Running", "Pausing"), "Running → Pausing"),
    (("Running", "pause!", "Paused", "Running"), "Paused → Running"),
    (("Running", "pause!", "pause?", "Pausing"), "Running → Pausing"),
    (("Running", "pause!", "Paused", "resume!", "Running", "Paused"), "Running → Paused"),
    (("Running", "Pending"), "Running → Pending"),
    (("Terminated", "Running"), "Terminated → Running"),
    (("gone", "Running"), "gone → Running"),
    (("Failed", "Running"), "Failed → Running"),
    (("Stopping", "Paused"), "Stopping → Paused"),
]


@pytest.mark.parametrize("events", LEGAL, ids=" ".join)
def test_a_legal_way_is_legal_however_much_of_it_was_missed(
    events: tuple[str, ...], catalogue: Catalogue
) -> None:
    events = events if events[0] == "Pending" else ("Pending", "pause!", "resume!", *events)
    assert seen(catalogue, *events).illegal == []


@pytest.mark.parametrize(("events", "change"), ILLEGAL)
def test_an_illegal_change_is_named(events: tuple[str, ...], change: str, catalogue: Catalogue) -> None:
    (found,) = seen(catalogue, *events).illegal
    assert found.startswith(change)


def test_a_reading_that_overlaps_an_earlier_one_says_nothing(catalogue: Catalogue) -> None:
    trajectory = seen(catalogue, "Running", "pause!")
    trajectory.observe("Paused", 5.0, 6.0)
    assert trajectory.observe("Running", 5.5, 6.5) is None
    assert trajectory.illegal == []


def test_what_cannot_follow_any_more_is_known(catalogue: Catalogue) -> None:
    trajectory = seen(catalogue, "Pending", "Running")
    assert not trajectory.can_reach(frozenset({"Paused"}))
    trajectory.asked("pauseSandbox")
    assert trajectory.can_reach(frozenset({"Paused"}))
    trajectory.refused("pauseSandbox")
    assert not trajectory.can_reach(frozenset({"Paused"}))


def test_a_state_between_two_readings_may_have_been_there(catalogue: Catalogue) -> None:
    trajectory = seen(catalogue, "Pending", "Running", "pause!")
    trajectory.forget_missed()
    trajectory.observe("Paused", 10, 11)
    assert trajectory.may_have_passed(frozenset({"Pausing"}))
    assert not trajectory.may_have_passed(frozenset({"Resuming"}))


def test_snapshots_have_a_table_of_their_own(catalogue: Catalogue) -> None:
    assert seen(catalogue, "Creating", "Ready", "Deleting", "gone", kind="snapshot").illegal == []
    assert seen(catalogue, "Creating", "Ready", "Creating", kind="snapshot").illegal
