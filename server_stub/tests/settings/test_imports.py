"""A server imports the runtime it was told to use, and none of what only another one needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

KUBECONFIG = {
    "current-context": "here",
    "clusters": [{"name": "here", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "here", "context": {"cluster": "here"}}],
}
PROGRAM = """
import argparse, json, sys
from sandkit_server.main import build
from sandkit_server.settings import Settings
from sandkit_server.settings.command_line import add_options, given_options
parser = argparse.ArgumentParser()
add_options(parser)
build(Settings.of(**given_options(vars(parser.parse_args()))))
print(json.dumps(sorted(sys.modules)))
"""


def _imported(*arguments: str) -> set[str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_the_memory_runtime_needs_no_client_of_anything() -> None:
    imported = _imported()
    assert "sandkit_server.runtimes.memory" in imported
    assert not imported & {"httpx", "httpx2", "yaml"}
    assert not imported & {"sandkit_server.kubernetes", "sandkit_server.runtimes.kubernetes"}


def test_the_kubernetes_runtime_needs_neither_engine_nor_controller(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(json.dumps(KUBECONFIG))
    imported = _imported("--runtime", "kubernetes", "--kubeconfig", str(path))
    assert "sandkit_server.runtimes.kubernetes" in imported
    foreign = ("sandkit_server.runtimes.memory", "sandkit_server.controller", "sandkit_server.disturbance")
    assert not {name for name in imported if name.startswith(foreign)}
