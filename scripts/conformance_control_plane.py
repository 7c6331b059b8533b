"""Runs the conformance suite against server and controller on a real control plane, for each provider.

    python scripts/conformance_control_plane.py [--provider batchsandbox] [-- options of the suite's `run`]

Everything runs on loopback, in processes of its own, and is ended whatever happens. The exit code is 0 when
the suite's is 0 for every provider, else the first other one; 2 when something did not come up.
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
from pathlib import Path
from types import FrameType
from typing import NoReturn

REPOSITORY = Path(__file__).parent.parent
TARGETS = REPOSITORY / "sdks" / "conformance" / "targets"
PROVIDERS = {"batchsandbox": "control-plane.yaml", "agent-sandbox": "control-plane-agent-sandbox.yaml"}
SUITE_COULD_NOT_RUN = 2
# The programs may have to be built first.
START_SECONDS = 1_800.0


def _run(provider: str, folder: Path, options: list[str]) -> int:
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
        *("--workload-provider", provider, "--ready-file", str(ready), "--kubeconfig", str(kubeconfig)),
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
            return _run_suite(provider, addresses, environment, ["--report-dir", str(folder), *options])
        finally:
            harness.terminate()
            harness.wait()
            kubeconfig.unlink(missing_ok=True)


def _await(ready: Path, harness: subprocess.Popen[bytes]) -> Mapping[str, str] | None:
    deadline = time.monotonic() + START_SECONDS
    while harness.poll() is None and time.monotonic() < deadline:
        if ready.exists():
            addresses: dict[str, str] = json.loads(ready.read_text("utf-8"))
            return addresses
        time.sleep(0.05)
    return None


def _run_suite(
    provider: str, addresses: Mapping[str, str], environment: Mapping[str, str], options: list[str]
) -> int:
    command = (
        *(sys.executable, "-m", "sandkit_conformance", "run", "--target", str(TARGETS / PROVIDERS[provider])),
        *("--base-url", addresses["baseUrl"], "--api-key-env", "OPEN_SANDBOX_API_KEY"),
        *("--probe-url", addresses["probeUrl"], "--control-url", addresses["controlUrl"]),
        *("--profile", "full", "--gate", "all", *options),
    )
    return subprocess.run(command, env=environment, check=False).returncode


def _end_like_an_interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def main(arguments: list[str]) -> int:
    """Run the suite for the chosen providers."""
    parser = argparse.ArgumentParser(description="Run the suite against the product on a real control plane.")
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance-control-plane"))
    parser.add_argument("--provider", choices=tuple(PROVIDERS), action="append")
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    # A terminated run must end what it started too.
    signal.signal(signal.SIGTERM, _end_like_an_interrupt)
    code = 0
    try:
        for provider in chosen.provider or PROVIDERS:
            code = code or _run(provider, chosen.report_dir / provider, chosen.suite)
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
