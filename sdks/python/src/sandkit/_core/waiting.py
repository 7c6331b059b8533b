"""Waiting for a state: what to conclude from what was seen, and how long to sleep between looks.

A wait ends at once when the awaited state can no longer come: the transition table has no way there, or
it was on its way and has fallen back (a failed resume ends in Paused again, and only somebody's next
resume leads out of that). States the table does not know prove nothing. Failures that may pass (503, 429,
lost connections) are waited out; all others end the wait as they are, so a wrong API key never looks like
a time-out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from sandkit._core import errors
from sandkit._core.accounts import Observation, WaitReport
from sandkit._core.lifecycle import Accepted, StateMachine
from sandkit._core.retry import worth_repeating

DEFAULT_WAIT = 300.0
"""Seconds a wait takes at most when nothing is said."""


@dataclass(frozen=True, slots=True)
class Polling:
    """How often to look.

    Attributes:
        first_interval: Seconds between the first two looks.
        factor: By how much each interval is longer than the one before.
        longest_interval: Seconds between two looks at most.
        jitter: Part of each interval that is drawn by chance, 0 to 1, so that many waiters spread.
    """

    first_interval: float = 0.1
    factor: float = 1.6
    longest_interval: float = 2.0
    jitter: float = 0.25

    def interval(self, looks: int, draw: Callable[[], float]) -> float:
        """Seconds to sleep after that many looks; `draw` gives a number from 0 to 1."""
        full = min(self.longest_interval, self.first_interval * self.factor ** min(looks - 1, 64))
        return full * (1 - self.jitter * draw())


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a wait may take.

    Attributes:
        whole: All of it.
        look: One look.
    """

    whole: float
    look: float


@dataclass(frozen=True, slots=True)
class Subject:
    """What is waited for.

    Attributes:
        kind: `sandbox` or `snapshot`.
        id: Which one.
        targets: The states that end the wait.
        machine: The states and transitions of its kind.
        accepted: The operation this wait is for, if the server has just accepted one.
    """

    kind: str
    id: str
    targets: tuple[str, ...]
    machine: StateMachine
    accepted: Accepted | None = None


def targets_of(states: str | Iterable[str]) -> tuple[str, ...]:
    """The states to wait for as plain strings. Raises ValueError when there is none."""
    targets = (str(states),) if isinstance(states, str) else tuple(str(state) for state in states)
    if not targets:
        raise ValueError("name at least one state to wait for")
    return targets


class Wait:
    """One wait under way. Times are seconds of the caller's monotonic clock."""

    def __init__(self, subject: Subject, began: float, timeout: float) -> None:
        if not timeout > 0:
            raise ValueError(f"timeout is {timeout!r}; use seconds above 0, or math.inf for no limit")
        self._subject = subject
        self._began = began
        self._timeout = timeout
        self._trajectory: list[Observation] = []
        self._looks = 0

    @property
    def deadline(self) -> float:
        """When the wait runs out."""
        return self._began + self._timeout

    def saw(self, observation: Observation, now: float) -> bool:
        """Take note of a state seen now; true when the wait is over.

        Raises:
            UnexpectedStateError: No target can follow.
        """
        self._looks += 1
        seen = replace(observation, elapsed=now - self._began)
        if not self._trajectory or _differs(self._trajectory[-1], seen):
            self._trajectory.append(seen)
        if seen.state in self._subject.targets:
            return True
        problem = self._hopeless(seen)
        if problem:
            raise errors.UnexpectedStateError(self._report(seen.elapsed, problem))
        return False

    def failed(self, problem: errors.RequestError) -> float:
        """Take note of a failed look; the least number of seconds to stay away, as the server asked.

        Raises:
            RequestError: The same problem, when time does not heal it.
        """
        self._looks += 1
        if not worth_repeating(problem):
            raise problem
        return (problem.retry_after or 0.0) if isinstance(problem, errors.ApiError) else 0.0

    def pause(self, now: float, polling: Polling, draw: Callable[[], float], at_least: float = 0.0) -> float:
        """Seconds to sleep before the next look; never past the deadline.

        Raises:
            WaitTimeoutError: The deadline has come.
        """
        left = self.deadline - now
        if left <= 0:
            raise self.timed_out(now)
        return min(left, max(at_least, polling.interval(self._looks, draw)))

    def timed_out(self, now: float) -> errors.WaitTimeoutError:
        """The error that says what was seen until the time ran out."""
        return errors.WaitTimeoutError(self._report(now - self._began, f"{self._timeout:g} s have passed"))

    def _hopeless(self, seen: Observation) -> str | None:
        machine, targets = self._subject.machine, self._subject.targets
        if not machine.can_reach(seen.state, targets):
            return f"nothing leads there from {seen.state}"
        before = self._before(seen)
        if (
            before is not None
            and (seen.state, before) in machine.asked_for
            and machine.can_reach(before, targets, by_itself=True)
            and not machine.can_reach(seen.state, targets, by_itself=True)
        ):
            return f"it fell back from {before} to {seen.state}, and only a further request leads out of that"
        return None

    def _before(self, seen: Observation) -> str | None:
        """The state before this one, if it was seen, or was entered by the accepted operation."""
        if len(self._trajectory) > 1:
            return self._trajectory[-2].state
        accepted = self._subject.accepted
        # A server that shows a change late still gives the old instant here; then nothing is concluded.
        if accepted and None not in {accepted.since, seen.since}:
            return accepted.state if accepted.since != seen.since else None
        return None

    def _report(self, elapsed: float, problem: str) -> WaitReport:
        subject = self._subject
        return WaitReport(
            subject.kind, subject.id, subject.targets, elapsed, tuple(self._trajectory), problem
        )


def _differs(one: Observation, other: Observation) -> bool:
    return (one.state, one.reason, one.message) != (other.state, other.reason, other.message)
