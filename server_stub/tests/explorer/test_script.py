"""`scripts/explore.py` as people run it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandkit_server.testing.explorer.traces import Trace

SCRIPT = Path(__file__).parents[3] / "scripts" / "explore.py"


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
def test_a_sound_product_ends_with_0() -> None:
    done = run("--scenario", "a-renewal-in-time", "--depth", "3", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert "0 broken promises" in done.stdout


@pytest.mark.slow
def test_a_trace_of_a_seeded_bug_is_replayed_and_ends_with_1(tmp_path: Path) -> None:
    steps = (
        "server: delete sbx-b begins",
        "server: delete sbx-b: delete batchsandboxes/sbx-b Background",
    )
    trace = Trace(scenario="expiry-and-renewal", steps=steps, chosen=1, defect="delete-in-background")
    file = tmp_path / "trace.json"
    file.write_text(trace.to_json(), "utf-8")
    done = run("replay", file)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "BROKEN: sandbox sbx-b goes from Running to nothing" in done.stdout

    mended = {**json.loads(file.read_text("utf-8")), "defect": ""}
    file.write_text(json.dumps(mended), "utf-8")
    assert run("replay", file).returncode == 2


@pytest.mark.slow
def test_the_scenarios_and_the_seeded_bugs_are_listed() -> None:
    done = run("list")
    assert "pauses-and-resumes" in done.stdout
    assert "sweep-before-delete" in done.stdout
