"""Runs the conformance suite against server and controller on a real control plane, set up in each way.

    python scripts/conformance_control_plane.py [--only batchsandbox] [-- options of the suite's `run`]

Everything runs on loopback, in processes of its own, and is ended whatever happens. The exit code is 0 when
the suite's is 0 for each of them, else the first other one; 2 when something did not come up.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

REPOSITORY = Path(__file__).parent.parent
TARGETS = REPOSITORY / "sdks" / "conformance" / "targets"
SUITE_COULD_NOT_RUN = 2
# The programs may have to be built first.
START_SECONDS = 1_800.0
END_SECONDS = 60.0


@dataclass(frozen=True)
class Way:
    """A way to set the product up: what the harness is told, the target file, and what is looked at of it."""

    harness: tuple[str, ...]
    target: str
    suite: tuple[str, ...] = ()


WAYS = {
    "batchsandbox": Way((), "control-plane.yaml"),
    "agent-sandbox": Way(("--workload-provider", "agent-sandbox"), "control-plane-agent-sandbox.yaml"),
    # Only what is different then.
    "no-registry": Way(("--without-registry",), "control-plane-no-registry.yaml", ("--req", "FLT-01")),
}


def _run(way: Way, folder: Path, options: list[str]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    ready, kubeconfig = folder / "ready.json", folder / "kubeconfig"
    for left in (ready, kubeconfig):
        left.unlink(missing_ok=True)
    keys = ("OPEN_SANDBOX_API_KEY", "SANDKIT_PROBE_KEY", "SANDKIT_CONTROL_KEY")
    environment = {
        **os.environ,
        **{name: secrets.token_urlsafe() for name in keys},
        "SANDKIT_KUBECONFIG": str(kubeconfig),
    }
    command = (
        *(sys.executable, "-m", "sandkit_server.testing.control_plane.harness"),
        *("--ready-file", str(ready), "--kubeconfig", str(kubeconfig), *way.harness),
    )
    with (folder / "harness.log").open("w", encoding="utf-8") as log:
        harness = subprocess.Popen(command, env=environment, stderr=log, stdout=log)
        try:
            addresses = _await(ready, harness)
            if addresses is None:
                print(
                    f"conformance: the harness did not start; see {folder / 'harness.log'}", file=sys.stderr
                )
                return SUITE_COULD_NOT_RUN
            return _run_suite(way, addresses, environment, ["--report-dir", str(folder), *options])
        finally:
            _end(harness)
            kubeconfig.unlink(missing_ok=True)


def _end(harness: subprocess.Popen[bytes]) -> None:
    harness.terminate()
    try:
        harness.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        # The programs of its control plane notice that it is gone, and end too.
        harness.kill()
        harness.wait()


def _await(ready: Path, harness: subprocess.Popen[bytes]) -> Mapping[str, str] | None:
    deadline = time.monotonic() + START_SECONDS
    while harness.poll() is None and time.monotonic() < deadline:
        if ready.exists():
            addresses: dict[str, str] = json.loads(ready.read_text("utf-8"))
            return addresses
        time.sleep(0.05)
    return None


def _run_suite(
    way: Way, addresses: Mapping[str, str], environment: Mapping[str, str], options: list[str]
) -> int:
    command = (
        *(sys.executable, "-m", "sandkit_conformance", "run", "--target", str(TARGETS / way.target)),
        *("--base-url", addresses["baseUrl"], "--api-key-env", "OPEN_SANDBOX_API_KEY"),
        *("--probe-url", addresses["probeUrl"], "--control-url", addresses["controlUrl"]),
        *("--profile", "full", "--gate", "all", *way.suite, *options),
    )
    return subprocess.run(command, env=environment, check=False).returncode


def _end_like_an_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run the suite in the chosen ways."""
    parser = argparse.ArgumentParser(description="Run the suite against the product on a real control plane.")
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance-control-plane"))
    parser.add_argument(
        "--only", choices=tuple(WAYS), action="append", help="may be repeated; all by default"
    )
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    # A terminated run must end what it started too.
    signal.signal(signal.SIGTERM, _end_like_an_interrupt)
    code = 0
    try:
        for name in chosen.only or WAYS:
            # The others are run all the same.
            found = _run(WAYS[name], chosen.report_dir / name, chosen.suite)
            code = code or found
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
