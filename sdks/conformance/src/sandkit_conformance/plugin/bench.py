"""The engine behind a pytest session: one run, opened when it is first needed, in a thread of its own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import asdict, define, field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.engine.cleaning import take_back
from sandkit_conformance.engine.context import RunContext, ScenarioContext
from sandkit_conformance.engine.leaks import find_leaks
from sandkit_conformance.engine.opening import Identity, Sinks, census, connect
from sandkit_conformance.engine.result import ScenarioResult
from sandkit_conformance.engine.scenario_run import ScenarioRunner
from sandkit_conformance.engine.selection import Chosen, choose
from sandkit_conformance.failures import Position, SuiteError
from sandkit_conformance.plugin.closing import Findings
from sandkit_conformance.scenario.model import Scenario, Suite
from sandkit_conformance.target import Target

T = TypeVar("T")
# Far beyond any scenario of the suite, whose numbers are in the names of what they make.
_FIRST_OF_OTHERS = 100_000


@frozen
class _Opened:
    portal: BlockingPortal
    context: RunContext
    before: tuple[str, ...] | None
    chosen: dict[str, Chosen]


@define
class Bench:
    """Plays scenarios for a session, and keeps one run's ledger, trace and leak verdict for all of it."""

    target: Target
    catalogue: Catalogue
    suite: Suite
    identity: Identity
    folder: Path | None = None
    _stack: ExitStack = field(init=False, factory=ExitStack)
    _opened: _Opened | None = field(init=False, default=None)
    _broken: str | None = field(init=False, default=None)
    _results: dict[str, ScenarioResult] = field(init=False, factory=dict)
    _others: int = field(init=False, default=_FIRST_OF_OTHERS)

    @property
    def is_open(self) -> bool:
        """Whether anything was asked of the server yet."""
        return self._opened is not None

    @property
    def context(self) -> RunContext:
        """The run, opened now if it is not yet.

        Raises:
            SuiteError: the suite cannot work with this target.
        """
        return self._open().context

    def _open(self) -> _Opened:
        if self._broken:
            raise SuiteError(self._broken)
        if self._opened is None:
            try:
                portal = self._stack.enter_context(start_blocking_portal())
                self._opened = self._stack.enter_context(portal.wrap_async_context_manager(self._run(portal)))
            except SuiteError as error:
                self._broken = str(error)
                self._stack.close()
                raise
        return self._opened

    @asynccontextmanager
    async def _run(self, portal: BlockingPortal) -> AsyncIterator[_Opened]:
        with Sinks(self.folder) as sinks:
            async with AsyncExitStack() as opened:
                context, _ = await connect(self.target, self.catalogue, self.identity, sinks, opened)
                chosen = choose(self.suite, self.catalogue.requirements.values(), context)
                names = {one.scenario.name: one for one in chosen}
                yield _Opened(portal, context, await census(context), names)

    def wait(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Do asynchronous work in the engine's thread; an interrupt ends it in good order."""
        future = self._open().portal.start_task_soon(work, *arguments)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def play(self, name: str) -> ScenarioResult:
        """The result of a scenario, which is played once."""
        if name not in self._results:
            one = self._open().chosen[name]
            if one.left_out:
                self._results[name] = ScenarioResult(one.scenario, (), left_out=one.left_out)
            else:
                runner = ScenarioRunner(self.context, one.scenario, one.ordinal)
                self._results[name] = self.wait(runner.execute)
        return self._results[name]

    def begin_test(self, nodeid: str) -> ScenarioContext:
        """The place where somebody's own test keeps its variables, and its part of the ledger."""
        self._others += 1
        name = re.sub(r"[^A-Za-z0-9_.:\[\]/-]", "-", nodeid)
        scenario = Scenario(name, name, "", Position(nodeid, 0), ())
        return ScenarioContext(self.context, scenario, self._others)

    def end_test(self, scenario: ScenarioContext) -> list[str]:
        """Take back what the test made; says what could not be."""
        return self.wait(take_back, scenario)

    def findings(self) -> Findings | None:
        """Standing checks' counts and what is left behind; None when the server was never needed."""
        if self._opened is None:
            return None
        context = self._opened.context
        leaks = self.wait(find_leaks, context, self._opened.before)
        broken = {name: [list(one) for one in found] for name, found in context.invariants.broken.items()}
        return Findings(
            run_id=context.run_id,
            examined=dict(context.invariants.examined),
            broken=broken,
            leaks={**asdict(leaks), "verdict": str(leaks.verdict)},
        )

    def close(self) -> None:
        """Let go of everything; without a findings call before, nothing is looked for."""
        self._opened = None
        self._stack.close()
