"""What benchmarks on a control plane stand on: its processes, when an object came up, calls answered."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import secrets
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

from sandkit_server.kubernetes.calls import Object, list_all
from sandkit_server.kubernetes.connection import from_kubeconfig
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.kubernetes.watch import version_of
from sandkit_server.testing.control_plane import chart, programs
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane

T = TypeVar("T")

START_SECONDS = 60.0
TICKS = os.sysconf("SC_CLK_TCK")
CREATE = {
    "image": {"uri": "busybox:1.36"},
    "entrypoint": ["sleep", "3600"],
    "resourceLimits": {"cpu": "100m", "memory": "64Mi"},
}
SERIES = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$")
LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Stage:
    """A control plane with a node, by its process id, and a folder for configurations and logs."""

    plane: ControlPlane
    node: int
    built: programs.Programs
    folder: Path


@dataclass(frozen=True)
class Tenant:
    """One namespace with the chart's accounts, and a controller of ours at work in it."""

    namespace: str
    configs: dict[str, Path]
    controller: int


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
        listed = await self._cluster.send(list_all(self._resource))
        # What was made since the start of this may be in the list already.
        for found in listed["items"]:
            self._look(found)
        async with aclosing(self._cluster.watch(self._resource, version_of(listed))) as events:
            async for event in events:
                self._look(event.object)

    def _look(self, found: Object) -> None:
        name = found["metadata"].get("name")
        if name and name not in self._seen and self._is_up(found):
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
    """A control plane and a node on it."""
    built = programs.build()
    with ControlPlane(built) as plane:
        config = folder / "node.conf"
        config.write_text(plane.kubeconfig())
        node = multiprocessing.get_context("spawn").Process(target=run_node, args=(str(config),), daemon=True)
        node.start()
        try:
            assert node.pid is not None, "it was started"
            yield Stage(plane, node.pid, built, folder)
        finally:
            node.terminate()
            node.join()


@contextmanager
def tenant(on: Stage, name: str) -> Iterator[Tenant]:
    """A namespace set up as the chart does it, and the controller in it."""
    namespace = on.plane.administration.create_namespace(name)
    configs = {}
    for role, account in chart.grant(on.plane.administration, on.built, namespace).items():
        configs[role] = on.folder / f"{name}-{role}.conf"
        configs[role].write_text(on.plane.kubeconfig(namespace, account))
    command = (
        *("sandkit_server.controller", "run", "--namespace", namespace, "--metrics-port", "0"),
        *("--kubeconfig", str(configs["controller"])),
    )
    with process(command, on.folder / f"{name}-controller.log", {}) as controller:
        yield Tenant(namespace, configs, controller)


@contextmanager
def server(on: Stage, of: Tenant, *options: str) -> Iterator[tuple[httpx.AsyncClient, int]]:
    """A server of ours in a namespace; gives a client of it, which the caller closes, and its process id."""
    key, ready = secrets.token_urlsafe(), on.folder / "ready.json"
    command = (
        *("sandkit_server", "serve", "--runtime", "kubernetes", "--port", "0", *options),
        *("--namespace", of.namespace, "--kubeconfig", str(of.configs["server"]), "--ready-file", str(ready)),
    )
    with process(command, on.folder / "server.log", {"OPEN_SANDBOX_API_KEY": key}) as running:
        yield client(wait_for(ready)["baseUrl"], key), running


def client(base_url: str, key: str) -> httpx.AsyncClient:
    """A client of a server of the lifecycle API."""
    headers = {"OPEN-SANDBOX-API-KEY": key}
    return httpx.AsyncClient(base_url=base_url, headers=headers, timeout=60.0, trust_env=False)


def wait_for(ready: Path) -> dict[str, str]:
    """What the server wrote when it was up."""
    deadline = time.monotonic() + START_SECONDS
    while not ready.exists():
        if time.monotonic() > deadline:
            raise SystemExit("the server did not start; see server.log in the folder above")
        time.sleep(0.05)
    told: dict[str, str] = json.loads(ready.read_text())
    return told


async def in_parallel(make: Callable[[], Awaitable[T]], count: int, parallel: int) -> list[T]:
    """What came of ``count`` of them, so many at once."""
    room = asyncio.Semaphore(parallel)

    async def one() -> T:
        async with room:
            return await make()

    return await asyncio.gather(*(one() for _ in range(count)))


def calls(plane: ControlPlane) -> Counter[tuple[str, str, str]]:
    """What the API server has answered so far, by method, resource and subresource."""
    found: Counter[tuple[str, str, str]] = Counter()
    for line in plane.kubectl("get", "--raw", "/metrics").splitlines():
        if (match := SERIES.match(line)) is not None:
            labels = dict(LABEL.findall(match[1]))
            key = (labels["verb"], labels["resource"], labels["subresource"])
            found[key] += int(float(match[2]))
    return found


def processor_time(pid: int) -> float:
    """Seconds a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def tell(what: str, times: Sequence[float]) -> None:
    """One line with the middle and the end of a distribution."""
    ordered = sorted(times)
    worst = ordered[min(len(ordered) - 1, round(0.99 * len(ordered)))]
    print(f"{what:<44} p50 {1000 * statistics.median(ordered):7.0f} ms   p99 {1000 * worst:7.0f} ms")
