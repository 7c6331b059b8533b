"""The command line with servers that are none and with bad input. Never a traceback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from sandkit_conformance.cli import run_command_line
from sandkit_conformance.scenario.schema import load_schema

from .command_lines import SCENARIO, run
from .tiny_server import Handler, Misbehaviour, Server, tiny_server


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
    target.write_text(f"version: 1\nbudgets: {{request: {0.5 if misbehave is hang else 20}}}\n")
    started = time.monotonic()
    with tiny_server(misbehave) as server:
        assert run(server, scenarios, "--target", str(target)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert time.monotonic() - started < 15


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


def test_explain_has_a_command_for_every_kind_of_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["explain", "PAU-15"]) == 0
    out = capsys.readouterr().out
    for part in (
        '"$BASE/v1/sandboxes/$SANDBOX_ID"  # until status.state is Running',
        'for i in $(seq 8); do curl -sS -i -X POST -H "OPEN-SANDBOX-API-KEY: $SANDKIT_API_KEY"',
        'curl -sS -i -H "SANDKIT-PROBE-KEY: $SANDKIT_PROBE_KEY" "$PROBE/v1/view"',
        '-X POST -H "SANDKIT-CONTROL-KEY: $SANDKIT_CONTROL_KEY"',
        '"$CONTROL/v1/gates"',
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


def test_help_waits_for_nothing_that_plays() -> None:
    program = (
        "import sys\n"
        "from sandkit_conformance.cli import run_command_line\n"
        "run_command_line(['run', '--help'])\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "--report-dir" in ended.stdout
    imported = set(ended.stderr.split())
    assert "sandkit_conformance.cli.running" in imported
    assert not imported & {"sandkit_conformance.engine.run", "h11", "httpx", "jinja2", "rich"}
