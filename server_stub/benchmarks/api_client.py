"""CPU time and rate of our calls to a real API server, beside lightkube's typed client where it is installed.

    python server_stub/benchmarks/api_client.py [CALLS]

lightkube brings a whole HTTP stack of its own; to compare, run this in an environment made for it
(`pip install ./server_stub[kubernetes] cryptography lightkube==1.0.1`).
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any

from sandkit_server.kubernetes.calls import create, get, list_all, merge
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.testing.control_plane import programs
from sandkit_server.testing.control_plane.plane import ControlPlane

_OBJECTS = 200
_AT_ONCE = 16

Operation = Callable[[], Awaitable[object]]


def sandbox(number: int) -> dict[str, Any]:
    """An object of the size they have."""
    container = {"name": "main", "image": "example.invalid/none", "command": ["sleep", "infinity"]}
    return {
        "metadata": {"name": f"s{number}", "labels": {"opensandbox.io/id": f"s{number}"}},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def ours(cluster: HttpCluster) -> dict[str, Operation]:
    """What is measured, through our client."""
    return {
        "get": lambda: cluster.send(get(BATCH_SANDBOXES, "s0")),
        "merge patch": lambda: cluster.send(merge(BATCH_SANDBOXES, "s0", {"spec": {"pause": False}})),
        f"list of {_OBJECTS}": lambda: cluster.send(list_all(BATCH_SANDBOXES)),
    }


def theirs(kubeconfig: str) -> dict[str, Operation]:
    """The same through lightkube."""
    lightkube: Any = importlib.import_module("lightkube")
    generic: Any = importlib.import_module("lightkube.generic_resource")
    patches: Any = importlib.import_module("lightkube.types").PatchType
    resource = BATCH_SANDBOXES
    kind = generic.create_namespaced_resource(
        resource.group, resource.version, resource.kind, resource.plural
    )
    client = lightkube.AsyncClient(config=lightkube.KubeConfig.from_dict(json.loads(kubeconfig)))

    async def everything() -> object:
        return [item async for item in client.list(kind)]

    return {
        "get": lambda: client.get(kind, "s0"),
        "merge patch": lambda: client.patch(kind, "s0", {"spec": {"pause": False}}, patch_type=patches.MERGE),
        f"list of {_OBJECTS}": everything,
    }


async def measure(operation: Operation, calls: int) -> tuple[float, float]:
    """Milliseconds of our own CPU per call, and calls per second, with some calls at once."""
    await operation()
    left = calls

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await operation()

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return 1000 * (time.process_time() - cpu) / calls, calls / (time.perf_counter() - wall)


def import_seconds(statement: str) -> float:
    """Time an interpreter takes to import something, beyond its own start; median of five."""

    def run(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - began

    return median(run(statement) - run("pass") for _ in range(5))


async def compare(plane: ControlPlane, calls: int) -> None:
    """Measure every operation through every client, in turn, and print the best of three."""
    namespace = plane.administration.create_namespace("bench")
    async with HttpCluster(plane.connection(namespace), field_manager="sandkit-bench") as cluster:
        for number in range(_OBJECTS):
            await cluster.send(create(BATCH_SANDBOXES, sandbox(number)))
        contenders = {"HttpCluster": ours(cluster)}
        if importlib.util.find_spec("lightkube"):
            contenders["lightkube"] = theirs(plane.kubeconfig(namespace))
        for name in contenders["HttpCluster"]:
            for contender, operations in contenders.items():
                amount = calls if "list" not in name else max(calls // 20, 1)
                rounds = [await measure(operations[name], amount) for _ in range(3)]
                cpu, rate = min(rounds)
                print(f"{name:12} {contender:12} {cpu:7.2f} ms CPU per call, {rate:6.0f} calls per second")


def main(calls: int) -> None:
    """Start a control plane and compare on it."""
    statements = {"HttpCluster": "import sandkit_server.kubernetes.http_cluster"}
    if importlib.util.find_spec("lightkube"):
        statements["lightkube"] = "import lightkube, lightkube.generic_resource"
    for contender, statement in statements.items():
        print(f"{'import':12} {contender:12} {1000 * import_seconds(statement):7.0f} ms")
    with ControlPlane(programs.build()) as plane:
        asyncio.run(compare(plane, calls))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
