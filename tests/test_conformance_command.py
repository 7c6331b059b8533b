"""`make conformance` with a stand-in server and suite: what it passes on, and that it always cleans up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "scripts" / "conformance.py"

# Says where it listens, as `sandkit-server serve --ready-file` does, then waits to be ended.
SERVER = """
import json, os, pathlib, sys, time
ready = pathlib.Path(sys.argv[sys.argv.index("--ready-file") + 1])
pathlib.Path("server.pid").write_text(str(os.getpid()))
seen = {"argv": sys.argv[1:], "key": os.environ["OPEN_SANDBOX_API_KEY"]}
pathlib.Path("server.json").write_text(json.dumps(seen))
part = ready.with_suffix(".part")
addresses = {"baseUrl": "http://api", "probeUrl": "http://probe", "controlUrl": "http://control"}
part.write_text(json.dumps(addresses))
part.rename(ready)
time.sleep(60)
"""

SUITE = """
import json, os, pathlib, sys
keys = {name: value for name, value in os.environ.items() if name.endswith("_KEY")}
pathlib.Path("suite.json").write_text(json.dumps({"argv": sys.argv[1:], "keys": keys}))
sys.exit(int(os.environ["SUITE_EXIT"]))
"""

ENDLESS_SUITE = """
import pathlib, time
pathlib.Path("suite.json").write_text("{}")
time.sleep(60)
"""


@dataclass
class Workbench:
    """A folder in which `sandkit_server` and `sandkit_conformance` are stand-ins."""

    folder: Path

    def install(self, package: str, program: str) -> None:
        home = self.folder / "modules" / package
        home.mkdir(parents=True, exist_ok=True)
        (home / "__init__.py").write_text("")
        (home / "__main__.py").write_text(program)

    def start(self, *arguments: str, suite_exit: int = 0) -> subprocess.Popen[str]:
        path = str(self.folder / "modules")
        return subprocess.Popen(
            [sys.executable, str(SCRIPT), "--report-dir", "report", *arguments],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": path, "SUITE_EXIT": str(suite_exit)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def read(self, name: str) -> dict[str, object]:
        content: dict[str, object] = json.loads((self.folder / name).read_text())
        return content

    def server_lives(self) -> bool:
        try:
            os.kill(int((self.folder / "server.pid").read_text()), 0)
        except ProcessLookupError:
            return False
        return True


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    bench = Workbench(tmp_path)
    bench.install("sandkit_server", SERVER)
    bench.install("sandkit_conformance", SUITE)
    return bench


@pytest.mark.parametrize("code", [0, 1, 2, 3])
def test_the_exit_code_is_the_suites_and_the_server_is_ended(bench: Workbench, code: int) -> None:
    process = bench.start(suite_exit=code)
    process.communicate(timeout=30)

    assert process.returncode == code
    assert not bench.server_lives()


def test_the_suite_is_told_every_address_and_key_but_no_key_on_the_command_line(bench: Workbench) -> None:
    bench.start("--", "--req", "PAU-*").communicate(timeout=30)
    suite, server = bench.read("suite.json"), bench.read("server.json")
    argv, keys = suite["argv"], suite["keys"]
    assert isinstance(argv, list)
    assert isinstance(keys, dict)

    for option, value in {
        "--base-url": "http://api",
        "--probe-url": "http://probe",
        "--control-url": "http://control",
        "--report-dir": "report",
        "--req": "PAU-*",
    }.items():
        assert argv[argv.index(option) + 1] == value
    assert keys[argv[argv.index("--api-key-env") + 1]] == server["key"]
    assert len({keys["OPEN_SANDBOX_API_KEY"], keys["SANDKIT_PROBE_KEY"], keys["SANDKIT_CONTROL_KEY"]}) == 3
    assert not set(keys.values()) & {*argv, *server["argv"]}  # type: ignore[misc]


def test_a_server_that_does_not_start_is_shown_with_its_log(bench: Workbench) -> None:
    bench.install("sandkit_server", "import sys; sys.exit('port 8080 is taken')")
    process = bench.start()
    _, errors = process.communicate(timeout=30)

    assert process.returncode == 2
    assert "exit code 1" in errors
    assert "port 8080 is taken" in errors
    assert not (bench.folder / "suite.json").exists()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_run_ends_its_server(bench: Workbench, signal_number: signal.Signals) -> None:
    bench.install("sandkit_conformance", ENDLESS_SUITE)
    process = bench.start()
    deadline = time.monotonic() + 20
    while not (bench.folder / "suite.json").exists():
        assert time.monotonic() < deadline, "the suite was not started"
        time.sleep(0.02)
    process.send_signal(signal_number)
    process.communicate(timeout=30)

    assert process.returncode == 130
    assert not bench.server_lives()
