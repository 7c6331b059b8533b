"""What a wait concludes from what it sees."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta

import pytest

from sandkit._core import lifecycle
from sandkit._core.accounts import Attempted, ErrorAnswer, Observation
from sandkit._core.error_body import error_for
from sandkit._core.errors import UnauthorizedError, UnexpectedStateError, WaitTimeoutError
from sandkit._core.lifecycle import SANDBOX, SNAPSHOT
from sandkit._core.waiting import Polling, Subject, Wait, targets_of

EARLIER = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LATER = EARLIER + timedelta(seconds=3)


def wait_for(*targets: str, accepted: lifecycle.Accepted | None = None, timeout: float = 60.0) -> Wait:
    return Wait(Subject("sandbox", "sbx-1", targets, SANDBOX, accepted), began=100.0, timeout=timeout)


def seen(state: str, reason: str | None = None, since: datetime | None = None) -> Observation:
    return Observation(0.0, state, reason, f"{reason} happened" if reason else None, "id-9", since)


def walk(wait: Wait, *states: str) -> bool:
    return [wait.saw(seen(state), 100.0 + index) for index, state in enumerate(states)][-1]


@pytest.mark.parametrize(
    ("target", "states"),
    [
        ("Running", ["Pending", "Running"]),
        ("Running", ["Pending", "Pending", "Running"]),
        ("Running", ["Running"]),
        ("Running", ["Paused", "Resuming", "Running"]),
        ("Running", ["Pausing", "Paused", "Resuming", "Running"]),
        ("Paused", ["Pending", "Running", "Pausing", "Paused"]),
        ("Paused", ["Running", "Running", "Pausing", "Paused"]),
        ("Terminated", ["Running", "Stopping", "Terminated"]),
        ("Terminated", ["Failed", "Stopping", "Terminated"]),
        ("Running", ["Hibernating", "Running"]),
        ("Hibernating", ["Pending", "Running", "Hibernating"]),
    ],
)
def test_waits_that_come_to_a_good_end(target: str, states: list[str]) -> None:
    assert walk(wait_for(target), *states)


@pytest.mark.parametrize(
    ("target", "states", "told"),
    [
        ("Running", ["Pending", "Failed"], "nothing leads there from Failed"),
        ("Running", ["Stopping"], "nothing leads there from Stopping"),
        ("Paused", ["Terminated"], "nothing leads there from Terminated"),
        ("Running", ["Resuming", "Paused"], "it fell back from Resuming to Paused"),
        ("Paused", ["Pausing", "Running"], "it fell back from Pausing to Running"),
    ],
)
def test_waits_that_end_at_once(target: str, states: list[str], told: str) -> None:
    with pytest.raises(UnexpectedStateError, match=told):
        walk(wait_for(target), *states)


def test_a_state_of_the_servers_own_proves_nothing() -> None:
    wait = wait_for("Running")
    assert not wait.saw(seen("Hibernating"), 100.0)
    assert not wait.saw(seen("Migrating"), 101.0)


def test_several_targets_end_the_wait_when_any_comes_and_fail_it_when_none_can() -> None:
    assert walk(wait_for("Running", "Failed"), "Pending", "Failed")
    with pytest.raises(UnexpectedStateError):
        walk(wait_for("Running", "Paused"), "Pending", "Stopping")


def test_a_pause_that_failed_between_two_looks_is_noticed_by_the_instant() -> None:
    accepted = lifecycle.accepted("pauseSandbox", "Running", EARLIER)
    with pytest.raises(UnexpectedStateError, match="fell back from Pausing to Running") as caught:
        wait_for("Paused", accepted=accepted).saw(seen("Running", "PauseFailed", LATER), 101.0)
    assert caught.value.reason == "PauseFailed"


@pytest.mark.parametrize(("before", "now"), [(EARLIER, EARLIER), (None, LATER), (EARLIER, None)])
def test_without_a_moved_instant_a_server_that_is_slow_to_show_it_is_waited_for(
    before: datetime | None, now: datetime | None
) -> None:
    wait = wait_for("Paused", accepted=lifecycle.accepted("pauseSandbox", "Running", before))
    assert not wait.saw(seen("Running", since=now), 101.0)
    assert wait.saw(seen("Paused", since=LATER), 102.0)


def test_an_operation_on_a_state_read_too_long_ago_proves_nothing() -> None:
    assert lifecycle.accepted("pauseSandbox", "Pending", EARLIER) is None
    assert lifecycle.accepted("pauseSandbox", "Hibernating", EARLIER) is None


def test_the_error_tells_the_whole_way_and_the_last_word_of_the_server() -> None:
    wait = wait_for("Running", timeout=5.0)
    for at, state in enumerate(["Pending", "Pending", "Running"]):
        assert wait.saw(seen(state), 100.0 + at) is (state == "Running")
    wait = wait_for("Paused", timeout=5.0)
    wait.saw(seen("Running"), 100.5)
    wait.saw(seen("Pausing", "Committing"), 103.0)
    wait.saw(seen("Pausing", "Committing"), 104.0)
    error = wait.timed_out(105.0)
    assert isinstance(error, TimeoutError)
    assert [entry.state for entry in error.trajectory] == ["Running", "Pausing"]
    assert (error.state, error.reason, error.message) == ("Pausing", "Committing", "Committing happened")
    assert error.request_id == "id-9"
    assert str(error).splitlines() == [
        "sandbox sbx-1 did not become Paused: 5 s have passed",
        "  seen: Running (0.5 s) → Pausing (3.0 s); last request id id-9",
        "  the server says: Committing: Committing happened",
    ]


def test_a_wait_that_saw_nothing_says_so() -> None:
    error = wait_for("Running", "Paused", timeout=2.0).timed_out(102.0)
    assert str(error) == "sandbox sbx-1 did not become Running or Paused: 2 s have passed"
    assert error.last is None
    assert error.state is error.reason is error.message is error.request_id is None


def test_failures_that_pass_are_waited_out_and_others_are_not() -> None:
    attempted = Attempted("getSandbox", "GET", "u", "id")
    wait = wait_for("Running")
    assert wait.failed(error_for(ErrorAnswer(503, None, "m", retry_after=4.0), attempted)) == 4.0
    assert wait.failed(error_for(ErrorAnswer(502, None, "m"), attempted)) == 0.0
    with pytest.raises(UnauthorizedError):
        wait.failed(error_for(ErrorAnswer(401, None, "m"), attempted))


def test_intervals_grow_to_a_limit_and_never_pass_the_deadline() -> None:
    polling = Polling(first_interval=0.1, factor=2.0, longest_interval=1.0, jitter=0.5)
    wait = wait_for("Running", timeout=2.0)
    now, sleeps = 100.0, []
    for _ in range(5):
        wait.saw(seen("Pending"), now)
        sleeps.append(wait.pause(now, polling, lambda: 0.0))
        now += sleeps[-1]
    with pytest.raises(WaitTimeoutError):
        wait.pause(now, polling, lambda: 0.0)
    assert sleeps == pytest.approx([0.1, 0.2, 0.4, 0.8, 0.5])
    assert polling.interval(3, lambda: 1.0) == pytest.approx(0.2)
    assert polling.interval(100_000, lambda: 0.0) == 1.0


def test_a_server_that_asks_for_more_time_gets_it() -> None:
    wait = wait_for("Running", timeout=10.0)
    assert wait.pause(100.0, Polling(), lambda: 0.0, at_least=3.0) == 3.0
    assert wait.pause(108.0, Polling(), lambda: 0.0, at_least=30.0) == 2.0


@pytest.mark.parametrize("timeout", [0, -1.0, math.nan])
def test_a_wait_needs_some_time(timeout: float) -> None:
    with pytest.raises(ValueError, match="seconds above 0"):
        wait_for("Running", timeout=timeout)


def test_no_limit_is_a_limit_too() -> None:
    assert wait_for("Running", timeout=math.inf).pause(1e12, Polling(), lambda: 0.0) <= 2.0


def test_targets_are_one_state_or_several() -> None:
    assert targets_of("Running") == ("Running",)
    assert targets_of(iter(["Running", "Failed"])) == ("Running", "Failed")
    with pytest.raises(ValueError, match="at least one"):
        targets_of([])


def test_reachability_follows_from_the_generated_table() -> None:
    everything = {state: SANDBOX.edges[state] for state in SANDBOX.edges}
    for state, target in itertools.product(everything, repeat=2):
        dead_end = state == "Terminated" or (state in {"Stopping", "Failed"} and target not in _ENDS)
        expected = state == target or (not dead_end and target != "Pending")
        assert SANDBOX.can_reach(state, {target}) is expected, (state, target)
    assert SNAPSHOT.can_reach("Creating", {"Ready"})
    assert not SNAPSHOT.can_reach("Failed", {"Ready"})


_ENDS = {"Stopping", "Terminated", "Failed"}


def test_what_shows_that_a_pause_or_resume_was_accepted() -> None:
    assert lifecycle.under_way("pauseSandbox") == {"Pausing", "Paused"}
    assert lifecycle.under_way("resumeSandbox") == {"Resuming", "Running"}
