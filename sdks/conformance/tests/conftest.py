"""Fixtures: the catalogue, a small server, and a way to play a scenario written in the test."""

from __future__ import annotations

import textwrap
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.result import ScenarioResult
from sandkit_conformance.engine.scenario_run import ScenarioRunner
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.loader import parse_suite
from sandkit_conformance.target import DEFAULT_BUDGETS, Target
from sandkit_conformance.trace import Trace

from .command_lines import SCENARIO
from .fakes import FakeControl, FakeProbe
from .tiny_server import KEY, Server, tiny_server

QUICK = {
    **DEFAULT_BUDGETS,
    "request": 2.0,
    "settle": 0.3,
    "start": 0.5,
    "pause": 0.5,
    "stop": 1.0,
    "window": 0.1,
}


@frozen
class Played:
    """One scenario that was played, and the run it was part of."""

    result: ScenarioResult
    run: RunContext

    @property
    def verdicts(self) -> list[str]:
        """The verdicts of its checks, in order."""
        return [str(check.verdict) for check in self.result.checks]

    @property
    def reasons(self) -> str:
        """Everything the checks said."""
        return "\n".join(reason for check in self.result.checks for reason in check.reasons)

    def step(self, number: str) -> str:
        """The verdict of one step, by its number."""
        return next(str(step.verdict) for step in self.result.steps if step.number == number)


Play = Callable[..., Awaitable[Played]]


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """The catalogue the suite ships with."""
    return load_catalogue()


@pytest.fixture
def server() -> Iterator[Server]:
    """A small honest server."""
    with tiny_server() as running:
        yield running


@pytest.fixture
def play(catalogue: Catalogue, server: Server) -> Play:
    """Play a scenario given as its YAML below `scenarios:`; more keywords change the target."""

    async def _play(
        text: str, *, probe: FakeProbe | None = None, control: FakeControl | None = None, **changes: Any
    ) -> Played:
        entry = textwrap.indent(textwrap.dedent(text).strip(), "    ")
        head = "version: 1\narea: PAU\nscenarios:\n  - id: told\n    title: A scenario of a test\n"
        suite = parse_suite([("told.yaml", head + entry + "\n")], catalogue)
        target = Target(**{"root": server.url, "api_key": KEY, "budgets": QUICK, **changes})
        redactor = Redactor()
        redactor.learn_keys([KEY])
        driver = RawHttpDriver(target.root)
        run = RunContext(
            run_id="abc123",
            seed=7,
            target=target,
            catalogue=catalogue,
            contract=Contract(catalogue.openapi),
            driver=driver,
            trace=Trace(redactor),
            ledger=Ledger("abc123"),
            redactor=redactor,
            probe=probe,
            control=control,
        )
        try:
            result = await ScenarioRunner(run, suite.scenarios[0], 0).execute()
        finally:
            await driver.aclose()
        return Played(result, run)

    return _play


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "pause.yaml").write_text(SCENARIO)
    return folder
