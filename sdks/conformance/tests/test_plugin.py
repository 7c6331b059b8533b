"""The pytest plugin, in sessions of its own: what is collected, what is red, and what is left behind."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sandkit_conformance.plugin.session  # noqa: F401 - loaded once, for all sessions within this process
from sandkit_server.testing import EmbeddedServer

from .command_lines import accept_everything
from .tiny_server import Handler, Server

pytest_plugins = ["pytester"]

Session = Callable[..., pytest.RunResult]


@pytest.fixture
def session(
    pytester: pytest.Pytester, server: Server, scenarios: Path, monkeypatch: pytest.MonkeyPatch
) -> Session:
    """Run pytest on the checks of the small scenario file against the small server."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    pytester.makeini("[pytest]\n")

    def run(*arguments: str, address: str = server.url, checks: bool = True) -> pytest.RunResult:
        target = ("--sandkit-base-url", address, "--sandkit-api-key-env", "TEST_KEY")
        own = ("--sandkit-checks", "full", f"--sandkit-scenarios={scenarios}") if checks else ()
        quiet = ("-p", "no:schemathesis", "-p", "no:cacheprovider", "-W", "error")
        # A process costs seconds, so only those sessions get one that start more of them.
        start = pytester.runpytest_subprocess if "-n" in arguments else pytester.runpytest_inprocess
        return start(*quiet, *target, *own, *arguments)

    return run


def lines(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines + result.errlines)


def test_every_check_is_an_item_named_by_its_requirement(session: Session) -> None:
    result = session("-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(
        [
            "conformance::PAU-01::second-pause::2 *PASSED*",
            "conformance::PAU-07::second-pause::3 *PASSED*",
            "conformance::API-01::standing::envelope *PASSED*",
            "conformance::hygiene::nothing-is-left-behind *PASSED*",
        ]
    )
    assert result.ret == 0


@pytest.mark.parametrize(
    ("selection", "collected"),
    [
        (("-k", "PAU-07"), ["PAU-07::second-pause::3"]),
        (("-k", "second-pause and not PAU-07"), ["PAU-01::second-pause::2"]),
        (("-m", "area(name='API')"), ["API-01::standing::envelope"]),
        (("-m", "requirement(id='PAU-01') and level(name='MUST')"), ["PAU-01::second-pause::2"]),
        (("conformance::PAU-07",), ["PAU-07::second-pause::3"]),
    ],
)
def test_checks_are_selected_like_tests(
    selection: tuple[str, ...], collected: list[str], session: Session, server: Server
) -> None:
    result = session("--collect-only", "-q", *selection)
    found = [line for line in result.outlines if line.startswith("conformance::")]
    assert found == [f"conformance::{name}" for name in collected]
    assert server.world.requests == [], "to collect, nobody is asked"


def test_a_broken_promise_is_red_and_says_what_to_do(session: Session, server: Server) -> None:
    server.world.misbehave = accept_everything
    result = session("--strict-markers", "--junit-xml=report.xml")
    result.assert_outcomes(passed=3, failed=1)
    assert result.ret == 1
    assert "PAU-07 fail (MUST, proposed)" in lines(result)
    assert "expected 409 SANDBOX::INVALID_STATE (pauseSandbox/Paused), observed 202" in lines(result)
    assert "$ curl -sS -i -X POST" in lines(result)
    assert "Traceback" not in lines(result)
    assert '<property name="requirement" value="PAU-07"' in Path("report.xml").read_text()


def test_what_a_prerequisite_kept_from_being_seen_is_red_and_named_so(
    session: Session, server: Server
) -> None:
    def refuse(handler: Handler) -> bool:
        if handler.command == "POST" and handler.route.path == "/v1/sandboxes":
            handler.error(503, "REQUEST::UNAVAILABLE")
            return True
        return False

    server.world.misbehave = refuse
    result = session("-v")
    result.stdout.fnmatch_lines(["conformance::PAU-01::second-pause::2 BLOCKED*"])
    assert result.ret == 1


PROBED = """
version: 1
area: PAU
scenarios:
  - id: looks
    title: Something only a probe can show
    steps:
      - {call: listSandboxes, check: PAU-01, expect: {status: 200}}
      - {probe: workloads, check: PAU-04, expect: {count: 0}}
"""


def test_what_nobody_can_see_is_neither_green_nor_silent(session: Session, scenarios: Path) -> None:
    (scenarios / "pause.yaml").write_text(PROBED)
    result = session()
    assert result.ret == 1
    assert "1 unobservable" in lines(result)
    assert "1 x needs a probe port that can do `view`; there is none: PAU-04" in lines(result)
    allowed = session("--sandkit-allow-unobservable")
    assert allowed.ret == 0
    assert "1 unobservable" in lines(allowed)


def test_a_known_failure_is_expected_and_an_unexpected_pass_is_red(
    session: Session, server: Server, tmp_path: Path
) -> None:
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("version: 1\nexcused:\n  - {requirement: PAU-07, reason: known since May}\n")
    server.world.misbehave = accept_everything
    known = session(f"--sandkit-baseline={baseline}")
    known.assert_outcomes(passed=3, xfailed=1)
    assert known.ret == 0
    server.world.misbehave = lambda _handler: False
    mended = session(f"--sandkit-baseline={baseline}")
    assert mended.ret == 1
    assert "conformance::PAU-07::baseline" in lines(mended)
    assert "[XPASS(strict)] PAU-07 is excused (known since May) and did not fail" in lines(mended)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sandkit-target", "/nowhere.yaml"), "cannot read the target file"),
        (("--sandkit-baseline", "/nowhere.yaml"), "cannot read the baseline"),
        (("--sandkit-checks", "nope"), "there is no profile nope; there are core"),
        (("--sandkit-api-key-env", "NOT_SET"), "NOT_SET is not set"),
        (("conformance::NOPE-01",), "no check has the id conformance::NOPE-01"),
    ],
)
def test_bad_options_end_the_session_at_once(
    arguments: tuple[str, ...], message: str, session: Session
) -> None:
    result = session(*arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert message in lines(result)
    assert "Traceback" not in lines(result)


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["one", "two"])
def test_without_a_server_the_session_is_an_error_and_never_green(
    workers: tuple[str, ...], session: Session
) -> None:
    result = session(*workers, address="http://127.0.0.1:1")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the suite cannot run: http://127.0.0.1:1/v1/version: cannot connect" in lines(result)
    assert "INTERNALERROR" not in lines(result)


OWN = """
def test_mine(target, ledger):
    sandbox = target.call("createSandbox", with_={"entrypoint": ["sleep", "60"]})
    assert sandbox.status == 202
    target.wait(sandbox.json["id"], "Running")
    assert target.call("pauseSandbox", sandbox.json["id"]).status == 202
    assert ledger.standing() == [f"sandbox {sandbox.json['id']}"]
    assert target.metadata["sandkit-conformance-run"] == target.run_id

def test_probed(probe):
    raise AssertionError("there is no probe")
"""


def test_tests_of_ones_own_are_cleaned_up_after(
    session: Session, server: Server, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(test_own=OWN)
    result = session("-v", checks=False)
    result.stdout.fnmatch_lines(["test_own.py::test_mine PASSED*", "test_own.py::test_probed UNOBSERVABLE*"])
    assert result.ret == 1
    assert server.world.sandboxes == {}


def test_what_a_test_leaves_behind_is_an_error_of_that_test(
    session: Session, server: Server, pytester: pytest.Pytester
) -> None:
    def keep(handler: Handler) -> bool:
        if handler.command == "DELETE":
            handler.error(403, "REQUEST::FORBIDDEN")
            return True
        return False

    server.world.misbehave = keep
    pytester.makepyfile("def test_mine(target):\n    assert target.call('createSandbox').ok\n")
    result = session(checks=False)
    assert result.ret == 1
    assert "left behind by this test:" in lines(result)
    assert "FAILED conformance::hygiene::nothing-is-left-behind" in lines(result)


def test_a_misspelt_call_is_said(session: Session, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_mine(target):\n    target.call('createSandbox', boddy={})\n")
    result = session(checks=False)
    result.assert_outcomes(failed=1, passed=1)
    assert "call has no field boddy" in lines(result)


def test_it_costs_nothing_without_a_target(tmp_path: Path) -> None:
    program = (
        "import sys, pytest\n"
        "pytest.main(['--collect-only', '-q', '-p', 'no:schemathesis', '-p', 'no:cacheprovider'])\n"
        "print('LOADED', sorted(name for name in sys.modules if name.startswith('sandkit_conformance')))\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    ).stdout
    assert "LOADED ['sandkit_conformance', 'sandkit_conformance.plugin']" in out


@pytest.fixture
def embedded(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        monkeypatch.setenv("TEST_KEY", running.api_key or "")
        monkeypatch.setenv("SANDKIT_PROBE_KEY", running.probe_key or "")
        monkeypatch.setenv("SANDKIT_CONTROL_KEY", running.control_key or "")
        monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
        yield running


WITH_FAULTS = """
def test_a_gate_and_a_fault(target, probe, faults, ledger):
    sandbox = target.call("createSandbox").json["id"]
    target.wait(sandbox, "Running")
    gate = faults.hold("snapshot.commit", match={"sandboxId": sandbox})
    fault = faults.inject("claim.get", action="error", match={"sandboxId": sandbox})
    assert {f"gate {gate}", f"fault {fault}"} <= set(ledger.standing())
    assert faults.hits(fault) == 0
    assert target.call("pauseSandbox", sandbox).status == 202
    assert faults.held(gate) == 1
    assert target.call("getSandbox", sandbox).json["status"]["state"] == "Pausing"
    faults.release(gate)
    target.wait(sandbox, "Paused", within="pause")
    assert len(probe.rows("workloads", sandboxId=sandbox)) == 1
"""


@pytest.mark.slow
def test_workers_have_runs_of_their_own_and_scenarios_stay_together(
    embedded: EmbeddedServer, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makeini("[pytest]\n")
    pytester.makepyfile(test_own=WITH_FAULTS)
    target = ("--sandkit-base-url", embedded.base_url, "--sandkit-api-key-env", "TEST_KEY")
    ports = (
        "--sandkit-probe-url",
        str(embedded.probe_url),
        "--sandkit-control-url",
        str(embedded.control_url),
    )
    result = pytester.runpytest_subprocess(
        *("-p", "no:schemathesis", "-p", "no:cacheprovider", "-n", "2", "-v", "--sandkit-checks", "pause"),
        *target,
        *ports,
        *(
            "-k",
            "PAU-06 or PAU-07 or own or API-01 or TTL-05",
            f"--sandkit-report-dir={tmp_path / 'evidence'}",
        ),
    )
    assert result.ret == 0, lines(result)
    by_scenario: dict[str, set[str]] = {}
    for worker, nodeid in re.findall(
        r"^\[(gw\d)\] .* (conformance::\S+::\S+::\S+)", lines(result), re.MULTILINE
    ):
        by_scenario.setdefault(nodeid.split("::", 2)[2].rpartition("::")[0], set()).add(worker)
    assert by_scenario
    assert {worker for workers in by_scenario.values() for worker in workers} == {"gw0", "gw1"}
    assert all(len(workers) == 1 for workers in by_scenario.values()), by_scenario
    assert "conformance::API-01::standing::envelope" in lines(result)
    ledgers = [path.read_text().splitlines()[0] for path in (tmp_path / "evidence").glob("gw*/ledger.ndjson")]
    assert len(set(ledgers)) == 2
