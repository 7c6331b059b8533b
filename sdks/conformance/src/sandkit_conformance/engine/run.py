"""A run: preflight, scenarios side by side and then alone, standing checks, leaks, verdicts."""

from __future__ import annotations

import random
import secrets
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Self, TextIO

import anyio
from attrs import define, field, frozen

from sandkit_conformance.baseline import Baseline
from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.choosing import RAW
from sandkit_conformance.drivers.port import Driver
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.driving import through
from sandkit_conformance.engine.leaks import find_leaks
from sandkit_conformance.engine.preflight import check_server, connect_side_ports
from sandkit_conformance.engine.result import Environment, LeakResult, RunResult, ScenarioResult
from sandkit_conformance.engine.scenario_run import ScenarioRunner
from sandkit_conformance.engine.selection import Chosen, choose
from sandkit_conformance.ledger import Ledger
from sandkit_conformance.profile import Profile, select_requirements
from sandkit_conformance.redaction import Redactor
from sandkit_conformance.scenario.model import Suite
from sandkit_conformance.target import Target
from sandkit_conformance.trace import Trace
from sandkit_conformance.verdict import CheckResult, Gate, aggregate, exit_code

DEFAULT_CONCURRENCY: Final = 8
Listener = Callable[[CheckResult], None]


@frozen
class RunOptions:
    """What a run is asked to do. `concurrency` is how many scenarios run side by side.

    `driver` is `raw`, the name of a driver of the suite's own, or the command of another one.
    """

    profile: Profile
    patterns: tuple[str, ...] = ()
    gate: Gate = "spec"
    seed: int | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    report_dir: Path | None = None
    run_id: str | None = None
    baseline: Baseline = field(factory=Baseline)
    command: str = ""
    driver: str = RAW


@define
class Run:
    """One run of a suite against a target."""

    target: Target
    catalogue: Catalogue
    suite: Suite
    options: RunOptions
    listener: Listener | None = None
    started_at: str = field(init=False, default="")

    async def execute(self) -> RunResult:
        """Run everything.

        Raises:
            SuiteError: the suite cannot run against this target at all.
        """
        began = time.monotonic()
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        requirements = select_requirements(self.catalogue, self.options.profile, self.options.patterns)
        folder = self.options.report_dir
        raw = RawHttpDriver(self.target.root)
        with _Sinks(folder) as sinks:
            context = self._context(raw, sinks)
            async with AsyncExitStack() as opened:
                opened.push_async_callback(raw.aclose)
                version = await check_server(raw, self.target)
                await connect_side_ports(context, opened)
                async with through(self.options.driver, context):
                    scenarios, leaks = await self._play(requirements, context)
        return self._fold(requirements, scenarios, leaks, context, _Frame(version, time.monotonic() - began))

    def _context(self, driver: Driver, sinks: _Sinks) -> RunContext:
        redactor = Redactor()
        run_id = self.options.run_id or secrets.token_hex(3)
        seed = self.options.seed if self.options.seed is not None else secrets.randbelow(1_000_000)
        return RunContext(
            run_id=run_id,
            seed=seed,
            target=self.target,
            catalogue=self.catalogue,
            contract=Contract(self.catalogue.openapi),
            driver=driver,
            trace=Trace(redactor, sinks.trace),
            ledger=Ledger(run_id, sinks.ledger),
            redactor=redactor,
        )

    async def _play(
        self, requirements: tuple[Requirement, ...], context: RunContext
    ) -> tuple[list[ScenarioResult], LeakResult]:
        before = await _census(context)
        chosen = choose(self.suite, requirements, context)
        together = [one for one in chosen if not one.scenario.exclusive and not one.left_out]
        # A seeded order, so that a dependence between scenarios shows up some day and can be repeated then.
        random.Random(f"{context.seed}/order").shuffle(together)  # noqa: S311 - reproducible, not secret
        results: dict[int, ScenarioResult] = {}
        limiter = anyio.CapacityLimiter(self.options.concurrency)

        async def play(one: Chosen) -> None:
            async with limiter:
                results[one.ordinal] = await self._runner(one, context).execute()

        async with anyio.create_task_group() as group:
            for one in together:
                group.start_soon(play, one)
        for one in chosen:
            if one.left_out:
                results[one.ordinal] = ScenarioResult(one.scenario, (), left_out=one.left_out)
            elif one.scenario.exclusive:
                results[one.ordinal] = await self._runner(one, context).execute()
        return [results[one.ordinal] for one in chosen], await find_leaks(context, before)

    def _runner(self, one: Chosen, context: RunContext) -> ScenarioRunner:
        return ScenarioRunner(context, one.scenario, one.ordinal, self.listener)

    def _fold(
        self,
        requirements: tuple[Requirement, ...],
        scenarios: list[ScenarioResult],
        leaks: LeakResult,
        context: RunContext,
        frame: _Frame,
    ) -> RunResult:
        wanted = {requirement.id for requirement in requirements}
        standing = [check for check in self.suite.standing if check.check in wanted]
        checks = [check for scenario in scenarios for check in scenario.checks]
        checks += [context.invariants.judge(check) for check in standing]
        checks = self.options.baseline.apply(checks)
        stale = self.options.baseline.stale(checks)
        covered = self.suite.checked_requirements()
        elsewhere = tuple(one for one in requirements if one.id not in covered and one.checked_elsewhere)
        results = tuple(aggregate(one, checks) for one in requirements if one not in elsewhere)
        return RunResult(
            environment=self._environment(context, frame.server_version),
            requirements=results,
            scenarios=tuple(scenarios),
            leaks=leaks,
            exit_code=exit_code(
                results, self.options.gate, leaked=bool(leaks.leaked), stale_baseline=bool(stale)
            ),
            seconds=frame.seconds,
            events=tuple(context.trace.events),
            uncovered=elsewhere,
            baseline_problems=stale,
            area_titles=dict(self.catalogue.area_titles),
        )

    def _environment(self, context: RunContext, server_version: str) -> Environment:
        capabilities = self.target.capabilities
        return Environment(
            target=self.target.name,
            server_version=server_version,
            driver=context.driver.name,
            suite_version=metadata.version("sandkit-conformance"),
            suite_digest=self.suite.digest,
            spec_digest=self.catalogue.digest,
            run_id=context.run_id,
            seed=context.seed,
            profile=self.options.profile.name,
            selection=self.options.patterns,
            gate=self.options.gate,
            started_at=self.started_at,
            command=self.options.command,
            probe=tuple(sorted(context.probe.features)) if context.probe else (),
            control=tuple(sorted(context.control.features)) if context.control else (),
            capabilities=tuple(sorted(capabilities)) if capabilities is not None else None,
        )


@frozen
class _Frame:
    server_version: str
    seconds: float


async def _census(context: RunContext) -> tuple[str, ...] | None:
    if context.probe is None or "view" not in context.probe.features:
        return None
    try:
        view = await context.probe.view()
    except SidePortError:
        return None
    context.clock.set(view.time)
    return view.census()


class _Sinks:
    """The files a run writes as it goes: trace and ledger; nothing without a report folder."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self.trace: TextIO | None = None
        self.ledger: TextIO | None = None

    def __enter__(self) -> Self:
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            self.trace = (self._folder / "trace.ndjson").open("w", encoding="utf-8")
            self.ledger = (self._folder / "ledger.ndjson").open("w", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        for sink in (self.trace, self.ledger):
            if sink:
                sink.close()
