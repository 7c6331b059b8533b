"""Kills the conformance suite at random points and sweeps up after it: nothing of any run may be left.

    python scripts/killed_runs.py --points 20 [--seed 1]

A server of our own serves all runs. The points are spread over the ledger of an undisturbed run, so that a
busy machine does not move them all to its start. After each kill `sandkit-conformance sweep` has the ledger
of the killed run and nothing else; then the census of the engine, taken by its probe, has to be what it was
before. The exit code is 1 when it is not, 2 when none can be made.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from sandkit_conformance.probes.view import View
from sandkit_server.testing import EmbeddedServer

TARGET = Path(__file__).parent.parent / "sdks" / "conformance" / "targets" / "memory.yaml"
COULD_NOT_RUN = 2
# How long what was deleted may take to be gone, in seconds.
PATIENCE = 10.0
# A kill comes up to so many seconds after the line of the ledger, so in the middle of whatever follows it.
LATER = 0.05
LOOK_EVERY = 0.002


class Trial:
    """Runs against one server, killed and swept up after."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._environment = {
            **os.environ,
            "OPEN_SANDBOX_API_KEY": str(server.api_key),
            "SANDKIT_PROBE_KEY": str(server.probe_key),
            "SANDKIT_CONTROL_KEY": str(server.control_key),
        }

    def undisturbed(self) -> int:
        """Let one run go to its end; gives the bytes of its ledger.

        Raises:
            RuntimeError: it was not green, so that nothing can be learned here.
        """
        done = subprocess.run(
            self._run("undisturbed", 0), env=self._environment, check=False, capture_output=True
        )
        if done.returncode != 0:
            raise RuntimeError(
                f"the undisturbed run ended with {done.returncode}:\n{done.stdout.decode()[-2000:]}"
            )
        return _size(self._ledger("undisturbed"))

    def killed(self, name: str, seed: int, at: int, later: float) -> str:
        """Kill a run `later` seconds after its ledger has `at` bytes; gives what the sweep after it said."""
        ledger = self._ledger(name)
        with (self._folder / f"{name}.log").open("wb") as log:
            run = subprocess.Popen(self._run(name, seed), env=self._environment, stdout=log, stderr=log)
            try:
                while _size(ledger) < at and run.poll() is None:
                    time.sleep(LOOK_EVERY)
                time.sleep(later)
            finally:
                run.kill()
                run.wait()
        swept = subprocess.run(
            [*self._suite("sweep"), "--ledger", str(ledger)],
            env=self._environment,
            check=False,
            capture_output=True,
            text=True,
        )
        lines = (swept.stdout + swept.stderr).strip().splitlines()
        return (
            f"sweep ended with {swept.returncode}: {len(lines)} lines, the last: {lines[-1] if lines else ''}"
        )

    def census(self) -> tuple[str, ...]:
        """Everything in the engine that takes room."""
        headers = {"SANDKIT-PROBE-KEY": str(self._server.probe_key)}
        answer = httpx.get(f"{self._server.probe_url}/v1/view", headers=headers, timeout=30)
        return View.parse(answer.raise_for_status().json()).census()

    def left_behind(self, before: tuple[str, ...]) -> list[str]:
        """What is there now and was not before, once it had time to go."""
        deadline = time.monotonic() + PATIENCE
        while (left := sorted(set(self.census()) ^ set(before))) and time.monotonic() < deadline:
            time.sleep(0.2)
        return left

    def _ledger(self, name: str) -> Path:
        return self._folder / name / "ledger.ndjson"

    def _suite(self, command: str) -> list[str]:
        return [
            *(sys.executable, "-m", "sandkit_conformance", command, "--target", str(TARGET)),
            *("--base-url", self._server.base_url, "--api-key-env", "OPEN_SANDBOX_API_KEY"),
            *("--probe-url", str(self._server.probe_url), "--control-url", str(self._server.control_url)),
        ]

    def _run(self, name: str, seed: int) -> list[str]:
        options = ("--profile", "full", "--gate", "all", "--seed", str(seed))
        return [*self._suite("run"), *options, "--report-dir", str(self._folder / name)]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def main(arguments: list[str]) -> int:
    """Make the runs and say what became of each."""
    parser = argparse.ArgumentParser(
        description="Kill runs of the suite at random points and sweep up after them."
    )
    parser.add_argument("--points", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    # A terminated campaign must end its server too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    dice = random.Random(chosen.seed)  # noqa: S311 - reproducible, not secret
    server = EmbeddedServer(
        subprocess=True,
        log=Path(os.devnull),
        max_lifetime=2_592_000,
        allowed_host_prefixes=("/srv/shared",),
    )
    bad = 0
    with server, tempfile.TemporaryDirectory(prefix="sandkit-killed-") as name:
        trial = Trial(server, Path(name))
        try:
            whole = trial.undisturbed()
        except RuntimeError as error:
            print(f"killed_runs: {error}", file=sys.stderr)
            return COULD_NOT_RUN
        before = trial.census()
        print(f"an undisturbed run writes {whole} bytes; the census is {len(before)} objects", flush=True)
        for number in range(chosen.points):
            at = dice.randint(1, whole)
            said = trial.killed(f"killed-{number}", number, at, dice.uniform(0.0, LATER))
            left = trial.left_behind(before)
            bad += bool(left)
            found = f"left: {', '.join(left)}" if left else "clean"
            print(f"{number + 1:3} killed at byte {at:6} · {said} · {found}", flush=True)
    print(f"{chosen.points - bad} of {chosen.points} killed runs were swept up clean")
    return int(bad > 0)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
