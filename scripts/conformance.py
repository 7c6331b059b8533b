"""Starts the embedded server on free ports, runs the conformance suite against it, always ends the server.

    python scripts/conformance.py --report-dir build/conformance [-- options of `sandkit-conformance run`]

The server runs as its own process, exactly as a user would start it; the suite is read while it starts. Keys
are made for this run and passed in the environment, never on a command line. The exit code is the suite's; 2
when the server did not come up.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from sandkit_server.testing import EmbeddedServer

# Says which limits the server below was given.
TARGET = Path(__file__).parent.parent / "sdks" / "conformance" / "targets" / "memory.yaml"
SUITE_COULD_NOT_RUN = 2


def _start(server: EmbeddedServer) -> None:
    with ThreadPoolExecutor(max_workers=1) as beside:
        starting = beside.submit(server.start)
        _read_suite()
        starting.result()


def _read_suite() -> None:
    """Have read what the run is going to need; what is wrong with it the run says, in words."""
    with suppress(Exception):
        importlib.import_module("sandkit_conformance.cli.playing")
        importlib.import_module("sandkit_conformance.scenario.loader").shipped_suite()


def _run_suite(server: EmbeddedServer, options: list[str]) -> int:
    from sandkit_conformance.cli import run_command_line

    keys = {
        "OPEN_SANDBOX_API_KEY": server.api_key,
        "SANDKIT_PROBE_KEY": server.probe_key,
        "SANDKIT_CONTROL_KEY": server.control_key,
    }
    os.environ.update({name: str(key) for name, key in keys.items()})
    witnesses = ("--probe-url", server.probe_url, "--control-url", server.control_url)
    return run_command_line(
        [
            *("run", "--target", str(TARGET)),
            *("--base-url", server.base_url, "--api-key-env", "OPEN_SANDBOX_API_KEY"),
            *map(str, witnesses),
            # Every level counts: the reference server keeps the proposed promises and the declared gaps too.
            *("--profile", "full", "--gate", "all", *options),
        ]
    )


def main(arguments: list[str]) -> int:
    """Run the suite against a server of our own and give the suite's exit code."""
    parser = argparse.ArgumentParser(description="Run the conformance suite against a server of our own.")
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance"))
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    log = chosen.report_dir / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.unlink(missing_ok=True)
    # A terminated run must end its server too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = EmbeddedServer(
        subprocess=True,
        log=log,
        max_lifetime=2_592_000,
        allowed_host_prefixes=("/srv/shared",),
        # What has to be seen while it lasts the suite holds at a gate; for the rest nobody need wait.
        transition_time=0.005,
    )
    try:
        _start(server)
        return _run_suite(server, ["--report-dir", str(chosen.report_dir), *chosen.suite])
    except RuntimeError as error:
        print(f"conformance: {error}", file=sys.stderr)
        return SUITE_COULD_NOT_RUN
    except KeyboardInterrupt:
        print("conformance: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    finally:
        server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
