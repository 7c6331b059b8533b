"""How a session tells verdicts that pytest has no word for: none of them is ever a silent skip."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Final

import pytest

from sandkit_conformance.plugin.closing import Closing
from sandkit_conformance.plugin.fixtures import UnobservableError
from sandkit_conformance.plugin.items import ROOT, CheckNotPassedError
from sandkit_conformance.verdict import CheckResult, Verdict

# category of the summary, letter, word: blocked and its like are failures to pytest, and counted as such.
_STATUS: Final[dict[str, tuple[str, str, tuple[str, dict[str, bool]]]]] = {
    Verdict.BLOCKED: ("failed", "B", ("BLOCKED", {"red": True})),
    Verdict.INCONCLUSIVE: ("failed", "?", ("INCONCLUSIVE", {"yellow": True})),
    Verdict.HARNESS_ERROR: ("failed", "E", ("HARNESS ERROR", {"red": True})),
    Verdict.UNOBSERVABLE: ("unobservable", "U", ("UNOBSERVABLE", {"yellow": True})),
    Verdict.NOT_APPLICABLE: ("not applicable", "-", ("NOT APPLICABLE", {"yellow": True})),
}
_NOT_FAILED: Final = frozenset({Verdict.UNOBSERVABLE, Verdict.NOT_APPLICABLE, Verdict.EXCUSED})


class Reporting:
    """The hooks that turn verdicts into reports, and reports into an exit code."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._unseen: dict[str, list[str]] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Give the report of a check its verdict."""
        report = yield
        value = call.excinfo.value if call.excinfo else None
        if isinstance(value, CheckNotPassedError):
            _give_verdict(report, value.verdict, value.reason)
            item.user_properties.append(("verdict", str(value.verdict)))
        elif isinstance(value, UnobservableError):
            _give_verdict(report, Verdict.UNOBSERVABLE, str(value))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, Any] | None:
        """A word and a letter for each verdict."""
        return _STATUS.get(getattr(report, "sandkit_verdict", ""))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember what could not be seen."""
        if getattr(report, "sandkit_verdict", "") == Verdict.UNOBSERVABLE:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
            self._unseen.setdefault(reason, []).append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """What could not be seen is not green."""
        if self._unseen and exitstatus == pytest.ExitCode.OK and not self._allowed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def _allowed(self) -> bool:
        return bool(self._config.option.sandkit_allow_unobservable)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say what could not be seen, and why, whatever -r says."""
        if not self._unseen:
            return
        terminalreporter.section("sandkit: not observed")
        for reason, nodeids in self._unseen.items():
            promises = dict.fromkeys(
                nodeid.split("::")[1] if nodeid.startswith(f"{ROOT}::") else nodeid for nodeid in nodeids
            )
            terminalreporter.write_line(f"{len(nodeids)} x {reason}: {', '.join(promises)}")
        if not self._allowed:
            terminalreporter.write_line(
                "incomplete, so this session is not green: give the port, deselect these tests, "
                "or say --sandkit-allow-unobservable"
            )


def _give_verdict(report: pytest.TestReport, verdict: Verdict, reason: str) -> None:
    report.sandkit_verdict = str(verdict)  # type: ignore[attr-defined]
    if verdict in _NOT_FAILED:
        report.outcome = "skipped"
        report.longrepr = (str(report.location[0]), 0, reason)
    if verdict is Verdict.EXCUSED:
        report.wasxfail = reason


def report_closing(
    config: pytest.Config,
    closing: Closing,
    judged: tuple[list[CheckResult], tuple[str, ...]],
    lost: list[str],
) -> None:
    """Tell what is known only now, as tests of their own."""
    standing, stale = judged
    for check in standing:
        nodeid = f"{ROOT}::{check.requirement}::{check.scenario}::{check.step}"
        _tell(config, nodeid, check.verdict, f"{check.title}\n" + "\n".join(check.reasons))
    for line in stale:
        requirement = line.split(" ")[0]
        _tell(config, f"{ROOT}::{requirement}::baseline", Verdict.FAIL, f"[XPASS(strict)] {line}")
    verdict, text = closing.leaks()
    if lost:
        verdict = Verdict.FAIL
        text = f"worker {', '.join(lost)} died, and what it made may be left; `sweep` takes it back. {text}"
    # Seeing only the API is what most people can; the note stands in the report.
    if verdict is Verdict.UNOBSERVABLE:
        verdict = Verdict.PASS
    _tell(config, f"{ROOT}::hygiene::nothing-is-left-behind", verdict, text)


def _tell(config: pytest.Config, nodeid: str, verdict: Verdict, text: str) -> None:
    location = (ROOT, None, nodeid.removeprefix(f"{ROOT}::"))
    session = config.pluginmanager.get_plugin("session")
    if isinstance(session, pytest.Session):
        session.testscollected += 1
    config.hook.pytest_runtest_logstart(nodeid=nodeid, location=location)
    for when in ("setup", "call", "teardown"):
        report = pytest.TestReport(
            nodeid=nodeid,
            location=location,
            keywords={},
            outcome="failed" if when == "call" and verdict is not Verdict.PASS else "passed",
            longrepr=text if when == "call" and verdict is not Verdict.PASS else None,
            when=when,
        )
        if when == "call":
            _give_verdict(report, verdict, text)
        config.hook.pytest_runtest_logreport(report=report)
    config.hook.pytest_runtest_logfinish(nodeid=nodeid, location=location)
