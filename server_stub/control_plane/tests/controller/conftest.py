"""Processes of `sandkit-controller` under the chart's account, over a node stand-in."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandkit_server.core.model import SandboxState
from sandkit_server.core.port_errors import NotFound
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Lifeline
from sandkit_server.disturbance.strikes import Disturbances, Steps
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object, create, get, list_all, merge
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, INTENT_ANNOTATION, POOLS, SECRETS, Resource
from sandkit_server.testing.control_plane import chart
from sandkit_server.testing.control_plane.beside import beside
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

PATIENCE = 60.0
PAUSE = {
    "registry": "registry.test/sandboxes",
    "pushSecret": "push",
    "pullSecret": "pull",
    "committerImage": "committer.test/committer:1",
}
OPTIONS = (
    "--registry=registry.test/sandboxes",
    "--push-secret=push",
    "--pull-secret=pull",
    "--committer-image=committer.test/committer:1",
    "--lease-duration=8",
    "--lease-deadline=6",
    "--lease-retry=0.5",
    "--metrics-port=0",
    "--log-level=info",
)


@dataclass
class Process:
    """A running controller."""

    child: asyncio.subprocess.Process
    log: list[str] = field(default_factory=list)

    async def url(self) -> str:
        """Where its metrics are."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for line in self.log:
                    if "metrics and health at " in line:
                        return line.rsplit(" ", 1)[-1].strip()
                assert self.child.returncode is None, self.log
                await asyncio.sleep(0.01)

    async def ask(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.get(await self.url() + path)

    async def leading(self) -> bool:
        return (await self.ask("/readyz")).text == "leading\n"

    async def calls(self) -> Counter[str]:
        """Writes and single reads it has sent, as its metrics tell: verb and resource."""
        found: Counter[str] = Counter()
        for line in (await self.ask("/metrics")).text.splitlines():
            if line.startswith("sandkit_controller_api_requests_total{"):
                labels, value = line.removeprefix("sandkit_controller_api_requests_total{").rsplit("} ", 1)
                named = dict(part.split("=") for part in labels.replace('"', "").split(","))
                skipped = named["verb"] in {"list", "watch"} or named["resource"].startswith(
                    ("leases", "events")
                )
                if not skipped:
                    found[f"{named['verb']} {named['resource']}"] += int(float(value))
        return found

    async def end(self, number: signal.Signals) -> int:
        self.child.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.child.wait()


@dataclass
class Site:
    """A namespace with a node, which can be disturbed, and as many controllers as a test starts."""

    admin: HttpCluster
    node: str
    disturbances: Disturbances
    kubeconfig: Path
    stack: AsyncExitStack

    async def start(self) -> Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "sandkit_server.controller", "run", f"--kubeconfig={self.kubeconfig}"),
            *OPTIONS,
            stderr=asyncio.subprocess.PIPE,
        )
        process = Process(child)

        async def follow() -> None:
            assert child.stderr is not None
            async for line in child.stderr:
                process.log.append(line.decode())

        following = asyncio.ensure_future(follow())

        async def stop() -> None:
            if child.returncode is None:
                child.kill()
                await child.wait()
            await following

        self.stack.push_async_callback(stop)
        return process

    async def make(self, name: str, **spec: Any) -> Object:
        body = {"replicas": 1, **({} if "poolRef" in spec else {"template": self.template()}), **spec}
        return await self.admin.send(create(BATCH_SANDBOXES, {"metadata": {"name": name}, "spec": body}))

    async def make_pool(self, name: str, **capacity: int) -> Object:
        spec = {"template": self.template(), "capacitySpec": capacity}
        return await self.admin.send(create(POOLS, {"metadata": {"name": name}, "spec": spec}))

    def template(self) -> dict[str, Any]:
        container = {"name": "sandbox", "image": "busybox:1.36", "command": ["sleep", "3600"]}
        return {"spec": {"nodeSelector": {"kubernetes.io/hostname": self.node}, "containers": [container]}}

    async def ask(self, name: str, *, pause: bool) -> None:
        at = standing.rfc3339(standing.created_at(await self.get(BATCH_SANDBOXES, name) or {}))
        patch = {"metadata": {"annotations": {INTENT_ANNOTATION: at}}, "spec": {"pause": pause}}
        await self.admin.send(merge(BATCH_SANDBOXES, name, patch))

    async def get(self, resource: Resource, name: str) -> Object | None:
        try:
            return await self.admin.send(get(resource, name))
        except NotFound:
            return None

    async def names(self, resource: Resource) -> list[str]:
        items = (await self.admin.send(list_all(resource)))["items"]
        return sorted(each["metadata"]["name"] for each in items)

    async def until(self, name: str, state: SandboxState) -> Object:
        """Wait for a state of a sandbox."""

        def holds(obj: Object | None) -> bool:
            return obj is not None and standing.state_of(obj).state is state

        return await self.until_holds(BATCH_SANDBOXES, name, holds) or {}

    async def until_holds(
        self, resource: Resource, name: str, holds: Callable[[Object | None], bool]
    ) -> Object | None:
        found: Object | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                while not holds(found := await self.get(resource, name)):  # noqa: ASYNC110 - as a client does
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"it does not come about: {found}") from None
        return found

    async def until_gone(self, resource: Resource) -> None:
        async with asyncio.timeout(PATIENCE):
            while await self.names(resource):  # noqa: ASYNC110 - as a client does
                await asyncio.sleep(0.05)


@pytest.fixture
async def site(
    plane: ControlPlane, programs: Programs, namespace: str, tmp_path: Path
) -> AsyncIterator[Site]:
    values = {"server": {"apiKeySecret": {"name": "api-key"}}, "pause": PAUSE}
    accounts = chart.grant(plane.administration, programs, namespace, values)
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(plane.kubeconfig(namespace, accounts["controller"]), "utf-8")
    name = f"node-of-{namespace}"
    async with AsyncExitStack() as stack:
        admin = await stack.enter_async_context(
            HttpCluster(plane.connection(namespace), field_manager="sandkit-tests")
        )
        for secret in ("push", "pull"):
            body = {"metadata": {"name": secret}, "type": "kubernetes.io/dockerconfigjson"}
            data = {".dockerconfigjson": "eyJhdXRocyI6e319"}
            await admin.send(create(SECRETS, {**body, "data": data}))
        api = await stack.enter_async_context(NodeApi(plane.connection(namespace)))
        clock = AdjustableClock()
        disturbances = Disturbances(clock)
        node = Node(api, NodeOptions(name=name), Steps(disturbances, Lifeline(), clock))
        await node.register()
        async with beside(node.run):
            yield Site(admin=admin, node=name, disturbances=disturbances, kubeconfig=kubeconfig, stack=stack)
        await node.unregister()
