"""What the guides show, done: the tutorial's commands, and the probe of sixty lines."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandkit_conformance.catalogue import Catalogue
from sandkit_server.testing import EmbeddedServer

from .command_lines import run
from .tiny_server import Server

DOCS = Path(__file__).parents[3] / "docs"
TUTORIAL = DOCS / "tutorials" / "certify-a-server.md"
PROBE = DOCS / "conformance" / "examples" / "probe.py"
LOOKS = """
version: 1
area: PAU
scenarios:
  - id: looks
    title: Something only a probe can show
    steps:
      - probe: workloads
        expect: {count: 1, first: {sandboxId: sbx-9, podRunning: false, poolRef: {absent: true}}}
        check: PAU-13
"""


@pytest.mark.slow
def test_the_commands_of_the_tutorial_do_what_it_says(tmp_path: Path) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", TUTORIAL.read_text(), re.MULTILINE | re.DOTALL)
    # Installing is what scripts/try_pipeline.py tries; the server is ours.
    script = "\n".join(block for block in blocks if "pip install" not in block and " serve " not in block)
    with EmbeddedServer(api_key="the-key-of-your-server", probe_key="watch", control_key="disturb") as server:
        for shown, real in (
            ("http://127.0.0.1:8080/v1", server.base_url),
            ("http://127.0.0.1:8081", str(server.probe_url)),
            ("http://127.0.0.1:8082", str(server.control_url)),
            (".venv/bin/sandkit-conformance", f"{sys.executable} -m sandkit_conformance"),
        ):
            assert shown in script
            script = script.replace(shown, real)
        # The first run has no probe, and says so with exit code 3 where a MUST of the contract needs one.
        script = script.replace("--req 'PAU-0*'\n", "--req 'PAU-0*' || [ $? = 3 ]\n")
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=dict(os.environ),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "MEND" not in done.stdout
    assert "verdicts as recorded, 0 not" in done.stdout
    assert (tmp_path / "report" / "report.html").exists()


@pytest.fixture
def probe(tmp_path: Path) -> Iterator[str]:
    engine = tmp_path / "engine"
    engine.mkdir()
    (engine / "w-9.json").write_text('{"id": "sbx-9", "state": "Paused"}')
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(PROBE), str(engine), str(port)],
        env={**os.environ, "SANDKIT_PROBE_KEY": "watch"},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def test_the_probe_of_the_guide_shows_what_is_there(
    probe: str, server: Server, scenarios: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDKIT_PROBE_KEY", "watch")
    (scenarios / "pause.yaml").write_text(LOOKS)
    assert run(server, scenarios, "--probe-url", probe, "--gate", "all", req=("--req", "PAU-13")) == 0


def test_the_probe_of_the_guide_keeps_its_key(
    probe: str,
    server: Server,
    scenarios: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SANDKIT_PROBE_KEY", "wrong")
    assert run(server, scenarios, "--probe-url", probe) == 2
    assert "the probe port: GET /v1/info: 401 REQUEST::UNAUTHORIZED" in capsys.readouterr().err


@pytest.mark.parametrize("page", [TUTORIAL, DOCS / "conformance" / "targets.md"], ids=lambda page: page.stem)
def test_the_capabilities_of_the_guides_are_in_the_catalogue(page: Path, catalogue: Catalogue) -> None:
    (named,) = re.findall(r"^capabilities: \[(.*)\]$", page.read_text(), re.MULTILINE)
    known = {one.capability for one in catalogue.requirements.values()}
    assert set(named.split(", ")) <= known


def test_the_probe_of_the_guide_is_as_short_as_it_says() -> None:
    assert len(PROBE.read_text().splitlines()) <= 65
