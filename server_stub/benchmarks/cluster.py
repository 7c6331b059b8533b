"""Measure server and controller on a real control plane with a simulated node, beside bare pods.

    python server_stub/benchmarks/cluster.py [--sandboxes 2000] [--few 100] [--parallel 20]

Server, controller and node are processes of their own. Prints, at few and at many sandboxes: the time from
the create request to Running (p50, p99), that of a bare pod from its creation to Ready on the same node in
the same run, API calls per sandbox by kind, list latency and memory. Everything shares the machine, so the
ratios say more than the figures. Exit code 1 when time per sandbox at many is above 1.5 times of that at
few, or when a sandbox adds more than 150 ms to a bare pod (medians, in turn, one at a time).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import re
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sandkit_server.kubernetes.calls import Object, create, list_all
from sandkit_server.kubernetes.connection import from_kubeconfig
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS, Resource
from sandkit_server.kubernetes.watch import version_of
from sandkit_server.testing.control_plane import chart, programs
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane

MOST_GROWTH = 1.5
MOST_ADDED = 0.15
START_SECONDS = 60.0
ALONE = 30

CREATE = {
    "image": {"uri": "busybox:1.36"},
    "entrypoint": ["sleep", "3600"],
    "resourceLimits": {"cpu": "100m", "memory": "64Mi"},
}
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
SERIES = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Stage:
    """What runs: the plane, one namespace of it, and the server in front."""

    plane: ControlPlane
    namespace: str
    api: httpx.AsyncClient
    pids: dict[str, int]


class Arrivals:
    """When each object of a kind was first seen to be up, by a watch of our own."""

    def __init__(self, cluster: HttpCluster, resource: Resource, is_up: Callable[[Object], bool]) -> None:
        self._cluster = cluster
        self._resource = resource
        self._is_up = is_up
        self._seen: dict[str, float] = {}
        self._more = asyncio.Event()

    async def run(self) -> None:
        """Follow for ever."""
        version = version_of(await self._cluster.send(list_all(self._resource)))
        async with aclosing(self._cluster.watch(self._resource, version)) as events:
            async for event in events:
                name = event.object["metadata"].get("name")
                if name and name not in self._seen and self._is_up(event.object):
                    self._seen[name] = time.perf_counter()
                    self._more.set()

    async def of(self, name: str) -> float:
        """The instant at which this one came up."""
        while name not in self._seen:
            self._more.clear()
            await self._more.wait()
        return self._seen[name]


def is_running(sandbox: Object) -> bool:
    """Whether the controller has said that it is up."""
    return bool(sandbox.get("status", {}).get("phase") == "Succeed")


def is_ready(pod: Object) -> bool:
    """Whether the node has said that it is ready."""
    conditions = pod.get("status", {}).get("conditions") or ()
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def run_node(kubeconfig: str) -> None:
    """The node, as a process of its own."""

    async def work() -> None:
        async with NodeApi(from_kubeconfig(Path(kubeconfig))) as api:
            node = Node(api, NodeOptions())
            await node.register()
            await node.run()

    asyncio.run(work())


@contextmanager
def process(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[int]:
    """A program while the block lasts; gives its process id."""
    with log.open("wb") as output:
        running = subprocess.Popen(
            [sys.executable, "-m", *command], env={**os.environ, **environment}, stdout=output, stderr=output
        )
        try:
            yield running.pid
        finally:
            running.terminate()
            running.wait(timeout=30)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """Control plane, node, server and controller, installed as the chart does it."""
    built = programs.build()
    with ControlPlane(built) as plane:
        namespace = plane.administration.create_namespace("scale")
        accounts = chart.grant(plane.administration, built, namespace)
        configs = {"node": folder / "node.conf", **{name: folder / f"{name}.conf" for name in accounts}}
        configs["node"].write_text(plane.kubeconfig())
        for name, account in accounts.items():
            configs[name].write_text(plane.kubeconfig(namespace, account))
        node = multiprocessing.get_context("spawn").Process(
            target=run_node, args=(str(configs["node"]),), daemon=True
        )
        node.start()
        key, ready = secrets.token_urlsafe(), folder / "ready.json"
        serve = (
            *("sandkit_server", "serve", "--runtime", "kubernetes", "--port", "0"),
            *("--namespace", namespace, "--kubeconfig", str(configs["server"]), "--ready-file", str(ready)),
        )
        control = (
            *("sandkit_server.controller", "run", "--namespace", namespace, "--metrics-port", "0"),
            *("--kubeconfig", str(configs["controller"])),
        )
        try:
            with (
                process(serve, folder / "server.log", {"OPEN_SANDBOX_API_KEY": key}) as server,
                process(control, folder / "controller.log", {}) as controller,
            ):
                address = wait_for(ready)["baseUrl"]
                api = httpx.AsyncClient(
                    base_url=address, headers={"OPEN-SANDBOX-API-KEY": key}, timeout=60.0, trust_env=False
                )
                yield Stage(plane, namespace, api, {"server": server, "controller": controller})
        finally:
            node.terminate()
            node.join()


def wait_for(ready: Path) -> dict[str, str]:
    """What the server wrote when it was up."""
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the server did not start; see server.log in the folder above")
        time.sleep(0.05)
    told: dict[str, str] = json.loads(ready.read_text())
    return told


async def one_sandbox(at: Stage, arrivals: Arrivals) -> float:
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


async def in_parallel(make: Callable[[], Any], count: int, parallel: int) -> list[float]:
    """The times of ``count`` of them, so many at once."""
    room = asyncio.Semaphore(parallel)

    async def one() -> float:
        async with room:
            return float(await make())

    return await asyncio.gather(*(one() for _ in range(count)))


def calls(at: Stage) -> Counter[tuple[str, str, str]]:
    """What the API server has answered so far, by method, resource and subresource."""
    found: Counter[tuple[str, str, str]] = Counter()
    for line in at.plane.kubectl("get", "--raw", "/metrics").splitlines():
        if (match := SERIES.match(line)) is not None:
            labels = dict(LABEL.findall(match[1]))
            key = (labels["verb"], labels["resource"], labels["subresource"])
            found[key] += int(float(match[2]))
    return found


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(each for each in status.splitlines() if each.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def events(at: Stage) -> int:
    """How many events the controller has told; the scheduler tells some, too."""
    told = json.loads(at.plane.kubectl("get", "events", "-o", "json", namespace=at.namespace))
    return sum(1 for event in told["items"] if event.get("reportingComponent", "").startswith("sandkit"))


async def listing(at: Stage) -> tuple[float, float]:
    """Median and worst of 50 pages of 100, in milliseconds."""
    times = []
    for _ in range(50):
        began = time.perf_counter()
        (await at.api.get("/sandboxes", params={"pageSize": 100})).raise_for_status()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times), max(times)


def tell(what: str, times: Sequence[float]) -> None:
    """One line with the middle and the end of a distribution."""
    ordered = sorted(times)
    worst = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    print(f"{what:<44} p50 {1000 * statistics.median(ordered):7.0f} ms   p99 {1000 * worst:7.0f} ms")


async def grow(at: Stage, arrivals: Arrivals, count: int, parallel: int) -> float:
    """Make ``count`` sandboxes, tell all about it; gives seconds per sandbox."""
    before, told_before, began = calls(at), events(at), time.perf_counter()
    times = await in_parallel(lambda: one_sandbox(at, arrivals), count, parallel)
    each = (time.perf_counter() - began) / count
    made = calls(at)
    made.subtract(before)
    made[EVENT] = events(at) - told_before
    tell(f"create to Running, {count} by {parallel} at once", times)
    print(f"{'':<44} {1 / each:.1f} sandboxes a second, {1000 * each:.1f} ms each")
    ours = {key: made[key] / count for key in (*OURS, EVENT) if made[key]}
    told = ", ".join(f"{verb} {'/'.join(filter(None, what))} {n:.2f}" for (verb, *what), n in ours.items())
    print(f"API calls per sandbox: {sum(ours.values()):.2f} ({told})")
    middle, worst = await listing(at)
    memory = ", ".join(f"{name} {resident(pid):.0f} MiB" for name, pid in at.pids.items())
    print(f"list, pages of 100: p50 {middle:.1f} ms, worst {worst:.1f} ms; memory: {memory}")
    return each


async def alone(at: Stage, cluster: HttpCluster, sandboxes: Arrivals, pods: Arrivals) -> float:
    """Sandboxes and bare pods in turn, one at a time; gives what a sandbox adds, in seconds."""
    ours, bare = [], []
    for _ in range(ALONE):
        ours.append(await one_sandbox(at, sandboxes))
        bare.append(await one_pod(cluster, pods))
    tell("create to Running, one at a time", ours)
    tell("a bare pod to Ready, one at a time", bare)
    added = statistics.median(ours) - statistics.median(bare)
    print(f"a sandbox adds {1000 * added:.0f} ms to a bare pod")
    return added


async def measure(at: Stage, options: argparse.Namespace) -> bool:
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
    print(f"time per sandbox at {options.sandboxes}: {growth:.2f} of that at {options.few}")
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
    with tempfile.TemporaryDirectory(prefix="sandkit-scale-") as folder, stage(Path(folder)) as at:
        return 0 if asyncio.run(measure(at, options)) else 1


if __name__ == "__main__":
    sys.exit(main())
