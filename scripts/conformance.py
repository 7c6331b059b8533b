"""Starts the embedded server on free ports, runs the conformance suite against it, always ends the server.

    python scripts/conformance.py --report-dir build/conformance [-- options of `sandkit-conformance run`]

The server runs as its own process, exactly as a user would start it. Keys are made for this run and passed in
the environment, never on a command line. The exit code is the suite's; 2 when the server did not come up.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NamedTuple, NoReturn

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
SUITE_COULD_NOT_RUN = 2


class ServerError(RuntimeError):
    """The server did not come up; the message says why and shows its log."""

    def __init__(self, reason: str, log: Path) -> None:
        super().__init__(f"{reason}; its log, {log}, says:\n{log.read_text('utf-8', 'replace')}")


class Addresses(NamedTuple):
    """Where the started server listens."""

    api: str
    probe: str
    control: str


def _keys() -> dict[str, str]:
    names = ("OPEN_SANDBOX_API_KEY", "SANDKIT_PROBE_KEY", "SANDKIT_CONTROL_KEY")
    return {name: secrets.token_urlsafe(24) for name in names}


def _wait_until_ready(process: subprocess.Popen[bytes], ready_file: Path, log: Path) -> Addresses:
    deadline = time.monotonic() + READY_SECONDS
    while not ready_file.exists():
        if process.poll() is not None:
            raise ServerError(f"the server ended with exit code {process.returncode}", log)
        if time.monotonic() > deadline:
            raise ServerError(f"the server was not ready after {READY_SECONDS:g} s", log)
        time.sleep(0.02)
    ready = json.loads(ready_file.read_text("utf-8"))
    return Addresses(ready["baseUrl"], ready["probeUrl"], ready["controlUrl"])


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def running_server(environment: Mapping[str, str], log: Path) -> Iterator[Addresses]:
    """Run `sandkit-server serve` with probe and control ports for the length of the block.

    Raises:
        ServerError: The server ended, or was not ready in time.
    """
    with tempfile.TemporaryDirectory(prefix="sandkit-") as scratch, log.open("wb") as output:
        ready_file = Path(scratch) / "ready.json"
        ports = ("--port", "0", "--probe-port", "0", "--control-port", "0")
        command = [sys.executable, "-m", "sandkit_server", "serve", "--runtime", "memory", *ports]
        process = subprocess.Popen(
            [*command, "--ready-file", str(ready_file)],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _wait_until_ready(process, ready_file, log)
        finally:
            _stop(process)


def _run_suite(addresses: Addresses, environment: Mapping[str, str], options: list[str]) -> int:
    suite = [sys.executable, "-m", "sandkit_conformance", "run"]
    target = ["--base-url", addresses.api, "--api-key-env", "OPEN_SANDBOX_API_KEY"]
    witnesses = ["--probe-url", addresses.probe, "--control-url", addresses.control]
    # Every level counts: the reference server keeps the proposed promises and the declared gaps too.
    promises = ["--profile", "lifecycle", "--gate", "all"]
    command = [*suite, *target, *witnesses, *promises, *options]
    return subprocess.run(command, env=dict(environment), check=False).returncode


def _end_like_an_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run the suite against a server of our own and give the suite's exit code."""
    parser = argparse.ArgumentParser(description="Run the conformance suite against a server of our own.")
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance"))
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    chosen.report_dir.mkdir(parents=True, exist_ok=True)
    # A terminated run must end its server too.
    signal.signal(signal.SIGTERM, _end_like_an_interrupt)
    environment = {**os.environ, **_keys()}
    try:
        with running_server(environment, chosen.report_dir / "server.log") as addresses:
            return _run_suite(addresses, environment, ["--report-dir", str(chosen.report_dir), *chosen.suite])
    except ServerError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return SUITE_COULD_NOT_RUN
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
