"""One pytest session with a target: collects, plays, tells, and looks at the end for what was left behind."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest
from attrs import define, evolve, field

from sandkit_conformance.baseline import Baseline, load_baseline
from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.engine.opening import Identity
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.plugin import fixtures
from sandkit_conformance.plugin.bench import Bench
from sandkit_conformance.plugin.closing import Closing, Findings
from sandkit_conformance.plugin.items import ROOT, CheckItem, CheckNotPassedError, check_of, items_of, told
from sandkit_conformance.plugin.reporting import Reporting, report_closing
from sandkit_conformance.plugin.turns import Turns
from sandkit_conformance.profile import PROFILES, select_requirements
from sandkit_conformance.reports.curl import curl_command
from sandkit_conformance.scenario.loader import load_suite
from sandkit_conformance.scenario.model import Suite
from sandkit_conformance.target import Target, TargetOptions, load_target
from sandkit_conformance.verdict import CheckResult, Verdict

_MARKERS: Final = (
    "requirement(id): the numbered promise a check is about (sandkit)",
    "level(name): MUST, SHOULD or MAY (sandkit)",
    "authority(name): spec, proposed or gap (sandkit)",
    "area(name): the area of the promise, such as PAU (sandkit)",
)
_REPRODUCED: Final = frozenset({"call", "race"})


def activate(config: pytest.Config) -> None:
    """Register what a session with a target needs.

    Raises:
        pytest.UsageError: the target, the baseline or the scenarios cannot be used.
    """
    try:
        session = _session(config)
    except SuiteError as error:
        raise pytest.UsageError(f"sandkit: {error}") from error
    for line in _MARKERS:
        config.addinivalue_line("markers", line)
    config.stash[fixtures.BENCH] = session.bench
    config.stash[fixtures.TURNS] = session.turns
    config.pluginmanager.register(session, "sandkit-session")
    config.pluginmanager.register(fixtures, "sandkit-fixtures")
    config.pluginmanager.register(Reporting(config), "sandkit-reporting")


def _session(config: pytest.Config) -> ConformanceSession:
    option = config.option
    catalogue = load_catalogue()
    suite = load_suite(Path(option.sandkit_scenarios) if option.sandkit_scenarios else None)
    worker = getattr(config, "workerinput", None)
    folder = Path(option.sandkit_report_dir) if option.sandkit_report_dir else None
    identity = Identity() if option.sandkit_seed is None else evolve(Identity(), seed=option.sandkit_seed)
    turns = Turns(None)
    if worker:
        name = f"{worker['testrunuid']}{worker['workerid']}"
        identity = evolve(identity, run_id=hashlib.blake2s(name.encode()).hexdigest()[:6])
        folder = folder / worker["workerid"] if folder else None
        turns = Turns(Path(tempfile.gettempdir()) / f"sandkit-{worker['testrunuid']}.lock")
    picks = _take_picks(config)
    profile = option.sandkit_checks or ("full" if picks else None)
    if profile and profile not in PROFILES:
        raise SuiteError(f"there is no profile {profile}; there are {', '.join(PROFILES)}")
    return ConformanceSession(
        config=config,
        catalogue=catalogue,
        suite=suite,
        baseline=(
            load_baseline(Path(option.sandkit_baseline), catalogue) if option.sandkit_baseline else Baseline()
        ),
        bench=Bench(_target(config), catalogue, suite, identity, folder),
        turns=turns,
        profile=profile,
        picks=picks,
    )


def _target(config: pytest.Config) -> Target:
    option = config.option
    file = Path(option.sandkit_target) if option.sandkit_target else None
    if file is None and config.getini("sandkit_target"):
        file = (config.inipath.parent if config.inipath else config.rootpath) / config.getini(
            "sandkit_target"
        )
    names = ("base_url", "api_key_env", "probe_url", "probe_key_env", "control_url", "control_key_env")
    given = {name: getattr(option, f"sandkit_{name}") for name in names}
    return load_target(file, TargetOptions(**given), os.environ)


def _take_picks(config: pytest.Config) -> tuple[str, ...]:
    """Ids like `conformance::PAU-07` stand in no file, so they are taken out before pytest looks for one."""
    picked = [
        one for one in config.args if one.split("::")[0] == ROOT and not Path(one.split("::")[0]).exists()
    ]
    if picked:
        config.args[:] = [one for one in config.args if one not in picked]
        # Workers are told by the options.
        config.option.sandkit_picks = [*config.option.sandkit_picks, *picked]
    return tuple(config.option.sandkit_picks)


@define(eq=False)
class ConformanceSession:
    """The hooks of a session with a target."""

    config: pytest.Config
    catalogue: Catalogue
    suite: Suite
    baseline: Baseline
    bench: Bench
    turns: Turns
    profile: str | None
    picks: tuple[str, ...]
    _checks: list[tuple[str, str]] = field(init=False, factory=list)
    _standing: list[CheckItem] = field(init=False, factory=list)
    _findings: list[Findings] = field(init=False, factory=list)
    _lost: list[str] = field(init=False, factory=list)

    @property
    def _is_worker(self) -> bool:
        return hasattr(self.config, "workerinput")

    @property
    def _distributes(self) -> bool:
        return self.config.pluginmanager.hasplugin("dsession")

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """A session that hands its work out finds out first whether there is a server at all."""
        if self._distributes and self.profile:
            self._preflight()
            self.bench.close()

    def _preflight(self) -> None:
        try:
            _ = self.bench.context
        except SuiteError as error:
            raise pytest.UsageError(f"sandkit: the suite cannot run: {error}") from error

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Add the suite's checks before anybody selects, and put the standing checks aside afterwards."""
        if self.profile is not None:
            selected = select_requirements(self.catalogue, PROFILES[self.profile], ())
            wanted = {one.id for one in selected}
            found = items_of(session, self.suite, self.catalogue, self._perform)
            chosen = [one for one in found if one.requirement.id in wanted and self._picked(one.nodeid)]
            items += chosen
            # For the terminal, which counts what was collected.
            report = pytest.CollectReport(ROOT, "passed", None, [*chosen])
            self.config.hook.pytest_collectreport(report=report)
        result = yield
        if not self.config.option.collectonly:
            self._standing = [one for one in items if isinstance(one, CheckItem) and one.scenario is None]
            items[:] = [one for one in items if one not in self._standing]
        return result

    def _picked(self, nodeid: str) -> bool:
        return not self.picks or any(nodeid == one or nodeid.startswith(f"{one}::") for one in self.picks)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """See whether there is a server, before anything runs."""
        chosen = self._standing or any(isinstance(item, CheckItem) for item in session.items)
        if self.picks and not chosen:
            raise pytest.UsageError(f"sandkit: no check has the id {' or '.join(self.picks)}")
        if chosen and not self._is_worker and not self.config.option.collectonly:
            self._preflight()

    def _perform(self, item: CheckItem) -> None:
        assert item.scenario is not None
        with self.turns.turn(alone=item.scenario.exclusive):
            try:
                result = self.bench.play(item.scenario.name)
            except SuiteError as error:
                raise CheckNotPassedError(Verdict.HARNESS_ERROR, f"the suite cannot run: {error}") from error
        (check,) = self.baseline.apply([check_of(item, result)])
        self._checks.append((check.requirement, str(check.verdict)))
        if check.verdict is not Verdict.PASS:
            text = told(item.requirement, check, self._reproduce(check))
            raise CheckNotPassedError(check.verdict, text, "; ".join(check.reasons))

    def _reproduce(self, check: CheckResult) -> list[str]:
        events = self.bench.context.trace.events
        own = [one.data for one in events if (one.scenario, one.step) == (check.scenario, check.step)]
        return list(dict.fromkeys(curl_command(one) for one in own if one.get("purpose") in _REPRODUCED))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Conclude when everything has run, also when the session stops at a failure."""
        try:
            result = yield
        except (Exception, pytest.Session.Interrupted):
            self._conclude()
            raise
        self._conclude()
        return result

    def _conclude(self) -> None:
        if self.config.option.collectonly:
            return
        own = self.bench.findings()
        if own or self._standing:
            standing = [item.nodeid for item in self._standing]
            own = evolve(own or Findings(run_id=""), checks=self._checks, standing=standing)
            self._findings.append(own)
        if self._is_worker:
            self.config.workeroutput["sandkit"] = own.plain() if own else None  # type: ignore[attr-defined]
        elif self._findings or self._lost:
            report_closing(self.config, Closing(tuple(self._findings)), self._closing_checks(), self._lost)
        self.bench.close()

    def _closing_checks(self) -> tuple[list[CheckResult], tuple[str, ...]]:
        closing = Closing(tuple(self._findings))
        return self.baseline.apply(closing.standing(self.suite.standing)), closing.stale(self.baseline)

    def pytest_unconfigure(self) -> None:
        """Let go of the server, whatever happened."""
        self.bench.close()
        if self._distributes:
            uid = getattr(self.config.pluginmanager.get_plugin("dsession"), "nodemanager", None)
            name = getattr(uid, "testrunuid", None)
            if name:
                (Path(tempfile.gettempdir()) / f"sandkit-{name}.lock").unlink(missing_ok=True)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Keep the checks of a scenario together."""
        if config.getvalue("dist") == "each":
            return None
        from sandkit_conformance.plugin.distribution import ScenarioScheduling

        return ScenarioScheduling(config, log, scenario_of)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker has found; one that died cannot say what it has left behind."""
        output = getattr(node, "workeroutput", None)
        if output is None or "sandkit" not in output:
            self._lost.append(str(node.gateway.id))
        elif output["sandkit"]:
            self._findings.append(Findings(**output["sandkit"]))


def scenario_of(nodeid: str) -> str | None:
    """The scenario of a check by its id; None for other tests."""
    parts = nodeid.split("::")
    return f"{ROOT}::{'::'.join(parts[2:-1])}" if parts[0] == ROOT and len(parts) > 3 else None
