"""Runs through a driver: the same verdicts, told which way they came, and never green by a broken driver."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandkit_conformance.cli import run_command_line
from sandkit_server.testing import EmbeddedServer

PLAIN = Path(__file__).with_name("plain_driver.py")
MEMORY = Path(__file__).parents[2] / "targets" / "memory.yaml"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(max_lifetime=2_592_000, allowed_host_prefixes=("/srv/shared",)) as running:
        monkeypatch.setenv("TEST_KEY", running.api_key or "")
        monkeypatch.setenv("SANDKIT_PROBE_KEY", running.probe_key or "")
        monkeypatch.setenv("SANDKIT_CONTROL_KEY", running.control_key or "")
        yield running


def run(server: EmbeddedServer, folder: Path, driver: str, *options: str) -> int:
    ports = ["--probe-url", str(server.probe_url), "--control-url", str(server.control_url)]
    address = ["--target", str(MEMORY), "--base-url", server.base_url, "--api-key-env", "TEST_KEY"]
    more = ["--gate", "all", "--report-dir", str(folder), "--driver", driver]
    return run_command_line(["run", *address, *ports, *more, *options])


def plain(flaw: str = "") -> str:
    return shlex.join([sys.executable, str(PLAIN), *(["--flaw", flaw] if flaw else [])])


def report(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return document


def sandboxes(server: EmbeddedServer) -> list[Any]:
    headers = {"OPEN-SANDBOX-API-KEY": server.api_key or ""}
    found: list[Any] = (
        httpx.get(f"{server.base_url}/sandboxes", headers=headers).raise_for_status().json()["items"]
    )
    return found


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_the_whole_suite_is_green_through_the_python_sdk(
    mode: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    driver = "python" if mode == "sync" else "python-async"
    code = run(server, tmp_path, driver, "--profile", "full")
    document = report(tmp_path)
    reasons = [
        (one["id"], one["reason"])
        for area in document["areas"]
        for one in area["requirements"]
        if one["verdict"] not in {"pass", "not-applicable"}
    ]
    assert (code, reasons) == (0, [])
    name, ways = document["target"]["driver"], document["summary"]["ways"]
    assert name.startswith(f"python-{mode} ")
    # Most of what sends anything goes through the SDK; what it cannot say is counted apart.
    assert ways[name] > 2 * sum(count for way, count in ways.items() if "http" in way)
    assert document["leaks"]["leaked"] == []


@pytest.mark.slow
def test_a_report_tells_for_every_check_which_way_it_took_and_why(
    server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, tmp_path, plain(), "--req", "PAU-0*") == 0
    document = report(tmp_path)
    checks = [
        check
        for area in document["areas"]
        for requirement in area["requirements"]
        for check in requirement["checks"]
    ]
    by_way = {way: [check for check in checks if check["via"] == [way]] for way in ("plain 1", "http")}
    assert by_way["plain 1"]
    assert all(not check["rawBecause"] for check in by_way["plain 1"])
    assert {reason for check in by_way["http"] for reason in check["rawBecause"]} >= {
        "it is sent with another key, or with none"
    }
    assert "checks through the driver and beside it:" in capsys.readouterr().out
    page = (tmp_path / "report.html").read_text()
    assert "<dt>driver</dt><dd>plain 1</dd>" in page
    assert ", through plain 1" in page
    assert ", raw HTTP: it is sent with another key, or with none" in page
    assert 'name="sandkit-conformance through plain 1"' in (tmp_path / "report.xml").read_text()
    events = [json.loads(line) for line in (tmp_path / "trace.ndjson").read_text().splitlines()]
    via = {event["via"] for event in events if event["kind"] == "exchange" and event["purpose"] == "cleanup"}
    assert via == {"http"}
    assert [event["name"] for event in events if event["kind"] == "driver"] == ["plain 1"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flaw", "said"),
    [
        ("late-crashes", "it ended with exit code 3; on standard error: Traceback: the end"),
        ("late-garbage", "it wrote a line that is not JSON: 'DEBUG sending a request'"),
        ("late-defect", "answered pauseSandbox with internal: a bug"),
    ],
)
def test_a_driver_that_breaks_on_the_way_is_a_harness_error_and_leaves_nothing(
    flaw: str, said: str, server: EmbeddedServer, tmp_path: Path
) -> None:
    assert run(server, tmp_path, plain(flaw), "--req", "PAU-*") == 2
    document = report(tmp_path)
    assert document["summary"]["checks"]["harness-error"] > 0
    assert "fail" not in document["summary"]["checks"]
    reasons = [one["reason"] for area in document["areas"] for one in area["requirements"]]
    assert any(said in reason for reason in reasons)
    assert sandboxes(server) == []


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (plain("lies-about-status"), "the driver breaks the protocol; `driver-check` says how"),
        (plain("refuses-everything"), "the driver breaks the protocol"),
        ("/no/such/driver", "cannot start the driver"),
    ],
    ids=["lies", "refuses", "missing"],
)
def test_a_driver_that_cannot_be_trusted_does_not_get_to_the_server(
    driver: str, said: str, server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, tmp_path, driver, "--req", "PAU-01") == 2
    assert said in capsys.readouterr().err
    events = [json.loads(line) for line in (tmp_path / "trace.ndjson").read_text().splitlines()]
    assert [event["kind"] for event in events if event["kind"] != "run"] == []


def test_a_selection_the_driver_had_no_part_in_is_not_green(
    server: EmbeddedServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(server, tmp_path, plain(), "--req", "API-12") == 2
    assert "no call of this selection can go through the driver" in capsys.readouterr().err
