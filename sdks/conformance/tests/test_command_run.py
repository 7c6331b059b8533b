"""`run` and `diff`: exit codes and words, with good servers and with broken ones."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from sandkit_conformance.cli import run_command_line
from sandkit_conformance.scenario.schema import load_schema

from .command_lines import SCENARIO, accept_everything, run
from .tiny_server import KEY, Handler, Misbehaviour, Server


def test_a_good_server_is_0_and_every_report_is_written(
    server: Server, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "report"
    assert run(server, scenarios, "--gate", "all", "--report-dir", str(folder)) == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "badge.svg",
        "ledger.ndjson",
        "report.html",
        "report.json",
        "report.xml",
        "trace.ndjson",
    ]
    document = json.loads((folder / "report.json").read_text())
    Draft202012Validator(load_schema("report")).validate(document)
    assert document["summary"]["requirements"] == {"pass": 3}
    command = shlex.split(document["run"]["command"])
    assert command[:4] == ["sandkit-conformance", "run", "--base-url", server.url]
    assert command[-2:] == ["--report-dir", str(folder)]
    assert ET.parse(folder / "report.xml").getroot().tag == "testsuites"
    for path in folder.iterdir():
        assert KEY not in path.read_text(), path.name
    assert "CONFORMANT requirements: 3 pass" in capsys.readouterr().out
    assert server.world.sandboxes == {}


def test_a_broken_server_is_1_and_only_the_broken_promise_is_red(
    server: Server, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.world.misbehave = accept_everything
    folder = tmp_path / "report"
    assert run(server, scenarios, "--gate", "all", "--report-dir", str(folder)) == 1
    out = capsys.readouterr().out
    assert "PAU-07 fail" in out
    assert "expected 409 SANDBOX::INVALID_STATE (pauseSandbox/Paused), observed 202" in out
    assert (
        f'curl -sS -i -X POST -H "OPEN-SANDBOX-API-KEY: $SANDKIT_API_KEY" {server.url}/v1/sandboxes/' in out
    )
    areas = json.loads((folder / "report.json").read_text())["areas"]
    verdicts = {one["id"]: one["verdict"] for area in areas for one in area["requirements"]}
    assert verdicts == {"API-01": "pass", "PAU-01": "pass", "PAU-07": "fail"}


def test_two_reports_are_compared(
    server: Server, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(server, scenarios, "--report-dir", str(tmp_path / "good"))
    server.world.misbehave = accept_everything
    run(
        server,
        scenarios,
        "--report-dir",
        str(tmp_path / "bad"),
        req=("--req", "PAU-0[17]", "--req", "RES-01"),
    )
    good, bad = (str(tmp_path / name / "report.json") for name in ("good", "bad"))
    capsys.readouterr()
    assert run_command_line(["diff", good, bad]) == 1
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
        ["worse", "PAU-07"],
        ["removed", "API-01"],
        ["added", "RES-01"],
    ]
    assert run_command_line(["diff", good, good]) == 0
    assert capsys.readouterr().out == "no difference\n"
    assert run_command_line(["diff", bad, good, "--json"]) == 1
    changes = {change["requirement"]: change["kind"] for change in json.loads(capsys.readouterr().out)}
    assert changes == {"PAU-07": "better", "API-01": "added", "RES-01": "removed"}


def test_another_promise_under_the_same_id_is_said(
    server: Server, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(server, scenarios, "--report-dir", str(tmp_path))
    document = json.loads((tmp_path / "report.json").read_text())
    document["areas"][0]["requirements"][0]["digest"] = "0" * 16
    (tmp_path / "other.json").write_text(json.dumps(document))
    capsys.readouterr()
    assert run_command_line(["diff", str(tmp_path / "report.json"), str(tmp_path / "other.json")]) == 0
    assert "reworded  API-01" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{", "{}", '{"format": "other"}'])
def test_what_is_no_report_cannot_be_compared(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    assert run_command_line(["diff", str(path), str(path)]) == 2
    assert "report" in capsys.readouterr().err


def test_what_is_only_proposed_does_not_gate_by_default(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.world.misbehave = accept_everything
    assert run(server, scenarios, req=("--req", "PAU-01", "--req", "PAU-07")) == 0
    out = capsys.readouterr().out
    assert "does not count for the exit code" in out
    assert "1 failed that do not count (--gate spec)" in out


def test_what_nobody_checked_is_3(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, scenarios, req=("--req", "PAU-0[17]", "--req", "RES-01")) == 3
    assert "inconclusive, no scenario of this run checks it: RES-01" in capsys.readouterr().out


def test_no_check_at_all_is_2(server: Server, scenarios: Path) -> None:
    assert run(server, scenarios, req=("--req", "RES-01")) == 2


def test_a_leak_is_1(server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def keep(handler: Handler) -> bool:
        if handler.command == "DELETE":
            handler.error(403, "REQUEST::FORBIDDEN")
            return True
        return False

    server.world.misbehave = keep
    assert run(server, scenarios, req=("--req", "PAU-01")) == 1
    assert "left behind on the server: sandboxes/sbx-" in capsys.readouterr().out


def test_a_claim_that_no_api_deletes_is_said_and_no_leak(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes = "with: {volumes: [{name: v, mountPath: /v, pvc: {claimName: \"${unique('c')}\"}}]}"
    text = SCENARIO.replace("call: createSandbox,", f"call: createSandbox, {volumes},")
    (scenarios / "pause.yaml").write_text(text)
    assert run(server, scenarios, req=("--req", "PAU-01")) == 0
    assert "1 claims whose names begin with sk" in capsys.readouterr().out.replace("\n", " ")


@pytest.mark.parametrize(
    ("misbehave", "verdict", "code"), [(accept_everything, "excused", 0), (lambda _handler: False, "pass", 4)]
)
def test_a_baseline_excuses_and_goes_stale(
    misbehave: Misbehaviour, verdict: str, code: int, server: Server, scenarios: Path, tmp_path: Path
) -> None:
    server.world.misbehave = misbehave
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("version: 1\nexcused:\n  - {requirement: PAU-07, reason: known since May}\n")
    options = ("--gate", "all", "--baseline", str(baseline), "--report-dir", str(tmp_path / "report"))
    assert run(server, scenarios, *options, req=("--req", "PAU-0[17]")) == code
    areas = json.loads((tmp_path / "report/report.json").read_text())["areas"]
    assert areas[0]["requirements"][1]["verdict"] == verdict


def test_events_are_printed_as_json_when_asked_for(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, scenarios, "--json-events", "--gate", "all") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["requirement"], line["verdict"]) for line in lines] == [
        ("PAU-01", "pass"),
        ("PAU-07", "pass"),
    ]
