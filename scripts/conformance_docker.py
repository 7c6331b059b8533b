"""Tries the suite on a server that somebody else wrote, over a real Docker engine.

    python -m scripts.conformance_docker --report-dir build/conformance-docker [-- options of `run`]

Starts a Docker engine out of the system's own packages (or takes the one of ours that runs) and the public
opensandbox-server over it, runs the Docker probe's tests and then the whole suite with the server's baseline,
and stops what it has started. Needs root and Debian. The exit code is the suite's: 0 when the server breaks
exactly what the baseline says; 1 when the probe's tests fail, too; 2 when the tier cannot run, which is a
failure and never a skip.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.peer_server import PeerError, PeerServer, over_docker

ROOT: Final = Path(__file__).resolve().parent.parent
ENGINE: Final = ROOT / "server_stub" / "deploy" / "docker" / "engine.sh"
TARGETS: Final = ROOT / "sdks" / "conformance" / "targets"
PROBE_TESTS: Final = "sdks/conformance/docker/tests"
SUITE_COULD_NOT_RUN: Final = 2


class EngineError(Exception):
    """There is no engine to run on."""


@contextmanager
def docker_engine() -> Iterator[str]:
    """Address of an engine that answers; one that was started here is stopped again.

    Raises:
        EngineError: it cannot be started; engine.sh has said why.
    """
    ran_before = subprocess.run([ENGINE, "status"], check=False).returncode == 0
    try:
        # Also where it runs already: its way out is closed again, its base image made if it is missing.
        if subprocess.run([ENGINE, "start"], check=False).returncode:
            raise EngineError("the Docker tier cannot run without an engine")
        yield subprocess.run([ENGINE, "address"], capture_output=True, text=True, check=True).stdout.strip()
    finally:
        if not ran_before:
            subprocess.run([ENGINE, "stop"], check=False)


def test_probe(docker_host: str) -> int:
    """Run the Docker probe's own tests on the engine; pytest's exit code."""
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", PROBE_TESTS]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, "DOCKER_HOST": docker_host}, check=False
    ).returncode


def run_suite(server: PeerServer, docker_host: str, report_dir: Path, options: list[str]) -> int:
    """Run the suite against the server with its baseline; the suite's exit code."""
    command = (
        *(sys.executable, "-m", "sandkit_conformance", "run"),
        *("--target", str(TARGETS / "opensandbox-server.yaml"), "--base-url", server.base_url),
        *("--baseline", str(TARGETS / "opensandbox-server.baseline.yaml")),
        # What the contract does not say does not count against somebody else's server, but it is shown.
        *("--profile", "full", "--gate", "spec", "--concurrency", "6"),
        *("--report-dir", str(report_dir), *options),
    )
    environment = {**os.environ, "DOCKER_HOST": docker_host, "OPEN_SANDBOX_API_KEY": server.api_key}
    return subprocess.run(command, env=environment, check=False).returncode


def main(arguments: list[str]) -> int:
    """Run the tier and give its exit code."""
    parser = argparse.ArgumentParser(
        description="Run the conformance suite against the public opensandbox-server."
    )
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance-docker"))
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    # A terminated run must end its server and its engine, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with docker_engine() as docker_host:
            if test_probe(docker_host):
                return 1
            with over_docker(docker_host, chosen.report_dir.resolve() / "server") as server:
                return run_suite(server, docker_host, chosen.report_dir, chosen.suite)
    except (EngineError, PeerError) as error:
        print(f"conformance-docker: {error}", file=sys.stderr)
        return SUITE_COULD_NOT_RUN
    except KeyboardInterrupt:
        print("conformance-docker: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
