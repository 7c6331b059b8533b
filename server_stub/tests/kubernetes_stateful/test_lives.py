"""Random lives of sandboxes on Kubernetes, with faults and crashes: what is there in the end is the model's.

A few lives each time; ``SANDKIT_STATEFUL_EXAMPLES=1000`` leads as many as it says. Always the same ones for
the same number; ``SANDKIT_STATEFUL_SEED`` chooses others.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from sandkit_server.testing.explorer.defects import DEFECTS

from .machine import Lives

# After some lives Hypothesis goes on with variations of those: a seed for each ten keeps them all new.
LIVES_PER_SEED = 10
BATCHES = -(-int(os.environ.get("SANDKIT_STATEFUL_EXAMPLES", "10")) // LIVES_PER_SEED)
SEED = int(os.environ.get("SANDKIT_STATEFUL_SEED", "0"))

# A sample of the explorer's seeded bugs, and how a life that meets one ends.
SEEDED = {
    "sweep-before-delete": "is deleted, and the sandbox lives",
    "owner-reference-dropped": r"is owned by \[\]",
    "pod-deleted-before-snapshot-ready": "whose snapshot is not ready",
    "resume-ignores-the-snapshot": "not what its pause has kept",
    "expiry-without-version": "although it was renewed",
}


def lead(seeds: Iterable[int], *phases: Phase) -> None:
    """Lead the ten lives of each seed. Raises AssertionError when one goes wrong."""
    machine = settings(
        max_examples=LIVES_PER_SEED,
        stateful_step_count=30,
        deadline=None,
        database=None,
        phases=phases,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    for number in seeds:
        run_state_machine_as_test(seed(number)(Lives), settings=machine)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_the_census_is_the_models_after_any_sequence(batch: int) -> None:
    lead([1_000_000 * SEED + batch], Phase.generate, Phase.shrink)


@pytest.mark.parametrize("bug", SEEDED)
def test_a_seeded_bug_is_found_within_thirty_lives(bug: str) -> None:
    with DEFECTS[bug].installed(), pytest.raises(AssertionError, match=SEEDED[bug]):
        lead(range(3), Phase.generate)
