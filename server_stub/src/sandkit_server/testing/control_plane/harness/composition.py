"""What a harness is made of: a namespace with accounts and secrets, the node, and the product over them."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandkit_server.controller.config import Config
from sandkit_server.core.policy import Policy
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Lifeline
from sandkit_server.disturbance.strikes import Disturbances, Steps
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, PODS, SNAPSHOTS, Resource
from sandkit_server.runtimes.kubernetes import KubernetesSettings, PodSettings
from sandkit_server.settings import Settings
from sandkit_server.testing.control_plane import chart
from sandkit_server.testing.control_plane.agent_sandbox import AgentSandboxController
from sandkit_server.testing.control_plane.harness.deadlines import Deadlines
from sandkit_server.testing.control_plane.harness.directory import Directory
from sandkit_server.testing.control_plane.harness.disturbed import DisturbedCluster
from sandkit_server.testing.control_plane.harness.engine import Choices, HarnessEngine, World
from sandkit_server.testing.control_plane.harness.points import POINTS, Actor
from sandkit_server.testing.control_plane.harness.sabotage import Saboteur
from sandkit_server.testing.control_plane.harness.serving import serve
from sandkit_server.testing.control_plane.identities import Identity
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

PROVIDERS: Final = ("batchsandbox", "agent-sandbox")
AGENT_SANDBOXES: Final = Resource(
    group="agents.x-k8s.io", version="v1beta1", plural="sandboxes", kind="Sandbox"
)

_PUSH_SECRET: Final = "registry-push"  # noqa: S105 - a name
_PULL_SECRET: Final = "registry-pull"  # noqa: S105 - a name
_PORTS: Final = (8080, 44772)
# How long nothing has to happen after the clock was moved; the control plane reacts in other processes.
_QUIET_SECONDS: Final = 0.1
_MOST_JUMPS: Final = 4
_FOREIGN_READY_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of the three listeners."""

    api: str = field(repr=False)
    probe: str = field(repr=False)
    control: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the product is installed: a namespace with what the chart makes for it, and its secrets."""

    plane: ControlPlane
    provider: str
    has_registry: bool
    namespace: str
    accounts: Mapping[str, Identity]


def prepare(plane: ControlPlane, programs: Programs, provider: str, *, has_registry: bool = True) -> Place:
    """Install the chart's accounts and roles into a new namespace. Raises RuntimeError."""
    namespace = plane.administration.create_namespace("conformance")
    accounts = chart.grant(plane.administration, programs, namespace, _values(provider))
    _make_secrets(plane, namespace)
    return Place(
        plane=plane, provider=provider, has_registry=has_registry, namespace=namespace, accounts=accounts
    )


async def run(place: Place, keys: Keys, ready_file: Path, stop: asyncio.Event) -> None:
    """Put everything together and serve until ``stop`` is set."""
    plane, provider, namespace = place.plane, place.provider, place.namespace
    workloads = BATCH_SANDBOXES if provider == PROVIDERS[0] else AGENT_SANDBOXES
    clock = AdjustableClock(quiet_seconds=_QUIET_SECONDS, most_jumps=_MOST_JUMPS)
    disturbances = Disturbances(clock, POINTS)
    async with AsyncExitStack() as ending:
        api = await ending.enter_async_context(NodeApi(plane.connection()))
        admin = await ending.enter_async_context(
            HttpCluster(plane.connection(namespace), field_manager="sandkit-tests")
        )
        others = (PODS, CLAIMS, SNAPSHOTS) if workloads is BATCH_SANDBOXES else (PODS, CLAIMS)
        directory = Directory(admin, workloads, others)
        steps = Steps(disturbances, Lifeline(), clock)
        node = Node(api, NodeOptions(ports=_PORTS), steps, directory.about, directory.is_being_deleted)
        disturbances.sabotage = Saboteur(admin, workloads, node.registry)

        def connect(actor: Actor) -> HttpCluster:
            connection = plane.connection(namespace, place.accounts[actor])
            return HttpCluster(connection, field_manager=f"sandkit-{actor}")

        world = World(
            connect=connect,
            directory=directory,
            node=node,
            clock=clock,
            disturbances=disturbances,
            deadlines=Deadlines(api, namespace),
        )
        await node.register()
        async with asyncio.TaskGroup() as group:
            helpers = [group.create_task(directory.run()), group.create_task(node.run())]
            if workloads is AGENT_SANDBOXES:
                watched = DisturbedCluster(admin, Actor.FOREIGN, steps, directory, clock)
                helpers.append(group.create_task(AgentSandboxController(watched, workloads, clock).run()))
            await directory.synced()
            engine = HarnessEngine(world, _choices(place))
            await serve(engine, _settings(provider, keys), (keys.probe, keys.control), ready_file, stop)
            for helper in helpers:
                helper.cancel()


def _values(provider: str) -> dict[str, object]:
    return {
        "server": {"apiKeySecret": {"name": "api-key", "key": "api-key"}},
        "workloadProvider": provider,
        "pause": {
            "registry": NodeOptions().repository,
            "pushSecret": _PUSH_SECRET,
            "pullSecret": _PULL_SECRET,
            "committerImage": "committer.test/committer:1",
        },
    }


def _choices(place: Place) -> Choices:
    provider = place.provider
    settings = KubernetesSettings(
        workload_provider=provider,
        pods=PodSettings(snapshot_pull_secret=_PULL_SECRET),
        through_server=True,
        endpoint_secret=secrets.token_bytes(32),
    )
    config = Config(
        registry=NodeOptions().repository if place.has_registry else None,
        push_secret=_PUSH_SECRET,
        pull_secret=_PULL_SECRET,
        committer_image="committer.test/committer:1",
        pull_patience=1.0,
        # Jobs are dated by the control plane, which does not see the moved clock.
        result_grace=1e7,
    )
    policy = Policy(
        max_timeout=2_592_000,
        host_path_prefixes=("/srv/shared",),
        # Of a foreign kind nothing tells that it will never be ready; what lasts too long is given up.
        ready_timeout=300.0 if provider == PROVIDERS[0] else _FOREIGN_READY_SECONDS,
        # There is one server, so whatever a killed one was making is nobody's.
        exclusive=True,
    )
    return Choices(server=settings, policy=policy, controller=config if provider == PROVIDERS[0] else None)


def _settings(provider: str, keys: Keys) -> Settings:
    return Settings.of(
        runtime="kubernetes", workload_provider=provider, port=0, api_key=keys.api, shutdown_grace=2.0
    )


def _make_secrets(plane: ControlPlane, namespace: str) -> None:
    """The two secrets of the registry, of the type that Kubernetes wants."""
    for name in (_PUSH_SECRET, _PULL_SECRET):
        entry = {"auth": base64.b64encode(f"{name}:{secrets.token_hex(8)}".encode()).decode()}
        config = json.dumps({"auths": {"registry.test": entry}})
        plane.administration.create(
            f"/api/v1/namespaces/{namespace}/secrets",
            {
                "metadata": {"name": name},
                "type": "kubernetes.io/dockerconfigjson",
                "data": {".dockerconfigjson": base64.b64encode(config.encode()).decode()},
            },
        )
