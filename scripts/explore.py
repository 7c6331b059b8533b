"""Explores every interleaving of server, controller and cluster over the product's own code.

    python scripts/explore.py [--scenario NAME ...] [--depth STEPS] [--workers 2] [--report-dir build/explore]
    python scripts/explore.py defects             finds every seeded bug, or exits with 1
    python scripts/explore.py replay TRACE.json   takes the steps of a trace again: is it still broken?
        [--kubeconfig FILE --namespace NAME]      … on that cluster, in an empty namespace
    python scripts/explore.py list                the scenarios and the seeded bugs

Exits with 1 when a promise is broken. The shortest trace is printed, and goes to the report folder as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import nullcontext
from pathlib import Path

from sandkit_server.kubernetes.connection import from_kubeconfig
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.testing.explorer.catalogue import SCENARIOS
from sandkit_server.testing.explorer.defects import DEFECTS
from sandkit_server.testing.explorer.replaying import Replay
from sandkit_server.testing.explorer.scenarios import Stage
from sandkit_server.testing.explorer.search import Bounds, Outcome, Search
from sandkit_server.testing.explorer.traces import Trace, UnknownStepError, trace_of, walk

# Seconds a cluster's own garbage collector may take.
_PATIENCE = 60.0

Result = tuple[str, Outcome[str], Trace | None]


def _explore(scenario: str, depth: int | None, defect: str = "") -> Result:
    """One search, in a process of its own."""
    # What the product tells its operator about the faults it meets is no news here.
    logging.disable(logging.CRITICAL)
    with DEFECTS[defect].installed() if defect else nullcontext():
        stage = Stage(SCENARIOS[scenario])
        outcome = Search(stage.world, Bounds(depth=depth or stage.scenario.depth)).run()
    trace = None if outcome.finding is None else trace_of(scenario, outcome.finding, defect)
    return defect or scenario, outcome, trace


def _all(scenarios: Sequence[str], depth: int | None, workers: int, folder: Path) -> int:
    began = time.monotonic()
    states = steps = rests = broken = 0
    print(f"{'scenario':22} {'states':>10} {'steps':>10} {'rests':>7} {'depth':>6} {'CPU s':>8}")
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        # The long ones first, so that no worker is left alone with one at the end.
        ordered = sorted(scenarios, key=lambda name: -SCENARIOS[name].weight)
        for future in as_completed([pool.submit(_explore, name, depth) for name in ordered]):
            name, outcome, trace = future.result()
            states, steps, rests = states + outcome.states, steps + outcome.steps, rests + outcome.rests
            print(
                f"{name:22} {outcome.states:10,} {outcome.steps:10,} {outcome.rests:7,} "
                f"{'all' if outcome.exhausted else outcome.depth:>6} {outcome.cpu:8.1f}",
                flush=True,
            )
            if trace is not None:
                broken += 1
                _tell(trace, folder)
    print(
        f"{states:,} distinct states, {steps:,} steps, {rests:,} states of rest judged in "
        f"{time.monotonic() - began:.0f} s by {workers} processes: {broken} broken promises"
    )
    return 1 if broken else 0


def _tell(trace: Trace, folder: Path) -> None:
    print("\n".join(trace.lines()))
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{trace.defect or trace.scenario}.json"
    file.write_text(trace.to_json(), "utf-8")
    print(f"      written to {file}")


def _defects(workers: int) -> int:
    missed = 0
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(_explore, each.scenario, 12, each.id) for each in DEFECTS.values()]
        for future in as_completed(found):
            name, outcome, trace = future.result()
            as_meant = trace is not None and DEFECTS[name].finds in trace.broken
            missed += not as_meant
            told = "not found" if trace is None else f"{len(trace.steps):2} steps: {trace.broken}"
            print(
                f"{'found ' if as_meant else 'MISSED'}  {name:42} {outcome.states:8,} states  {told}",
                flush=True,
            )
    print(f"{len(DEFECTS) - missed} of {len(DEFECTS)} seeded bugs found")
    return 1 if missed else 0


async def _replay_on(trace: Trace, kubeconfig: Path, namespace: str) -> int:
    connection = from_kubeconfig(kubeconfig)

    async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(_PATIENCE):
            while not await condition():  # noqa: ASYNC110 - what is waited for is in another process
                await asyncio.sleep(0.1)

    async with HttpCluster(connection, field_manager="sandkit-explorer", namespace=namespace) as cluster:
        with DEFECTS[trace.defect].installed() if trace.defect else nullcontext():
            broken = await Replay(Stage(SCENARIOS[trace.scenario]), trace, cluster, eventually).run()
    print(f"BROKEN on that cluster: {broken}" if broken else "no promise is broken on that cluster")
    return 1 if broken else 0


def _replay(file: Path, kubeconfig: Path | None, namespace: str) -> int:
    logging.disable(logging.CRITICAL)
    trace = Trace.from_json(file.read_text("utf-8"))
    if kubeconfig is not None:
        return asyncio.run(_replay_on(trace, kubeconfig, namespace))
    with DEFECTS[trace.defect].installed() if trace.defect else nullcontext():
        stage, broken = Stage(SCENARIOS[trace.scenario]), None
        try:
            for number, (_, step) in enumerate(walk(stage, trace), 1):
                print(f"{number:4}  {step.label}")
                broken = broken or step.broken
        except UnknownStepError as error:
            print(f"      {error}")
            return 2
    print(f"      {'BROKEN: ' + broken if broken else 'no step of it breaks a promise'}")
    return 1 if broken else 0


def _list() -> int:
    for scenario in SCENARIOS.values():
        asked = ", ".join(f"{each.what} {each.sandbox}" for each in scenario.asked)
        print(f"{scenario.name:22} depth {scenario.depth:3}  {asked}")
    for defect in DEFECTS.values():
        print(f"{defect.id:42} {defect.defect}")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Do what was asked; the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="all", choices=("all", "defects", "replay", "list"))
    parser.add_argument("trace", nargs="?", type=Path)
    parser.add_argument("--scenario", action="append", choices=tuple(SCENARIOS))
    parser.add_argument("--depth", type=int)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--report-dir", type=Path, default=Path("build/explore"))
    parser.add_argument("--kubeconfig", type=Path)
    parser.add_argument("--namespace", default="default")
    chosen = parser.parse_args(arguments)
    if chosen.what == "list":
        return _list()
    if chosen.what == "defects":
        return _defects(chosen.workers)
    if chosen.what == "replay":
        if chosen.trace is None:
            parser.error("replay needs the file of a trace")
        return _replay(chosen.trace, chosen.kubeconfig, chosen.namespace)
    return _all(chosen.scenario or tuple(SCENARIOS), chosen.depth, chosen.workers, chosen.report_dir)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
