"""Fixtures for tests of your own: they take part in the ledger, the clean-up and the leak verdict."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.plugin.bench import Bench
from sandkit_conformance.plugin.handles import FaultsHandle, LedgerHandle, Place, ProbeHandle, TargetHandle
from sandkit_conformance.plugin.turns import Turns

BENCH = pytest.StashKey[Bench]()
TURNS = pytest.StashKey[Turns]()


class UnobservableError(Exception):
    """What a test needs to see cannot be seen on this target; never counted as passed."""


@pytest.fixture
def _sandkit_place(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The test's part of the run; whatever it made is taken back afterwards."""
    bench, turns = request.config.stash[BENCH], request.config.stash[TURNS]
    with turns.turn(alone=False):
        try:
            scenario = bench.begin_test(request.node.nodeid)
        except SuiteError as error:
            pytest.fail(f"sandkit: the suite cannot run: {error}", pytrace=False)
        yield Place(scenario, bench.wait)
        problems = bench.end_test(scenario)
        if problems:
            pytest.fail("left behind by this test:\n" + "\n".join(problems), pytrace=False)


@pytest.fixture
def target(_sandkit_place: Place) -> TargetHandle:
    """The server under test."""
    return TargetHandle(_sandkit_place)


@pytest.fixture
def probe(_sandkit_place: Place) -> ProbeHandle:
    """What the API hides; a test that needs it is unobservable on a target without a probe."""
    if _sandkit_place.scenario.run.ports.probe is None:
        raise UnobservableError("needs a probe port; there is none")
    return ProbeHandle(_sandkit_place)


@pytest.fixture
def faults(_sandkit_place: Place) -> FaultsHandle:
    """The control port; a test that needs it is unobservable on a target without one."""
    if _sandkit_place.scenario.run.ports.control is None:
        raise UnobservableError("needs a control port; there is none")
    return FaultsHandle(_sandkit_place)


@pytest.fixture
def ledger(_sandkit_place: Place) -> LedgerHandle:
    """Where a test says what it makes by itself."""
    return LedgerHandle(_sandkit_place)
