"""A server's runtime over an abstract cluster, as tests talk to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from sandkit_server.core.model import (
    Caller,
    ClaimSource,
    CreatePool,
    CreateSandbox,
    ImageSource,
    PoolCapacity,
    PoolContainer,
    PoolTemplate,
    Sandbox,
    SandboxState,
    Volume,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings
from sandkit_server.testing.backstage import AbstractCluster

CALLER = Caller("test")
PATIENCE = 20.0


@asynccontextmanager
async def running(
    cluster: AbstractCluster, *, policy: Policy | None = None, **settings: Any
) -> AsyncIterator[Server]:
    """A started runtime that is closed at the end."""
    server = Server(cluster, policy or Policy(), KubernetesSettings(endpoint_secret=b"secret", **settings))
    await server.runtime.start()
    try:
        yield server
    finally:
        await server.runtime.close()


class Server:
    """One runtime, with the ports it works through."""

    ports: Ports

    def __init__(self, cluster: AbstractCluster, policy: Policy, settings: KubernetesSettings) -> None:
        self.cluster = cluster
        self.runtime = KubernetesRuntime(cluster, settings, policy, lambda: "api.test:80", self._keep)

    @property
    def service(self) -> Any:
        return self.runtime.service

    async def create(self, key: str | None = None, **request: Any) -> Sandbox:
        made: Sandbox = await self.service.create_sandbox(create_request(**request), CALLER, key)
        return made

    async def until(self, sandbox_id: str, state: SandboxState) -> Sandbox:
        """Wait for a state of a sandbox."""
        async with asyncio.timeout(PATIENCE):
            while True:
                sandbox: Sandbox = await self.service.get_sandbox(sandbox_id)
                if sandbox.status.state is state:
                    return sandbox
                await asyncio.sleep(0.002)

    def _keep(self, ports: Ports) -> Ports:
        self.ports = ports
        return ports


def create_request(**fields: Any) -> CreateSandbox:
    """A small create request."""
    plain: dict[str, Any] = {
        "image": ImageSource(uri="busybox:1.36"),
        "entrypoint": ("sleep", "3600"),
        "resource_limits": {"cpu": "100m", "memory": "64Mi"},
    }
    if "poolRef" in fields.get("extensions", {}):
        plain = {}
    return CreateSandbox(**{**plain, **fields})


def claim_volume(
    claim: str = "data", *, delete: bool = True, create: bool = True, path: str = "/data"
) -> Volume:
    """A volume on a claim."""
    source = ClaimSource(claim_name=claim, create_if_not_exists=create, delete_on_sandbox_termination=delete)
    return Volume(name=claim, mount_path=path, claim=source)


def pool_request(name: str = "warm", *, pool_max: int = 2) -> CreatePool:
    """A pool of shells."""
    container = PoolContainer(image="busybox:1.36", name="sandbox", command=("sleep",), args=("3600",))
    capacity = PoolCapacity(buffer_min=1, buffer_max=1, pool_min=1, pool_max=pool_max)
    return CreatePool(name=name, template=PoolTemplate(containers=(container,)), capacity=capacity)


async def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(PATIENCE):
        while not holds():  # noqa: ASYNC110 - whatever it looks at tells of no change
            await asyncio.sleep(0.002)
