"""Measure server and controller on a real control plane with a simulated node, beside bare pods.

    python -m server_stub.benchmarks.cluster [--sandboxes 2000] [--few 100] [--parallel 20]

Server, controller and node are processes of their own. Prints, at few and at many sandboxes: the time from
the create request to Running (p50, p99), that of a bare pod from its creation to Ready on the same node in
the same run, API calls per sandbox by kind, everybody's processor time, list latency and memory. Everything
shares the machine, so the ratios say more than the figures. Exit code 1 when time per sandbox at many is
above 1.5 times of that at few, or when a sandbox adds more than 150 ms to a bare pod (medians, in turn, one
at a time).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import secrets
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from server_stub.benchmarks.stage import (
    CREATE,
    Arrivals,
    calls,
    in_parallel,
    is_ready,
    is_running,
    processor_time,
    server,
    stage,
    tell,
    tenant,
)

from sandkit_server.kubernetes.calls import create
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.testing.control_plane.plane import ControlPlane

MOST_GROWTH = 1.5
MOST_ADDED = 0.15
ALONE = 30

# What server and controller send; node, scheduler and collector have calls of their own.
OURS = (
    ("POST", "batchsandboxes", ""),
    ("PATCH", "batchsandboxes", ""),
    ("PATCH", "batchsandboxes", "status"),
    ("POST", "pods", ""),
    ("PATCH", "pods", ""),
    ("GET", "pods", ""),
)
EVENT = ("POST", "events", "")


@dataclass(frozen=True)
class Setting:
    """What runs: the plane, one namespace of it, the server in front, and everybody's process id."""

    plane: ControlPlane
    namespace: str
    api: httpx.AsyncClient
    processes: dict[str, int]


async def one_sandbox(at: Setting, arrivals: Arrivals) -> float:
    """Seconds from the create request to Running."""
    began = time.perf_counter()
    answer = await at.api.post("/sandboxes", json=CREATE)
    answer.raise_for_status()
    return await arrivals.of(answer.json()["id"]) - began


async def one_pod(cluster: HttpCluster, arrivals: Arrivals) -> float:
    """Seconds from the creation of a bare pod to Ready."""
    name = f"bare-{secrets.token_hex(5)}"
    container = {"name": "main", "image": "busybox:1.36", "command": ["sleep", "3600"]}
    began = time.perf_counter()
    await cluster.send(create(PODS, {"metadata": {"name": name}, "spec": {"containers": [container]}}))
    return await arrivals.of(name) - began


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def events(at: Setting) -> int:
    """How many events the controller has told; the scheduler tells some, too."""
    told = json.loads(at.plane.kubectl("get", "events", "-o", "json", namespace=at.namespace))
    return sum(1 for event in told["items"] if event.get("reportingComponent", "").startswith("sandkit"))


async def listing(at: Setting) -> tuple[float, float]:
    """Median and worst of 50 pages of 100, in milliseconds."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        (await at.api.get("/sandboxes", params={"pageSize": 100})).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), max(times)


async def at_rest(at: Setting) -> None:
    """Wait until every event is told, so that what is late is not a burden of those who come after."""
    told = -1
    while told != (now := calls(at.plane)[EVENT]):
        told = now
        await asyncio.sleep(1)


async def grow(at: Setting, arrivals: Arrivals, count: int, parallel: int) -> float:
    """Make ``count`` sandboxes, tell all about it; gives seconds per sandbox."""
    before, told_before = calls(at.plane), events(at)
    used = {name: processor_time(pid) for name, pid in at.processes.items()}
    began = time.perf_counter()
    times = await in_parallel(lambda: one_sandbox(at, arrivals), count, parallel)
    each = (time.perf_counter() - began) / count
    await at_rest(at)
    burnt = {name: 1000 * (processor_time(pid) - used[name]) / count for name, pid in at.processes.items()}
    made = calls(at.plane)
    made.subtract(before)
    made[EVENT] = events(at) - told_before
    tell(f"create to Running, {count} by {parallel} at once", times)
    print(f"{'':<44} {1 / each:.1f} sandboxes a second, {1000 * each:.1f} ms each")
    ours = {key: made[key] / count for key in (*OURS, EVENT) if made[key]}
    told = ", ".join(f"{verb} {'/'.join(filter(None, what))} {n:.2f}" for (verb, *what), n in ours.items())
    print(f"API calls per sandbox: {sum(ours.values()):.2f} ({told})")
    told = ", ".join(f"{name} {used:.1f}" for name, used in burnt.items())
    print(f"processor time per sandbox: {sum(burnt.values()):.1f} ms ({told})")
    middle, worst = await listing(at)
    memory = ", ".join(f"{name} {resident(at.processes[name]):.0f} MiB" for name in ("server", "controller"))
    print(f"list, pages of 100: p50 {middle:.1f} ms, worst {worst:.1f} ms; memory: {memory}")
    return each


async def alone(at: Setting, cluster: HttpCluster, sandboxes: Arrivals, pods: Arrivals) -> float:
    """Sandboxes and bare pods in turn, one at a time; gives what a sandbox adds, in seconds."""
    ours, bare = [], []
    for _ in range(ALONE):
        ours.append(await one_sandbox(at, sandboxes))
        bare.append(await one_pod(cluster, pods))
    tell("create to Running, one at a time", ours)
    tell("a bare pod to Ready, one at a time", bare)
    added = statistics.median(ours) - statistics.median(bare)
    print(f"a sandbox adds {1000 * added:.0f} ms to a bare pod (at most {1000 * MOST_ADDED:.0f})")
    return added


async def measure(at: Setting, options: argparse.Namespace) -> bool:
    """All of it; whether the targets are met."""
    async with HttpCluster(at.plane.connection(at.namespace), field_manager="benchmark") as cluster, at.api:
        sandboxes, pods = Arrivals(cluster, BATCH_SANDBOXES, is_running), Arrivals(cluster, PODS, is_ready)
        following = [asyncio.create_task(each.run()) for each in (sandboxes, pods)]
        try:
            await in_parallel(lambda: one_sandbox(at, sandboxes), 5, 1)
            added = await alone(at, cluster, sandboxes, pods)
            few = await grow(at, sandboxes, options.few, options.parallel)
            rest = options.sandboxes - options.few
            await grow(at, sandboxes, rest - options.few, options.parallel)
            many = await grow(at, sandboxes, options.few, options.parallel)
        finally:
            for task in following:
                task.cancel()
    growth = many / few
    told = f"{growth:.2f} of that at {options.few} (at most {MOST_GROWTH})"
    print(f"time per sandbox at {options.sandboxes}: {told}")
    return added <= MOST_ADDED and growth <= MOST_GROWTH


def main() -> int:
    """Measure and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sandboxes", type=int, default=2000)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--parallel", type=int, default=20)
    options = parser.parse_args()
    if options.sandboxes < 3 * options.few:
        parser.error("--sandboxes: give at least three times --few")
    with (
        tempfile.TemporaryDirectory(prefix="sandkit-scale-") as folder,
        stage(Path(folder)) as on,
        tenant(on, "scale") as of,
        server(on, of) as (api, running),
    ):
        ours = {"server": running, "controller": of.controller, "node": on.node, "client": os.getpid()}
        at = Setting(on.plane, of.namespace, api, {**ours, **on.plane.processes})
        return 0 if asyncio.run(measure(at, options)) else 1


if __name__ == "__main__":
    sys.exit(main())
