"""Fuzz a running server with Schemathesis, seeded: ``python run.py --seconds 60 --seed 1``.

All phases (examples, coverage, fuzzing, stateful) and all checks. Exit code 0: no failure; 1: failures,
printed with a curl command each; 2: the fuzzer could not do its work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import httpx

from sandkit_server.testing import EmbeddedServer

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
SPEC = ROOT / "specs" / "lifecycle.yaml"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=60, help="time to spend (60)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed sends the same requests (1)")
    parser.add_argument("--report-dir", type=Path, default=ROOT / "build" / "fuzz", help="for report.xml")
    options = parser.parse_args()
    options.report_dir.mkdir(parents=True, exist_ok=True)
    # In a process of its own, so that fuzzer and server do not wait for one interpreter.
    with EmbeddedServer(subprocess=True, log_level="warning") as server:
        code = _fuzz(server, options)
        alive = httpx.get(f"{server.base_url}/health", timeout=10)
    if alive.status_code != 200:
        sys.stderr.write(f"the server does not feel well after it: {alive.status_code} {alive.text}\n")
        return 1
    return code


def _fuzz(server: EmbeddedServer, options: argparse.Namespace) -> int:
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("--config-file", str(HERE / "schemathesis.toml")),
        *("run", str(SPEC), "--url", server.base_url),
        *("--phases", "examples,coverage,fuzzing,stateful"),
        *("--checks", "all"),
        *("--seed", str(options.seed), "--max-time", str(options.seconds)),
        *("--report", "junit", "--report-junit-path", str(options.report_dir / "report.xml")),
        *("--warnings", "off", "--no-color"),
    ]
    with tempfile.TemporaryDirectory(prefix="sandkit-fuzz-") as scratch:
        environment = {
            **os.environ,
            "PYTHONPATH": str(HERE),
            "SANDKIT_FUZZ_KEY": server.api_key or "",
            "HYPOTHESIS_STORAGE_DIRECTORY": scratch,
        }
        # It may overrun its budget by what it is doing at that moment.
        finished = subprocess.run(
            command, env=environment, cwd=scratch, check=False, timeout=options.seconds + 240
        )
    return finished.returncode


if __name__ == "__main__":
    sys.exit(main())
