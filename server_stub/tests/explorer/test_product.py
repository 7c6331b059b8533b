"""The product under the explorer: it keeps every promise, and every seeded bug breaks the one it should.

The bounds are small here; `make explore` goes deeper.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from sandkit_server.testing.explorer.catalogue import SCENARIOS
from sandkit_server.testing.explorer.defects import DEFECTS, Defect
from sandkit_server.testing.explorer.scenarios import Scenario, Stage
from sandkit_server.testing.explorer.search import Bounds, Outcome, Search
from sandkit_server.testing.explorer.traces import Trace, UnknownStepError, trace_of, walk

LONGEST_TRACE = 12


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """What the product logs about the faults it meets is no part of what is tested."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def explore(stage: Stage, depth: int) -> Outcome[str]:
    return Search(stage.world, Bounds(depth=depth)).run()


@pytest.mark.slow
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_no_promise_is_broken(scenario: Scenario) -> None:
    outcome = explore(Stage(scenario), min(scenario.depth, 4))
    assert outcome.finding is None, "\n".join(trace_of(scenario.name, outcome.finding).lines())
    assert outcome.rests > 0


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS.values(), ids=list(DEFECTS))
def test_a_seeded_bug_is_found_and_its_trace_can_be_taken_again(defect: Defect) -> None:
    with defect.installed():
        outcome = explore(Stage(SCENARIOS[defect.scenario]), LONGEST_TRACE)
        assert outcome.finding is not None
        assert defect.finds in outcome.finding.message
        assert len(outcome.finding.trace) <= LONGEST_TRACE

        trace = Trace.from_json(trace_of(defect.scenario, outcome.finding, defect.id).to_json())
        assert [step.label for _, step in walk(Stage(SCENARIOS[defect.scenario]), trace)] == list(trace.steps)


def test_a_trace_of_a_bug_that_was_mended_does_not_break_anything_any_more() -> None:
    defect = DEFECTS["sweep-before-delete"]
    with defect.installed():
        finding = explore(Stage(SCENARIOS[defect.scenario]), LONGEST_TRACE).finding
    assert finding is not None
    with pytest.raises(UnknownStepError):
        list(walk(Stage(SCENARIOS[defect.scenario]), trace_of(defect.scenario, finding)))


def test_a_trace_reads_well() -> None:
    trace = Trace(scenario="resumes", steps=("one", "two"), chosen=1, broken="a promise")
    assert list(trace.lines()) == [
        "   1  one",
        "   2  two  (left alone)",
        "      BROKEN: a promise",
    ]


def test_what_is_no_trace_is_refused() -> None:
    with pytest.raises(ValueError, match="no trace"):
        Trace.from_json('{"format": "something else"}')


def test_seeded_bugs_say_what_they_do() -> None:
    assert len(DEFECTS) >= 10
    for defect in DEFECTS.values():
        assert defect.defect.endswith(".")
        assert defect.scenario in SCENARIOS
