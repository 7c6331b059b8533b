"""The search itself, over models small enough to know every state of."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_server.testing.explorer.search import Bounds, Outcome, Search, Step

Counters = tuple[int, int]


class Pair:
    """Two counters up to a limit. One step is a promise broken, and so may be where it comes to rest."""

    def __init__(self, limit: int = 3, bad: Counters | None = None, rest: Counters | None = None) -> None:
        self.limit = limit
        self.bad = bad
        self.rest = rest

    def begin(self) -> Counters:
        return (0, 0)

    def steps(self, state: Counters) -> Iterator[Step[Counters, str]]:
        left, right = state
        if left < self.limit:
            yield self._step("left", (left + 1, right))
        if right < self.limit:
            yield self._step("right", (left, right + 1))

    def calm(self, state: Counters) -> Iterator[Counters]:
        yield state

    def settle(self, state: Counters) -> Step[Counters, str] | None:
        """Only the left counter goes on by itself."""
        left, right = state
        return self._step("left", (left + 1, right)) if left < self.limit else None

    def judge(self, state: Counters) -> str | None:
        return "rests badly" if state == self.rest else None

    def _step(self, label: str, state: Counters) -> Step[Counters, str]:
        return Step(label, state, "bad" if state == self.bad else None)


def run(model: Pair, depth: int = 20) -> Outcome[str]:
    return Search(model, Bounds(depth=depth)).run()


def test_every_state_is_reached_once_and_every_step_taken() -> None:
    outcome = run(Pair(limit=3))
    assert (outcome.states, outcome.steps) == (16, 24)
    assert outcome.exhausted
    assert outcome.finding is None


def test_each_state_of_rest_is_judged_once() -> None:
    assert run(Pair(limit=3)).rests == 4


def test_the_depth_bounds_the_search_and_says_so() -> None:
    outcome = run(Pair(limit=9), depth=2)
    assert (outcome.states, outcome.depth, outcome.exhausted) == (6, 2, False)


def test_the_shortest_trace_to_a_broken_step_is_told() -> None:
    finding = run(Pair(limit=5, bad=(1, 2))).finding
    assert finding is not None
    assert finding.message == "bad"
    assert sorted(finding.trace) == ["left", "right", "right"]


def test_a_bad_rest_is_found_from_the_nearest_state_that_leads_there() -> None:
    finding = run(Pair(limit=3, rest=(3, 2))).finding
    assert finding is not None
    assert finding.message == "rests badly"
    assert finding.trace == ("right", "right", "left", "left", "left")
    assert finding.settled == 3


def test_what_breaks_on_the_way_to_rest_is_found_beyond_the_depth() -> None:
    finding = run(Pair(limit=9, bad=(7, 0)), depth=1).finding
    assert finding is not None
    assert finding.trace == ("left",) * 7


def test_the_number_of_states_bounds_the_search() -> None:
    outcome = Search(Pair(limit=1_000), Bounds(depth=5_000, states=3_000, patience=2_000)).run()
    assert 3_000 <= outcome.states < 5_000
    assert not outcome.exhausted


def test_progress_is_told_after_each_level() -> None:
    seen: list[tuple[int, int]] = []
    bounds = Bounds(depth=3)
    Search(Pair(limit=9), bounds, lambda so_far: seen.append((so_far.depth, so_far.states))).run()
    assert seen == [(1, 3), (2, 6), (3, 10)]


def test_a_system_that_never_comes_to_rest_is_found() -> None:
    finding = Search(Pair(limit=100), Bounds(depth=1, patience=50)).run().finding
    assert finding is not None
    assert finding.message == "it never comes to rest"
    assert finding.trace == ("left",) * 4
