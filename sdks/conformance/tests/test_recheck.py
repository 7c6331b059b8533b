"""`recheck`: the verdicts of a recorded run again, without the server, and what differs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandkit_conformance.cli import run_command_line
from sandkit_conformance.mutants.serving import OwnProcesses, Served, served
from sandkit_conformance.trace import seal_of
from sandkit_server.testing import EmbeddedServer

from .command_lines import SCENARIO, accept_everything, run
from .tiny_server import Handler, Server

MUTANTS = (sys.executable, "-m", "sandkit_server.testing.mutants")
TARGET = Path(__file__).parent.parent / "targets" / "memory.yaml"
Capture = pytest.CaptureFixture[str]


def recheck(folder: Path, *more: str) -> int:
    return run_command_line(["recheck", str(folder / "trace.ndjson"), *more])


def report(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return document


def verdicts(folder: Path) -> dict[str, str]:
    return {
        check["id"]: check["verdict"]
        for area in report(folder)["areas"]
        for one in area["requirements"]
        for check in one["checks"]
    }


def against(
    server: EmbeddedServer | Served, folder: Path, monkeypatch: pytest.MonkeyPatch, *more: str
) -> int:
    monkeypatch.setenv("TEST_KEY", server.api_key or "")
    monkeypatch.setenv("SANDKIT_PROBE_KEY", server.probe_key or "")
    monkeypatch.setenv("SANDKIT_CONTROL_KEY", server.control_key or "")
    ports = ["--probe-url", str(server.probe_url), "--control-url", str(server.control_url)]
    address = ["--target", str(TARGET), "--base-url", server.base_url, "--api-key-env", "TEST_KEY", *ports]
    return run_command_line(["run", *address, "--gate", "all", "--report-dir", str(folder), *more])


def edit(folder: Path, change: Callable[[dict[str, Any]], bool]) -> None:
    """Let `change` look at every event until it has changed one."""
    path = folder / "trace.ndjson"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert any(change(event) for event in events)
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.mark.slow
def test_a_full_run_comes_to_the_same_report_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    live, again = tmp_path / "live", tmp_path / "again"
    with EmbeddedServer(max_lifetime=2_592_000, allowed_host_prefixes=("/srv/shared",)) as server:
        assert against(server, live, monkeypatch, "--profile", "full") == 0
    capsys.readouterr()
    assert recheck(live, "--report-dir", str(again)) == 0
    out = capsys.readouterr().out
    assert f"{len(verdicts(live))} verdicts as recorded, 0 not" in out
    assert report(again) == report(live)
    assert (again / "report.html").read_text() == (live / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mutant", "selection", "red"),
    [
        ("pause-race-has-many-winners", "PAU-1*", "PAU-15"),
        ("volumes-sweep-after-a-failed-delete", "VOL-*", "VOL-10"),
        ("key-echoed", "API-2*", "API-24"),
    ],
)
def test_a_red_run_is_as_red_without_the_server(
    mutant: str, selection: str, red: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, again = tmp_path / "live", tmp_path / "again"
    with served(OwnProcesses(MUTANTS), mutant) as server:
        assert against(server, live, monkeypatch, "--req", selection) == 1
    assert any(name.startswith(red) and verdict == "fail" for name, verdict in verdicts(live).items())
    assert recheck(live, "--report-dir", str(again)) == 1
    assert report(again) == report(live)


def test_one_edited_answer_turns_the_checks_that_cite_it_and_no_other(
    server: Server, scenarios: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(server, scenarios, "--gate", "all", "--report-dir", str(tmp_path)) == 0

    def accept(event: dict[str, Any]) -> bool:
        if event["kind"] != "exchange" or event["status"] != 409:
            return False
        event.update(status=202, body="")
        return True

    edit(tmp_path, accept)
    capsys.readouterr()
    same = ("--scenarios", str(scenarios))
    assert recheck(tmp_path, *same) == 2
    assert "its seal is broken" in capsys.readouterr().err
    assert recheck(tmp_path, *same, "--edited", "--json") == 1
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["check"], found["before"], found["after"]) == ("PAU-07/second-pause/3", "pass", "fail")
    assert "observed 202" in found["reason"]


def test_another_expectation_is_shown_as_a_difference(
    server: Server, scenarios: Path, tmp_path: Path, capsys: Capture
) -> None:
    run(server, scenarios, "--gate", "all", "--report-dir", str(tmp_path))
    (scenarios / "pause.yaml").write_text(SCENARIO.replace("{status: 202}", "{status: 200}"))
    capsys.readouterr()
    assert recheck(tmp_path, "--scenarios", str(scenarios)) == 1
    out = capsys.readouterr().out
    assert "note: recorded with other scenarios" in out
    assert "differs: PAU-01/second-pause/2  pass → fail  status: expected 200, observed 202" in out
    assert "2 verdicts as recorded, 1 not" in out


def test_what_the_trace_cannot_answer_is_inconclusive_and_never_green(
    server: Server, scenarios: Path, tmp_path: Path, capsys: Capture
) -> None:
    run(server, scenarios, "--gate", "all", "--report-dir", str(tmp_path))
    step = "{call: listSandboxes, check: PAU-01, expect: {status: 200}}"
    more = f"  - id: another\n    title: A new one\n    steps:\n      - {step}\n"
    (scenarios / "pause.yaml").write_text(
        SCENARIO.replace("call: pauseSandbox\n", "call: resumeSandbox\n") + more
    )
    capsys.readouterr()
    assert recheck(tmp_path, "--scenarios", str(scenarios)) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "PAU-07/second-pause/3 pass → inconclusive the trace has not POST /v1/sandboxes/" in out
    assert "PAU-01/another/1 not recorded → inconclusive the trace has nothing of this scenario" in out


def test_a_check_that_is_gone_is_said(
    server: Server, scenarios: Path, tmp_path: Path, capsys: Capture
) -> None:
    run(server, scenarios, "--gate", "all", "--report-dir", str(tmp_path))
    text = SCENARIO.replace("        check: PAU-07\n        says: A second pause is refused\n", "")
    (scenarios / "pause.yaml").write_text(text)
    capsys.readouterr()
    assert recheck(tmp_path, "--scenarios", str(scenarios)) == 3
    assert "PAU-07/second-pause/3  pass → not checked any more" in capsys.readouterr().out


def cut_line(lines: list[str]) -> list[str]:
    return [*lines[:-1], lines[-1][:-20]]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: lines[:-1], "the trace stops here, without its last line"),
        (cut_line, "this is not JSON (the last line: was the file cut off?)"),
        (lambda lines: lines[:3] + lines[4:], ":4: event 4 is missing; here is 5"),
        (lambda lines: [*lines[:4], lines[4].replace("sbx-", "sbx_"), *lines[5:]], "its seal is broken"),
        (lambda lines: [lines[0].replace("trace/1", "trace/9"), *lines[1:]], "no trace of the format"),
        (lambda lines: ["[]", *lines[1:]], ":1: this is no event of a trace"),
        (lambda _lines: [], ":1: this is not JSON"),
    ],
)
def test_a_damaged_trace_is_2_and_says_where(
    damage: Callable[[list[str]], list[str]],
    message: str,
    server: Server,
    scenarios: Path,
    tmp_path: Path,
    capsys: Capture,
) -> None:
    run(server, scenarios, "--report-dir", str(tmp_path))
    path = tmp_path / "trace.ndjson"
    path.write_text("\n".join(damage(path.read_text().splitlines())) + "\n")
    capsys.readouterr()
    assert recheck(tmp_path, "--scenarios", str(scenarios)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_trace_that_is_not_there_is_2(tmp_path: Path, capsys: Capture) -> None:
    assert recheck(tmp_path) == 2
    assert "cannot read the trace" in capsys.readouterr().err


def test_the_seal_is_over_every_line_before_the_last(server: Server, scenarios: Path, tmp_path: Path) -> None:
    run(server, scenarios, "--report-dir", str(tmp_path))
    lines = (tmp_path / "trace.ndjson").read_bytes().splitlines(keepends=True)
    assert json.loads(lines[-1])["seal"] == seal_of(lines[:-1])


def fall_silent(handler: Handler) -> bool:
    """Nobody answers a pause any more, nor anything after it."""
    world = handler.server.world
    if handler.route.path.endswith("/pause") or world.silent:
        world.silent = True
        handler.close_connection = True
        handler.connection.close()
        return True
    return False


WAITS = """
  - id: waits
    title: A wait in vain, and a window
    budget: 3
    steps:
      - {call: createSandbox, as: sandbox}
      - {never: Paused, for: "${sandbox.id}", during: 0.05, check: PAU-02, says: Not by itself}
      - {await: Paused, for: "${sandbox.id}", within: 0.2, check: PAU-01, says: It pauses}
      - call: getSandbox
        for: ${sandbox.id}
        expect: {body: {expiresAt: {after: "${instant(-5)}"}}}
        check: PAU-07
"""


@pytest.mark.parametrize("misbehave", [None, fall_silent, accept_everything], ids=["good", "silent", "lax"])
def test_waits_windows_and_silence_are_replayed(
    misbehave: Any, server: Server, scenarios: Path, tmp_path: Path
) -> None:
    if misbehave:
        server.world.misbehave = misbehave
    (scenarios / "pause.yaml").write_text(SCENARIO + WAITS)
    live, again = tmp_path / "live", tmp_path / "again"
    code = run(server, scenarios, "--gate", "all", "--concurrency", "1", "--report-dir", str(live))
    assert code in {1, 3}
    assert recheck(live, "--scenarios", str(scenarios), "--report-dir", str(again)) == code
    assert report(again) == report(live)


def test_a_scenario_out_of_time_is_blocked_again(server: Server, scenarios: Path, tmp_path: Path) -> None:
    # The window is longer than the budget, so that time always runs out in it.
    text = WAITS.replace("budget: 3", "budget: 0.1").replace("during: 0.05", "during: 5")
    (scenarios / "pause.yaml").write_text(SCENARIO + text)
    live, again = tmp_path / "live", tmp_path / "again"
    code = run(server, scenarios, "--gate", "all", "--report-dir", str(live))
    assert verdicts(live)["PAU-01/waits/3"] == "blocked"
    assert recheck(live, "--scenarios", str(scenarios), "--report-dir", str(again)) == code
    assert report(again) == report(live)
