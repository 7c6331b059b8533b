"""Runs the conformance suite against server and controller on a real control plane, set up in each way.

    python scripts/conformance_control_plane.py [--only batchsandbox] [--runs 10] [-- options of `run`]

Everything runs on loopback, in processes of its own, and is ended whatever happens. Each way has a control
plane of its own; two are played side by side, as each waits much of its time. Runs go on until one is not
good, whose reports are kept. The exit code is 0 when the suite's was 0 every time, else the first other one
of that run; 2 when something did not come up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandkit_server.testing.control_plane import programs

REPOSITORY = Path(__file__).parent.parent
TARGETS = REPOSITORY / "sdks" / "conformance" / "targets"
SUITE_COULD_NOT_RUN = 2
SIDE_BY_SIDE = 2
START_SECONDS = 180.0
END_SECONDS = 60.0


@dataclass(frozen=True)
class Way:
    """A way to set the product up: what the harness is told, the target file, and what is looked at of it."""

    harness: tuple[str, ...]
    target: str
    suite: tuple[str, ...] = ()


# The longest first.
WAYS = {
    "batchsandbox": Way((), "control-plane.yaml"),
    "agent-sandbox": Way(("--workload-provider", "agent-sandbox"), "control-plane-agent-sandbox.yaml"),
    # Only what is different then.
    "no-registry": Way(("--without-registry",), "control-plane-no-registry.yaml", ("--req", "FLT-01")),
}


@dataclass(frozen=True)
class Played:
    """What came of one way: the exit code, how long it took from nothing to nothing, and where it is told."""

    name: str
    code: int
    seconds: float
    folder: Path

    def line(self) -> str:
        """The verdicts on one line."""
        found = f"exit {self.code}"
        report = self.folder / "report.json"
        # It is empty, or not there, when the suite could not run.
        if report.exists() and (text := report.read_text("utf-8")):
            content = json.loads(text)
            counts = content["summary"]["requirements"]
            verdicts = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
            found = f"{verdicts}, {found}, seed {content['run']['seed']}"
        return f"{self.name}: {found}, {self.seconds:.0f} s"


class Runner:
    """Plays ways, each into a folder of its own. With ``shown`` the suite writes to our own output."""

    def __init__(self, folder: Path, suite: Sequence[str], *, shown: bool) -> None:
        self._folder = folder
        self._suite = suite
        self._shown = shown
        self._room = asyncio.Semaphore(SIDE_BY_SIDE)

    async def play(self, names: Sequence[str]) -> list[Played]:
        """Play each once; the others are played whatever comes of one."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._play(name)) for name in names]
        return [task.result() for task in tasks]

    async def _play(self, name: str) -> Played:
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        for left in ("ready.json", "report.json", "output.txt"):
            (folder / left).unlink(missing_ok=True)
        async with self._room:
            began = time.monotonic()
            code = await self._set_up(WAYS[name], folder)
            return Played(name, code, time.monotonic() - began, folder)

    async def _set_up(self, way: Way, folder: Path) -> int:
        ready, kubeconfig = folder / "ready.json", folder / "kubeconfig"
        keys = ("OPEN_SANDBOX_API_KEY", "SANDKIT_PROBE_KEY", "SANDKIT_CONTROL_KEY")
        environment = {
            **os.environ,
            **{name: secrets.token_urlsafe() for name in keys},
            "SANDKIT_KUBECONFIG": str(kubeconfig),
        }
        command = (
            *("sandkit_server.testing.control_plane.harness", "--ready-file", str(ready)),
            *("--kubeconfig", str(kubeconfig), *way.harness),
        )
        harness = await _start(command, environment, folder / "harness.log")
        try:
            if not await _came_up(harness, ready.exists):
                print(
                    f"conformance: the harness did not start; see {folder / 'harness.log'}", file=sys.stderr
                )
                return SUITE_COULD_NOT_RUN
            return await self._run_suite(way, folder, environment)
        finally:
            await _end(harness)
            kubeconfig.unlink(missing_ok=True)

    async def _run_suite(self, way: Way, folder: Path, environment: Mapping[str, str]) -> int:
        addresses = json.loads((folder / "ready.json").read_text("utf-8"))
        command = (
            *("sandkit_conformance", "run", "--target", str(TARGETS / way.target)),
            *("--base-url", addresses["baseUrl"], "--api-key-env", "OPEN_SANDBOX_API_KEY"),
            *("--probe-url", addresses["probeUrl"], "--control-url", addresses["controlUrl"]),
            *("--profile", "full", "--gate", "all", "--report-dir", str(folder), *way.suite, *self._suite),
        )
        suite = await _start(command, environment, None if self._shown else folder / "output.txt")
        try:
            return await suite.wait()
        finally:
            await _end(suite)


async def _start(module: Sequence[str], environment: Mapping[str, str], output: Path | None) -> Process:
    """A module of ours as a process; what it writes goes to a file, or where ours goes."""
    command = (sys.executable, "-m", *module)
    if output is None:
        return await asyncio.create_subprocess_exec(*command, env=environment)
    with output.open("wb") as file:
        return await asyncio.create_subprocess_exec(*command, env=environment, stdout=file, stderr=file)


async def _came_up(harness: Process, is_ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while harness.returncode is None and time.monotonic() < deadline:
        if is_ready():
            return True
        await asyncio.sleep(0.05)
    return False


async def _end(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except TimeoutError:
        # The programs of a control plane notice that their harness is gone, and end too.
        process.kill()
        await process.wait()


async def _runs(number: int, names: Sequence[str], folder: Path, suite: Sequence[str]) -> int:
    # A terminated run must end what it started too.
    task = asyncio.current_task()
    assert task is not None, "asyncio.run made it"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    shown = number == len(names) == 1
    for run in range(1, number + 1):
        began = time.monotonic()
        played = await Runner(folder, suite, shown=shown).play(names)
        code = next((one.code for one in played if one.code), 0)
        for one in played:
            output = one.folder / "output.txt"
            if output.exists() and (number == 1 or one.code):
                print(output.read_text("utf-8", "replace"))
        for one in played:
            print(f"run {run}: {one.line()}")
        print(f"run {run}: {time.monotonic() - began:.0f} s", flush=True)
        if code:
            return code
    return 0


def main(arguments: list[str]) -> int:
    """Run the suite in the chosen ways."""
    parser = argparse.ArgumentParser(description="Run the suite against the product on a real control plane.")
    parser.add_argument("--report-dir", type=Path, default=Path("build/conformance-control-plane"))
    parser.add_argument(
        "--only", choices=tuple(WAYS), action="append", help="may be repeated; all by default"
    )
    parser.add_argument("--runs", type=int, default=1, help="so often in a row; ends at the first bad one")
    parser.add_argument("suite", nargs="*", help="after --: further options of `sandkit-conformance run`")
    chosen = parser.parse_args(arguments)
    try:
        # Once, before harnesses that are started together find them missing.
        programs.build()
        return asyncio.run(_runs(chosen.runs, chosen.only or tuple(WAYS), chosen.report_dir, chosen.suite))
    except programs.ProgramsMissing as error:
        print(error, file=sys.stderr)
        return SUITE_COULD_NOT_RUN
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("conformance: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
