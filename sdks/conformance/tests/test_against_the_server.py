"""The suite against the reference server: that it ends well, and that a run killed anywhere is swept up."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandkit_conformance.cli import run_command_line
from sandkit_server.testing import EmbeddedServer

SELECTION = ("--req", "PAU-*", "--req", "VOL-0*", "--req", "DEL-*")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        monkeypatch.setenv("TEST_KEY", running.api_key or "")
        monkeypatch.setenv("SANDKIT_PROBE_KEY", running.probe_key or "")
        monkeypatch.setenv("SANDKIT_CONTROL_KEY", running.control_key or "")
        yield running


def target(server: EmbeddedServer) -> list[str]:
    ports = ["--probe-url", str(server.probe_url), "--control-url", str(server.control_url)]
    return ["--base-url", server.base_url, "--api-key-env", "TEST_KEY", *ports]


def census(server: EmbeddedServer) -> dict[str, Any]:
    headers = {"SANDKIT-PROBE-KEY": server.probe_key or ""}
    view = httpx.get(f"{server.probe_url}/v1/view", headers=headers).raise_for_status().json()
    return {kind: view[kind] for kind in ("workloads", "volumes", "snapshots", "jobs") if view[kind]}


@pytest.mark.slow
def test_a_run_ends_well_and_leaves_nothing_behind(server: EmbeddedServer, tmp_path: Path) -> None:
    arguments = ["run", *target(server), *SELECTION, "--gate", "all", "--report-dir", str(tmp_path)]
    assert run_command_line(arguments) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["leaks"] == {"verdict": "pass", "leaked": [], "note": ""}
    assert set(report["summary"]["checks"]) <= {"pass", "not-applicable"}
    assert census(server) == {}


@pytest.mark.slow
def test_without_probe_and_control_the_rest_is_said_to_be_unseen(
    server: EmbeddedServer, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = ["--base-url", server.base_url, "--api-key-env", "TEST_KEY"]
    assert run_command_line(["run", *bare, "--req", "PAU-*", "--gate", "all"]) == 3
    out = capsys.readouterr().out
    assert "unobservable, needs a probe port that can do `view`; there is none: PAU-04" in out
    assert "fail" not in out


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_run_killed_anywhere_is_swept_up(seed: int, server: EmbeddedServer, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sandkit_conformance", "run", *target(server), *SELECTION]
    run = subprocess.Popen(
        [*command, "--seed", str(seed), "--report-dir", str(tmp_path)],
        env=dict(os.environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ledger = tmp_path / "ledger.ndjson"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (ledger.exists() and ledger.read_text().count("\n") > 3):
        time.sleep(0.01)
    time.sleep(random.Random(seed).uniform(0, 1.0))
    run.send_signal(signal.SIGKILL)
    run.wait()
    assert run_command_line(["sweep", *target(server), "--ledger", str(ledger)]) == 0
    assert census(server) == {}
