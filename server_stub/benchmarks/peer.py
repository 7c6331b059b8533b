"""Measure creates side by side with the public opensandbox-server on the same control plane.

    python -m server_stub.benchmarks.peer [--rounds 6] [--alone 10] [--together 40] [--parallel 20]

Both servers make BatchSandboxes of the same group and version, each in a namespace of its own that the chart
has set up, as the account that the chart gives to a server. The peer's own controller is not to be had as a
Python package, so a controller of ours is at work in both namespaces. Nothing else stands in for anything:
the definitions take all that the peer writes, and it takes ``status.phase: Succeed`` for Running. API
server, scheduler and simulated node are the same, too. What differs is the server, and the pod it asks for:
the peer's has an init container with its agent.

Both answer a create when the sandbox is Running: the peer always, ours with ``--wait-ready``. Two times are
taken of each create, from its request to the phase Succeed in a watch of ours, which is the same instrument
for both, and to the answer. In a round first the one side and then the other makes its sandboxes, one at a
time and many at once; the one who begins changes from round to round.

API calls are the differences of the API server's own counters over a side's part of the rounds, so they hold
everybody's: server, controller, scheduler, node. Watches belong to the time and not to the sandboxes, and are
left out. Events are written later and not all of them, so they are shown and not added up. The node takes no
notice of init containers. Everything shares the machine: the ratios say more than the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import httpx
from scripts.peer_server import LOCK, PeerError, PeerServer
from server_stub.benchmarks.stage import (
    CREATE,
    Arrivals,
    Tenant,
    calls,
    client,
    in_parallel,
    is_running,
    processor_time,
    server,
    stage,
    tell,
    tenant,
)

from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.testing.control_plane.plane import ControlPlane

WARM_UP = 5
# What a create is about. Other kinds are read and written by the clock.
COUNTED = (BATCH_SANDBOXES.plural, "pods", "secrets", "events")
# Loopback is all it needs; there is no node that would pull the image of its agent.
RUNTIME = """\
[runtime]
type = "kubernetes"
execd_image = "sandkit/agent-stand-in:1"

[kubernetes]
kubeconfig_path = "{kubeconfig}"
namespace = "{namespace}"
workload_provider = "batchsandbox"
"""

Key = tuple[str, str, str]


class Times(NamedTuple):
    """Seconds from one create request: to the phase Succeed, and to the answer."""

    succeeded: float
    answered: float


@dataclass
class Taken:
    """What one way of making sandboxes has given so far.

    Attributes:
        rounds: The times of each round.
        calls: Requests the API server has answered meanwhile, by method, resource and subresource.
        seconds: How long it took.
        processor: Seconds of processor time the server has used.
    """

    rounds: list[list[Times]] = field(default_factory=list)
    calls: Counter[Key] = field(default_factory=Counter)
    seconds: float = 0.0
    processor: float = 0.0

    @property
    def count(self) -> int:
        """How many sandboxes."""
        return sum(len(times) for times in self.rounds)

    def calls_each(self) -> dict[Key, float]:
        """Calls per create that are the sandboxes' own."""
        return {
            key: n / self.count
            for key, n in self.calls.items()
            if n and key[0] != "WATCH" and key[1] in COUNTED
        }


@dataclass
class Side:
    """One server, and what was seen of it."""

    name: str
    api: httpx.AsyncClient
    pid: int
    arrivals: Arrivals
    alone: Taken = field(default_factory=Taken)
    together: Taken = field(default_factory=Taken)

    async def one(self) -> Times:
        """Make one sandbox."""
        began = time.perf_counter()
        answer = await self.api.post("sandboxes", json=CREATE)
        answered = time.perf_counter() - began
        sandbox = answer.json()
        if answer.is_error or sandbox["status"]["state"] != "Running":
            raise SystemExit(f"{self.name}: {answer.status_code} {answer.text}")
        return Times(await self.arrivals.of(sandbox["id"]) - began, answered)

    async def take(self, into: Taken, plane: ControlPlane, count: int, parallel: int) -> None:
        """Make so many at once and add what was seen."""
        before, used, began = calls(plane), processor_time(self.pid), time.perf_counter()
        into.rounds.append(await in_parallel(self.one, count, parallel))
        into.seconds += time.perf_counter() - began
        into.processor += processor_time(self.pid) - used
        into.calls.update(calls(plane))
        into.calls.subtract(before)


def compare(what: str, ours: Taken, theirs: Taken) -> None:
    """Everything about one way of making them."""
    for index, until in enumerate(("Succeed", "the answer")):
        columns = [[[each[index] for each in times] for times in side.rounds] for side in (ours, theirs)]
        for name, column in zip(("sandkit", "peer"), columns, strict=True):
            tell(f"{what}, to {until}: {name}", [each for times in column for each in times])
        each = sorted(
            statistics.median(other) / statistics.median(mine) for mine, other in zip(*columns, strict=True)
        )
        print(f"  peer to sandkit: {statistics.median(each):.2f} (rounds {each[0]:.2f} to {each[-1]:.2f})")
    row("sandboxes a second", ours.count / ours.seconds, theirs.count / theirs.seconds)
    cost = [1000 * side.processor / side.count for side in (ours, theirs)]
    row("processor time of the server per create, ms", *cost)
    mine, other = ours.calls_each(), theirs.calls_each()
    for key in sorted({*mine, *other}):
        row(f"{key[0]} {'/'.join(filter(None, key[1:]))}", mine.get(key, 0.0), other.get(key, 0.0))
    everybody = [sum(n for key, n in each.items() if key[1] != "events") for each in (mine, other)]
    row("API calls per create, all but events", *everybody)
    own = [sum(n for key, n in each.items() if by_server(key)) for each in (mine, other)]
    row("API calls per create, the server's own", *own)


def row(what: str, ours: float, theirs: float) -> None:
    """Two figures and their ratio."""
    ratio = f"   peer to sandkit: {theirs / ours:.2f}" if ours else ""
    print(f"  {what:<44} sandkit {ours:7.2f}   peer {theirs:7.2f}{ratio}")


def by_server(key: Key) -> bool:
    """Whether a server makes these calls: controllers write the status of a BatchSandbox and nothing else."""
    return key[1] == BATCH_SANDBOXES.plural and key[2] != "status"


async def measure(plane: ControlPlane, ours: Side, theirs: Side, options: argparse.Namespace) -> None:
    """Round by round."""
    following = [asyncio.create_task(side.arrivals.run()) for side in (ours, theirs)]
    try:
        for side in (ours, theirs):
            await in_parallel(side.one, WARM_UP, 1)
        for turn in range(options.rounds):
            for side in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
                await side.take(side.alone, plane, options.alone, 1)
                await side.take(side.together, plane, options.together, options.parallel)
    finally:
        for task in following:
            task.cancel()
    compare("one at a time", ours.alone, theirs.alone)
    compare(f"{options.parallel} at once", ours.together, theirs.together)


def peer(of: Tenant, home: Path) -> PeerServer:
    """The peer in a namespace, as the account that the chart gives to a server."""
    return PeerServer(home, RUNTIME.format(kubeconfig=of.configs["server"], namespace=of.namespace))


def version() -> str:
    """Which peer it is."""
    lines = LOCK.read_text("utf-8").splitlines()
    return next(line.split()[0] for line in lines if line.startswith("opensandbox-server=="))


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--alone", type=int, default=10, help="sandboxes of a round, one at a time")
    parser.add_argument("--together", type=int, default=40, help="sandboxes of a round, many at once")
    parser.add_argument("--parallel", type=int, default=20)
    options = parser.parse_args()

    async def work() -> None:
        async with (
            HttpCluster(on.plane.connection(here.namespace), field_manager="benchmark") as near,
            HttpCluster(on.plane.connection(there.namespace), field_manager="benchmark") as far,
            api,
            client(other.base_url, other.api_key) as their_api,
        ):
            ours = Side("sandkit", api, pid, Arrivals(near, BATCH_SANDBOXES, is_running))
            theirs = Side("peer", their_api, other.pid, Arrivals(far, BATCH_SANDBOXES, is_running))
            await measure(on.plane, ours, theirs, options)

    with (
        tempfile.TemporaryDirectory(prefix="sandkit-peer-") as folder,
        stage(Path(folder)) as on,
        tenant(on, "ours") as here,
        tenant(on, "theirs") as there,
        server(on, here, "--wait-ready") as (api, pid),
        peer(there, on.folder / "peer") as other,
    ):
        print(f"peer: {version()}, side by side with sandkit")
        asyncio.run(work())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except PeerError as error:
        print(f"peer: {error}", file=sys.stderr)
        sys.exit(2)
