"""The load generator of the benchmark counts answers of a real server."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from sandkit_server.testing import EmbeddedServer

LOAD = Path(__file__).parents[2] / "benchmarks" / "load.py"


def _load(server: EmbeddedServer, path: str) -> subprocess.CompletedProcess[bytes]:
    address = urlsplit(server.base_url)
    request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    command = [sys.executable, str(LOAD), "127.0.0.1", str(address.port), "4", "0.3"]
    return subprocess.run(command, input=request, capture_output=True, check=False, timeout=30)


def test_it_counts_what_was_answered() -> None:
    with EmbeddedServer() as server:
        told = json.loads(_load(server, "/v1/health").stdout)
    assert told["requests"] > 10
    assert 0 < told["requests_per_second"] < told["requests"] / 0.3


def test_it_measures_no_errors() -> None:
    with EmbeddedServer() as server:
        finished = _load(server, "/v1/sandboxes")
    assert finished.returncode != 0
    assert b"401" in finished.stderr
