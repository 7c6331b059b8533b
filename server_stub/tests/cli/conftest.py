from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts ``sandkit-server`` with the given arguments; whatever is left of it is killed afterwards."""
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.endswith("_KEY")}
        process = subprocess.Popen(
            [sys.executable, "-m", "sandkit_server", *arguments],
            env={**clean, **environment},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def ready(tmp_path: Path) -> Callable[[subprocess.Popen[str]], dict[str, Any]]:
    """Waits for ``ready.json`` in the server's working directory and returns what it says."""

    def wait(process: subprocess.Popen[str]) -> dict[str, Any]:
        path = tmp_path / "ready.json"
        deadline = time.monotonic() + 20
        while not path.exists():
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        told: dict[str, Any] = json.loads(path.read_text())
        return told

    return wait
