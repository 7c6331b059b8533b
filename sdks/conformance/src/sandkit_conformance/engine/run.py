"""A run: preflight, scenarios side by side and then alone, standing checks, leaks, verdicts."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import anyio
from attrs import asdict, define, field

from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.driving import through
from sandkit_conformance.engine.folding import Asked, Played, environment, fold, judge_standing
from sandkit_conformance.engine.leaks import find_leaks
from sandkit_conformance.engine.opening import Identity, Sinks, census, connect
from sandkit_conformance.engine.options import RunOptions
from sandkit_conformance.engine.result import LeakResult, RunResult, ScenarioResult
from sandkit_conformance.engine.scenario_run import ScenarioRunner
from sandkit_conformance.engine.selection import Chosen, choose
from sandkit_conformance.profile import select_requirements
from sandkit_conformance.scenario.model import Suite
from sandkit_conformance.target import Target
from sandkit_conformance.trace import FORMAT
from sandkit_conformance.verdict import CheckResult

Listener = Callable[[CheckResult], None]


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
        options = self.options
        drawn = Identity()
        identity = Identity(
            options.run_id or drawn.run_id, drawn.seed if options.seed is None else options.seed
        )
        with Sinks(options.report_dir) as sinks:
            async with AsyncExitStack() as opened:
                context, version = await connect(self.target, self.catalogue, identity, sinks, opened)
                self._record_start(context, version)
                async with through(options.driver, context):
                    scenarios, leaks = await self._play(requirements, context)
            standing = judge_standing(self.suite, requirements, context)
            for check in standing:
                context.trace.record(
                    check.scenario,
                    check.step,
                    "step",
                    check=check.requirement,
                    verdict=check.verdict,
                    reasons=check.reasons,
                )
            played = Played(tuple(scenarios), standing, leaks, time.monotonic() - began)
            result = fold(self._asked(), requirements, played, context, version)
            context.trace.end(driver=context.driver.name, took=result.seconds, exitCode=int(result.exit_code))
        return result

    async def _play(
        self, requirements: tuple[Requirement, ...], context: RunContext
    ) -> tuple[list[ScenarioResult], LeakResult]:
        before = await census(context)
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
                context.trace.record(one.scenario.name, "", "left-out", reason=one.left_out)
                results[one.ordinal] = ScenarioResult(one.scenario, (), left_out=one.left_out)
            elif one.scenario.exclusive:
                results[one.ordinal] = await self._runner(one, context).execute()
        leaks = await find_leaks(context, before)
        context.trace.record("", "", "leaks", **asdict(leaks))
        return [results[one.ordinal] for one in chosen], leaks

    def _runner(self, one: Chosen, context: RunContext) -> ScenarioRunner:
        return ScenarioRunner(context, one.scenario, one.ordinal, self.listener)

    def _record_start(self, context: RunContext, server_version: str) -> None:
        """Say in the trace what the run was asked to do and of whom: `recheck` starts from this."""
        target, options = self.target, self.options
        context.redactor.learn_from(target.template)
        context.trace.record(
            "",
            "",
            "run",
            format=FORMAT,
            environment=asdict(environment(self._asked(), context, server_version)),
            concurrency=options.concurrency,
            target={
                "root": target.root,
                "name": target.name,
                "hasKey": target.api_key is not None,
                "capabilities": sorted(target.capabilities) if target.capabilities is not None else None,
                "choices": target.choices,
                "budgets": target.budgets,
                "template": target.template,
                "codes": target.codes,
            },
            ports={
                "probe": None if context.ports.probe is None else sorted(context.ports.probe),
                "control": None if context.ports.control is None else sorted(context.ports.control),
            },
            excused=[asdict(excuse) for excuse in options.baseline.excuses.values()],
        )

    def _asked(self) -> Asked:
        options = self.options
        return Asked(
            catalogue=self.catalogue,
            suite=self.suite,
            profile=options.profile,
            patterns=options.patterns,
            gate=options.gate,
            baseline=options.baseline,
            command=options.command,
            started_at=self.started_at,
        )
