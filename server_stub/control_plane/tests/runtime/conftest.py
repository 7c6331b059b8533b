"""The server's runtime, the controller and a node over the real control plane, each with its own account."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from sandkit_server.controller.config import Config
from sandkit_server.controller.controller import Controller
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports
from sandkit_server.kubernetes.clock import SystemClock
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings
from sandkit_server.runtimes.kubernetes.providers.agent_sandbox import VERSIONS
from sandkit_server.testing.control_plane import agent_sandbox, chart
from sandkit_server.testing.control_plane.agent_sandbox import AgentSandboxController
from sandkit_server.testing.control_plane.beside import beside, node_of
from sandkit_server.testing.control_plane.identities import Identity
from sandkit_server.testing.control_plane.node.kubelet import NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

PUSH_SECRET = "registry-push"
AUTH = {".dockerconfigjson": "eyJhdXRocyI6e319"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A namespace in which a kind of workload is at work; opens servers over it.

    Attributes:
        admin: The namespace, as the administrator.
        accounts: Who server and controller are: the chart's accounts with the chart's roles.
    """

    plane: ControlPlane
    namespace: str
    provider: str
    admin: HttpCluster
    accounts: Mapping[str, Identity]
    stack: AsyncExitStack = field(repr=False)

    def cluster(self, who: str = "server") -> HttpCluster:
        """A connection as the account of one of the processes."""
        connection = self.plane.connection(self.namespace, self.accounts[who])
        return HttpCluster(connection, field_manager=f"sandkit-{who}")

    async def server(self, policy: Policy | None = None, **settings: Any) -> tuple[KubernetesRuntime, Ports]:
        """A started server, closed at the end of the test, and the ports it works through."""
        kept: list[Ports] = []

        def keep(ports: Ports) -> Ports:
            kept.append(ports)
            return ports

        chosen = KubernetesSettings(endpoint_secret=b"secret", workload_provider=self.provider, **settings)
        runtime = KubernetesRuntime(self.cluster(), chosen, policy or Policy(), lambda: "api.test:80", keep)
        await runtime.start()
        self.stack.push_async_callback(runtime.close)
        return runtime, kept[0]


@pytest.fixture(scope="session")
def agent_sandboxes(plane: ControlPlane) -> None:
    """The community's kind, in both versions."""
    (name,) = plane.administration.apply_definitions(
        json.dumps(agent_sandbox.definition("v1beta1", "v1alpha1"))
    )
    while not plane.administration.is_served(name):
        pass


@pytest.fixture
def provider() -> str:
    return "batchsandbox"


@pytest.fixture
async def place(
    plane: ControlPlane,
    programs: Programs,
    namespace: str,
    cluster: HttpCluster,
    provider: str,
    agent_sandboxes: None,
) -> AsyncIterator[Place]:
    """A namespace with the chart's accounts, a node, and the controller of the kind."""
    values = {
        "server": {"apiKeySecret": {"name": "api-key", "key": "api-key"}},
        "workloadProvider": provider,
        "pause": {
            "registry": NodeOptions().repository,
            "pushSecret": PUSH_SECRET,
            "committerImage": "committer.test/committer:1",
        },
    }
    accounts = chart.grant(plane.administration, programs, namespace, values)
    plane.administration.create(
        f"/api/v1/namespaces/{namespace}/secrets",
        {"metadata": {"name": PUSH_SECRET}, "type": "kubernetes.io/dockerconfigjson", "data": AUTH},
    )
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(node_of(plane))
        made = Place(
            plane=plane, namespace=namespace, provider=provider, admin=cluster, accounts=accounts, stack=stack
        )
        await stack.enter_async_context(_behind(made))
        yield made


@asynccontextmanager
async def _behind(place: Place) -> AsyncIterator[None]:
    """Whoever works the objects that the server writes."""
    if place.provider == "agent-sandbox":
        # Not ours to give an account to.
        async with beside(AgentSandboxController(place.admin, VERSIONS[0]).run):
            yield
        return
    config = Config(
        registry=NodeOptions().repository,
        push_secret=PUSH_SECRET,
        committer_image="committer.test/committer:1",
    )
    async with (
        place.cluster("controller") as cluster,
        beside(Controller(cluster, SystemClock(), config).run),
    ):
        yield
