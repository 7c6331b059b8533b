"""`make conformance` with a stand-in for the suite: what it is told, and that the server always ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "conformance.py"

# Writes down what it was told, and whether that opens the three doors.
SUITE = """
import json, os, pathlib
import httpx

def opens(url, header, variable):
    return httpx.get(url, headers={header: os.environ[variable]}, trust_env=False).status_code

def run_command_line(words):
    def told(option):
        return words[words.index(option) + 1]

    doors = {
        "api": opens(told("--base-url") + "/sandboxes", "OPEN-SANDBOX-API-KEY", told("--api-key-env")),
        "probe": opens(told("--probe-url") + "/v1/view", "SANDKIT-PROBE-KEY", "SANDKIT_PROBE_KEY"),
        "control": opens(told("--control-url") + "/v1/info", "SANDKIT-CONTROL-KEY", "SANDKIT_CONTROL_KEY"),
    }
    keys = [value for name, value in os.environ.items() if name.endswith("_KEY")]
    part = pathlib.Path("suite.part")
    part.write_text(json.dumps({"words": words, "doors": doors, "keys": keys, "url": told("--base-url")}))
    part.rename("suite.json")
"""

# Ends every start of the server before it begins.
NO_SERVER = """
import os, sys
if "sandkit_server" in sys.orig_argv:
    sys.stderr.write("port 8080 is taken")
    sys.stderr.flush()
    os._exit(1)
"""


@dataclass
class Workbench:
    """A folder in which `sandkit_conformance` is a stand-in."""

    folder: Path

    def install(self, file: str, program: str) -> None:
        path = self.folder / "modules" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(program)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), "--report-dir", "report", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(self.folder / "modules")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def seen(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / "suite.json").read_text())
        return content

    def server_answers(self) -> bool:
        try:
            httpx.get(self.seen["url"], trust_env=False)
        except httpx.ConnectError:
            return False
        return True


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    bench.install("sandkit_conformance/__init__.py", "")
    bench.install("sandkit_conformance/scenario/loader.py", "def shipped_suite(): pass")
    bench.install("sandkit_conformance/cli/playing.py", "")
    bench.install("sandkit_conformance/cli/__init__.py", f"{SUITE}    return 0")
    return bench


@pytest.mark.parametrize("code", [0, 3])
def test_the_exit_code_is_the_suites_and_the_server_is_ended(bench: Workbench, code: int) -> None:
    bench.install("sandkit_conformance/cli/__init__.py", f"{SUITE}    return {code}")
    process = bench.start()
    process.communicate(timeout=60)

    assert process.returncode == code
    assert not bench.server_answers()


def test_the_suite_gets_every_address_and_key_but_no_key_on_the_command_line(bench: Workbench) -> None:
    bench.start("--", "--req", "PAU-*").communicate(timeout=60)
    words, keys = bench.seen["words"], bench.seen["keys"]

    assert bench.seen["doors"] == {"api": 200, "probe": 200, "control": 200}
    assert len(keys) == len(set(keys)) == 3
    assert not set(keys) & set(words)
    assert words[words.index("--report-dir") + 1] == "report"
    assert words[-2:] == ["--req", "PAU-*"]
    assert "API key required" in (bench.folder / "report" / "server.log").read_text()


def test_what_is_wrong_with_the_suite_is_left_to_the_suite_to_say(bench: Workbench) -> None:
    bench.install("sandkit_conformance/scenario/loader.py", "def shipped_suite(): return 1 / 0")
    bench.install("sandkit_conformance/cli/__init__.py", f"{SUITE}    return 2")
    process = bench.start()
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (2, "")
    assert not bench.server_answers()


def test_a_server_that_does_not_start_is_shown_with_its_log(bench: Workbench) -> None:
    bench.install("sitecustomize.py", NO_SERVER)
    process = bench.start()
    _, errors = process.communicate(timeout=60)

    assert process.returncode == 2
    assert "port 8080 is taken" in errors
    assert not (bench.folder / "suite.json").exists()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_run_ends_its_server(bench: Workbench, signal_number: signal.Signals) -> None:
    bench.install("sandkit_conformance/cli/__init__.py", f"{SUITE}    import time; time.sleep(60)")
    process = bench.start()
    deadline = time.monotonic() + 30
    while not (bench.folder / "suite.json").exists():
        assert time.monotonic() < deadline, "the suite was not started"
        time.sleep(0.02)
    process.send_signal(signal_number)
    process.communicate(timeout=60)

    assert process.returncode == 130
    assert not bench.server_answers()
