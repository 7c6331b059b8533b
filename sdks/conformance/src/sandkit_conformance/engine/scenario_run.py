"""Runs one scenario: its steps in order, each check to a verdict, then evidence and clean-up in any case."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import anyio
from attrs import define, field, frozen

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.cleaning import LiveClosing
from sandkit_conformance.engine.context import Outcome, RunContext, ScenarioContext, StepContext
from sandkit_conformance.engine.needs import excluded, unmet, unmet_by_step
from sandkit_conformance.engine.result import ScenarioResult, StepResult, reading_order
from sandkit_conformance.engine.source import NotInTraceError, OutOfTimeError
from sandkit_conformance.engine.verbs import PERFORMERS
from sandkit_conformance.failures import SuiteError, UnresolvedError
from sandkit_conformance.scenario.expressions import variables_in
from sandkit_conformance.scenario.model import Scenario, Step
from sandkit_conformance.verdict import CheckResult, Verdict

_CLEANUP_SECONDS = 120.0
Progress = Callable[[CheckResult], None]


class Closing(Protocol):
    """What is done at the end of a scenario, whatever came of it."""

    async def evidence(self, scenario: ScenarioContext) -> None:
        """Look at how things stand, before anything is deleted."""
        ...

    async def open_gates(self, scenario: ScenarioContext) -> list[str]:
        """Let through what stands at the scenario's gates; says what could not be."""
        ...

    async def take_back(self, scenario: ScenarioContext) -> list[str]:
        """Take back what the scenario made and set; says what could not be."""
        ...


@frozen
class _Halt:
    """Why the checks from here on cannot be made, and what verdict that gives them."""

    verdict: Verdict
    reason: str


@define
class ScenarioRunner:
    """Carries one scenario through."""

    run: RunContext
    scenario: Scenario
    ordinal: int
    progress: Progress | None = None
    closing: Closing = field(factory=LiveClosing)
    checks: list[CheckResult] = field(factory=list)
    steps: list[StepResult] = field(factory=list)
    notes: list[str] = field(factory=list)
    _halt: _Halt | None = None

    async def execute(self) -> ScenarioResult:
        """Run it; never raises for what the server does."""
        began = time.monotonic()
        missing = excluded(self.scenario, self.run) or unmet(self.scenario.needs, self.run)
        if missing:
            self._conclude_all(missing.verdict, missing.reason)
        else:
            await self._tell()
        result = ScenarioResult(
            scenario=self.scenario,
            # Steps of parallel branches finish in any order; a reader wants them as they are written.
            checks=tuple(sorted(self.checks, key=lambda check: reading_order(check.step))),
            steps=tuple(sorted(self.steps, key=lambda step: reading_order(step.number))),
            began=began - self.run.trace.started,
            seconds=time.monotonic() - began,
            notes=tuple(self.notes),
        )
        data = {"ordinal": self.ordinal, "began": result.began, "took": result.seconds, "notes": self.notes}
        self._record("", "scenario", **data)
        return result

    def _record(self, step: str, kind: str, **data: object) -> None:
        self.run.trace.record(self.scenario.name, step, kind, **data)

    def _conclude_all(self, verdict: Verdict, reason: str) -> None:
        for step in self.scenario.checks():
            self._conclude(step, Outcome(verdict, (reason,)), 0.0)

    async def _tell(self) -> None:
        try:
            context = ScenarioContext(self.run, self.scenario, self.ordinal)
        except SuiteError as error:
            self._conclude_all(Verdict.HARNESS_ERROR, str(error))
            return
        budget = self.run.target.seconds(self.scenario.budget)
        try:
            with anyio.move_on_after(budget) as scope:
                await self._perform_all(self.scenario.steps, context)
            if scope.cancelled_caught:
                self._out_of_time(budget)
        except* OutOfTimeError:
            self._out_of_time(budget)
        finally:
            # Also when a person interrupts the run: what was made is taken back first.
            with anyio.move_on_after(_CLEANUP_SECONDS, shield=True) as cleaning:
                await self._finish(context)
            if cleaning.cancelled_caught:
                self.notes.append(f"cleaning up took more than {_CLEANUP_SECONDS:g} s and was given up")

    def _out_of_time(self, budget: float) -> None:
        self._record("", "out-of-time", budget=budget)
        done = {check.step for check in self.checks}
        for step in self.scenario.checks():
            if step.number not in done:
                reason = f"the scenario's budget of {budget:g} s was used up"
                self._conclude(step, Outcome(Verdict.BLOCKED, (reason,)), 0.0)

    async def _finish(self, context: ScenarioContext) -> None:
        bad = any(check.verdict not in {Verdict.PASS, Verdict.NOT_APPLICABLE} for check in self.checks)
        if bad:
            await self.closing.evidence(context)
        for step in self.scenario.finally_:
            outcome = await self._guarded(step, context)
            self._remember(step, outcome, 0.0, 0.0)
            if outcome.verdict is not Verdict.PASS:
                self.notes.append(f"step {step.number}: {'; '.join(outcome.reasons)}")
        self.notes += await self.closing.take_back(context)

    async def _perform_all(self, steps: tuple[Step, ...], context: ScenarioContext) -> None:
        for step in steps:
            if step.verb == "parallel":
                await self._parallel(step, context)
            else:
                await self._perform(step, context)

    async def _parallel(self, step: Step, context: ScenarioContext) -> None:
        began = time.monotonic()
        join = self.run.source.fork(len(step.branches))
        async with anyio.create_task_group() as group:
            for branch in step.branches:
                group.start_soon(self._branch, branch, context, join)
        self._remember(step, Outcome(), began, time.monotonic() - began)

    async def _branch(
        self, steps: tuple[Step, ...], context: ScenarioContext, join: Callable[[], None]
    ) -> None:
        try:
            await self._perform_all(steps, context)
            if self._halt:
                # Another branch may stand at a gate that nobody is going to open any more.
                self.notes += await self.closing.open_gates(context)
        finally:
            join()

    async def _perform(self, step: Step, context: ScenarioContext) -> None:
        dead = None if self._halt else StepContext(context, step).dead
        if dead:
            self._halt = _Halt(Verdict.BLOCKED, dead)
        if self._halt:
            self._conclude(step, Outcome(self._halt.verdict, (self._halt.reason,)), 0.0)
            return
        missing = unmet_by_step(step, self.run)
        if missing:
            self._skip(step, context, Outcome(missing.verdict, (missing.reason,)))
            return
        began = time.monotonic()
        outcome = await self._guarded(step, context)
        seconds = time.monotonic() - began
        self._remember(step, outcome, began, seconds)
        self._conclude(step, outcome, seconds, remembered=True)
        self._consider_halt(step, outcome)

    async def _guarded(self, step: Step, context: ScenarioContext) -> Outcome:
        """Perform a step; the suite's own mistakes become verdicts, too, and never pass for the server's."""
        try:
            return await PERFORMERS[step.verb](StepContext(context, step))
        except UnresolvedError as error:
            unseen = any(name in context.unobserved for name in variables_in(dict(step.body)))
            return Outcome(Verdict.UNOBSERVABLE if unseen else Verdict.BLOCKED, (str(error),))
        except (SidePortError, NotInTraceError) as error:
            return Outcome.inconclusive(str(error), halts=True)
        except OutOfTimeError:
            raise
        except SuiteError as error:
            return Outcome(Verdict.HARNESS_ERROR, (f"{step.position}: {error}",), halts=True)
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in here is the suite's fault, and must be said
            text = f"{step.position}: {type(error).__name__}: {error}"
            return Outcome(Verdict.HARNESS_ERROR, (text,), halts=True)

    def _skip(self, step: Step, context: ScenarioContext, outcome: Outcome) -> None:
        self._conclude(step, outcome, 0.0)
        context.unobserved |= {name for name in (step.body.get("as"), *step.body.get("capture", {})) if name}
        if step.verb in {"seed", "remove", "edit", "fault", "gate", "advance", "restart"}:
            self._halt = _Halt(outcome.verdict, outcome.reasons[0])

    def _consider_halt(self, step: Step, outcome: Outcome) -> None:
        if outcome.verdict is Verdict.PASS or not (outcome.halts or not step.check):
            return
        verdict = outcome.verdict if outcome.verdict in _KEPT else Verdict.BLOCKED
        reason = "; ".join(outcome.reasons)
        self._halt = _Halt(verdict, f"step {step.number} ({step.title}) went wrong before: {reason}")

    def _remember(self, step: Step, outcome: Outcome, began: float, seconds: float) -> None:
        since = max(began - self.run.trace.started, 0.0)
        self.steps.append(
            StepResult(
                number=step.number,
                verb=step.verb,
                title=step.title,
                check=step.check,
                verdict=outcome.verdict,
                reasons=outcome.reasons,
                began=since,
                seconds=seconds,
            )
        )
        told = {"check": step.check, "verdict": outcome.verdict, "reasons": outcome.reasons}
        self._record(step.number, "step", **told, began=since, took=seconds)

    def _conclude(self, step: Step, outcome: Outcome, seconds: float, *, remembered: bool = False) -> None:
        if not remembered:
            self.steps.append(
                StepResult(step.number, step.verb, step.title, step.check, None, outcome.reasons)
            )
            told = {"check": step.check, "verdict": outcome.verdict, "reasons": outcome.reasons}
            self._record(step.number, "unreached", **told)
        if not step.check:
            return
        result = CheckResult(
            requirement=step.check,
            scenario=self.scenario.name,
            step=step.number,
            title=step.title,
            verdict=outcome.verdict,
            reasons=outcome.reasons,
            seconds=seconds,
        )
        self.checks.append(result)
        if self.progress:
            self.progress(result)


# What halts a scenario keeps its own meaning where that is not the server's doing.
_KEPT = frozenset({Verdict.UNOBSERVABLE, Verdict.INCONCLUSIVE, Verdict.HARNESS_ERROR, Verdict.NOT_APPLICABLE})
