"""The command line: exit codes and words, with good servers, bad servers and bad input. Never a traceback."""

from __future__ import annotations

import json
import socket
import textwrap
import time
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from sandkit_conformance.cli import run_command_line
from sandkit_conformance.scenario.schema import load_schema

from .tiny_server import KEY, Handler, Misbehaviour, Server, tiny_server

SCENARIO = """
version: 1
area: PAU
standing:
  - {check: API-01, invariant: envelope, says: Every error is an envelope}
scenarios:
  - id: second-pause
    title: A second pause is refused
    steps:
      - {call: createSandbox, as: sandbox}
      - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 202}, check: PAU-01}
      - call: pauseSandbox
        for: ${sandbox.id}
        expect: {table: pauseSandbox/Paused}
        check: PAU-07
        says: A second pause is refused
"""
REQUIREMENTS = ("--req", "PAU-01", "--req", "PAU-07", "--req", "API-01")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", KEY)


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios"
    folder.mkdir()
    (folder / "pause.yaml").write_text(SCENARIO)
    return folder


def run(server: Server, scenarios: Path, *more: str, req: tuple[str, ...] = REQUIREMENTS) -> int:
    arguments = ["run", "--base-url", server.url, "--api-key-env", "TEST_KEY", "--scenarios", str(scenarios)]
    return run_command_line([*arguments, "--seed", "1", *req, *more])


def accept_everything(handler: Handler) -> bool:
    if handler.route.path.endswith("/pause"):
        handler.reply(202)
        return True
    return False


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


def hang(handler: Handler) -> bool:
    return handler.server.world.released.wait(30) or True


def html(handler: Handler) -> bool:
    handler.raw(200, b"<html>It works!</html>", {"Content-Type": "text/html"})
    return True


def other_json(handler: Handler) -> bool:
    handler.reply(200, {"hello": "world"})
    return True


def redirect(handler: Handler) -> bool:
    handler.raw(301, b"", {"Location": "https://elsewhere.example/v1"})
    return True


def truncate(handler: Handler) -> bool:
    handler.raw(200, b'{"items": [', {"Content-Type": "application/json"}, length=100)
    return True


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        (hang, "no answer within 0.5 s"),
        (html, "is no list of sandboxes: 200, text/html, beginning with '<html>It works!</html>'"),
        (other_json, "is no list of sandboxes"),
        (redirect, "redirects to https://elsewhere.example/v1; give that address as base URL"),
        (truncate, "the connection broke after 11 bytes"),
    ],
)
def test_a_server_that_is_none_is_2_in_time(
    misbehave: Misbehaviour, message: str, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target.yaml"
    target.write_text("version: 1\nbudgets: {request: 0.5}\n")
    started = time.monotonic()
    with tiny_server(misbehave) as server:
        assert run(server, scenarios, "--target", str(target)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert time.monotonic() - started < 5


def test_a_wrong_key_is_2(
    server: Server, scenarios: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TEST_KEY", "wrong")
    assert run(server, scenarios) == 2
    assert "answered 401 REQUEST::UNAUTHORIZED: the key is refused" in capsys.readouterr().err


def test_nobody_there_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert run_command_line(["run", "--base-url", f"http://127.0.0.1:{port}"]) == 2
    assert "cannot connect" in capsys.readouterr().err


def test_a_probe_that_is_none_is_2(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, scenarios, "--probe-url", server.url) == 2
    assert "the probe port: GET /v1/info" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run"], "no server: give --base-url"),
        (["run", "--base-url", "localhost"], "is no address of a server"),
        (["run", "--base-url", "http://x", "--api-key-env", "NOT_SET"], "NOT_SET is not set"),
        (["run", "--base-url", "http://x", "--req", "NOPE-*"], "--req NOPE-*: no requirement has such an id"),
        (["run", "--base-url", "http://x", "--profile", "nope"], "'nope' is not one of"),
        (["run", "--base-url", "http://x", "--concurrency", "0"], "'--concurrency'"),
        (["run", "--base-url", "http://x", "--target", "/nowhere.yaml"], "cannot read the target file"),
        (["run", "--base-url", "http://x", "--baseline", "/nowhere.yaml"], "cannot read the baseline"),
        (["explain", "PAU-77"], "there is no requirement PAU-77; did you mean"),
        (["list", "--req", "x"], "no requirement has such an id"),
        (["sweep", "--base-url", "http://x"], "give --run-id, --ledger, or both"),
        (["frobnicate"], "No such command 'frobnicate'"),
        (["schema", "nope"], "'nope' is not one of"),
    ],
)
def test_bad_input_is_2_and_says_what_to_do(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_a_report_that_cannot_be_written_is_2_before_the_run(
    server: Server, scenarios: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    assert run(server, scenarios, "--report-dir", str(tmp_path / "file" / "report")) == 2
    assert "cannot write into --report-dir" in capsys.readouterr().err
    assert server.world.requests == []


def test_bad_scenarios_are_2_with_every_place(
    server: Server, scenarios: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (scenarios / "more").mkdir()
    (scenarios / "more" / "bad.yaml").write_text(
        SCENARIO.replace("PAU-01", "PAU-98").replace("second-", "third-")
    )
    assert run(server, scenarios) == 2
    assert "scenarios/more/bad.yaml:11: there is no requirement PAU-98" in capsys.readouterr().err


def test_explain_tells_the_promise_the_steps_and_the_curl(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["explain", "pau-07"]) == 0
    out = capsys.readouterr().out
    for part in (
        "PAU-07",
        "MUST",
        "source:",
        "pauseSandbox/Paused",
        "$BASE/v1/sandboxes/$SANDBOX_ID/pause",
        "[PAU-07]",
    ):
        assert part in out


def test_explain_works_for_every_requirement(capsys: pytest.CaptureFixture[str]) -> None:
    run_command_line(["list", "--profile", "full", "--json"])
    entries = json.loads(capsys.readouterr().out)
    assert len(entries) > 200
    for entry in entries[::40]:
        assert run_command_line(["explain", entry["id"]]) == 0


def test_list_and_schema_need_no_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["list", "--req", "RES-*"]) == 0
    assert "RES-13" in capsys.readouterr().out
    assert run_command_line(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == load_schema("scenario")


def test_sweep_takes_back_what_a_killed_run_left_and_nothing_else(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, label in (("sbx-a", "dead01"), ("sbx-b", "alive2"), ("sbx-c", None)):
        metadata = {"sandkit-conformance-run": label} if label else {}
        server.world.sandboxes[name] = {"id": name, "status": {"state": "Running"}, "metadata": metadata}
    ledger = tmp_path / "ledger.ndjson"
    lines = [{"run": "dead01"}, {"state": "made", "kind": "sandbox", "name": "sbx-a", "scenario": "s"}]
    ledger.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    target = ["--base-url", server.url, "--api-key-env", "TEST_KEY"]
    assert run_command_line(["sweep", *target, "--run-id", "dead01", "--ledger", str(ledger)]) == 0
    assert capsys.readouterr().out == "deleted sandbox sbx-a\n"
    assert sorted(server.world.sandboxes) == ["sbx-b", "sbx-c"]
    assert run_command_line(["sweep", *target, "--run-id", "dead01"]) == 0
    assert "nothing of run dead01 is left" in capsys.readouterr().out
    assert run_command_line(["sweep", *target, "--run-id", "other", "--ledger", str(ledger)]) == 2


def test_doctor_says_what_is_there_and_what_to_mend(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "target.yaml"
    target.write_text(
        textwrap.dedent(f"""
        version: 1
        baseUrl: {server.url}
        apiKeyEnv: TEST_KEY
        capabilities: [pause, pools, flying]
        """)
    )
    assert run_command_line(["doctor", "--target", str(target)]) == 2
    out = capsys.readouterr().out
    assert "speaks the API; version tiny-1" in out
    assert "MEND  pools: declared, and GET /v1/pools answered 404" in out
    assert "MEND  capability flying is declared, and the catalogue knows no such capability" in out
    assert "ok    snapshots: not declared and not there" in out
    assert run_command_line(["doctor", "--base-url", "http://127.0.0.1:1"]) == 2
