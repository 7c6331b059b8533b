"""The engine of a harness: the cluster and its node, over which server and controller are composed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from sandkit_server.controller.config import Config
from sandkit_server.controller.controller import Controller
from sandkit_server.core.errors import Killed
from sandkit_server.core.observation import Control, Probe
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports, WorkloadProvider
from sandkit_server.core.service import LifecycleService
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Lifeline
from sandkit_server.disturbance.strikes import Disturbances, Steps
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings
from sandkit_server.runtimes.kubernetes.data_plane import PodDataPlane
from sandkit_server.testing.control_plane.harness.agent import NodeAgent
from sandkit_server.testing.control_plane.harness.control import HarnessControl
from sandkit_server.testing.control_plane.harness.deadlines import Deadlines
from sandkit_server.testing.control_plane.harness.directory import Directory
from sandkit_server.testing.control_plane.harness.disturbed import (
    DisturbedCluster,
    FullCluster,
    WatchfulWorkloads,
)
from sandkit_server.testing.control_plane.harness.points import Actor
from sandkit_server.testing.control_plane.node.kubelet import Node


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What outlives the processes of the product: the cluster, its node, time, and what is armed.

    Attributes:
        connect: Opens a connection to the API server as the account of one of the processes.
    """

    connect: Callable[[Actor], FullCluster]
    directory: Directory
    node: Node
    clock: AdjustableClock
    disturbances: Disturbances
    deadlines: Deadlines


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What an operator would have chosen. Without ``controller`` somebody else's works the objects."""

    server: KubernetesSettings
    policy: Policy
    controller: Config | None = field(default_factory=Config)


class HarnessEngine:
    """Composes server and controller together: one restart is a restart of both."""

    def __init__(self, world: World, choices: Choices) -> None:
        self._world = world
        self._choices = choices

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Processes:
        """A new server and a new controller over the same cluster."""
        return Processes(self._world, self._choices, endpoint_base, alter_ports)

    def probe(self) -> Probe:
        """What the API server cannot show."""
        return NodeAgent(self._world.node, self._world.directory, self._world.clock)

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> Control:
        """Disturbs the cluster as the processes see it."""
        world = self._world
        return HarnessControl(world.disturbances, world.clock, restart, world.deadlines)


class Processes:
    """A server and a controller, each with its own account, until they are closed or killed."""

    def __init__(
        self,
        world: World,
        choices: Choices,
        endpoint_base: Callable[[], str],
        alter_ports: Callable[[Ports], Ports],
    ) -> None:
        self._world = world
        self._choices = choices
        self._lifeline = Lifeline()
        self._steps = Steps(world.disturbances, self._lifeline, world.clock)
        self._controlling: asyncio.Task[None] | None = None

        def with_steps(ports: Ports) -> Ports:
            looks = WatchfulWorkloads(ports.workloads, self._steps, world.directory)
            workloads: WorkloadProvider = looks
            return alter_ports(replace(ports, workloads=workloads))

        self._server = KubernetesRuntime(
            self._connect(Actor.SERVER),
            choices.server,
            choices.policy,
            endpoint_base,
            with_steps,
            clock=world.clock,
        )

    @property
    def service(self) -> LifecycleService:
        """The operations of the API."""
        return self._server.service

    @property
    def data_plane(self) -> PodDataPlane:
        """The sandboxes' own ports."""
        return self._server.data_plane

    async def start(self) -> None:
        """Start both; the controller goes on by itself."""
        if self._choices.controller is not None:
            self._controlling = asyncio.ensure_future(self._control(self._choices.controller))
        await self._server.start()

    async def close(self) -> None:
        """End both in order."""
        await self._server.close()
        await self._stop_controller()
        self._lifeline.cut = True

    async def kill(self) -> None:
        """End both as by SIGKILL, at whatever call they are."""
        self._lifeline.cut = True
        self._world.disturbances.drop(self._lifeline)
        await self._stop_controller()
        await self._server.kill()

    async def _control(self, config: Config) -> None:
        cluster = self._connect(Actor.CONTROLLER)
        try:
            await Controller(cluster, self._world.clock, config).run()
        finally:
            await cluster.close()

    async def _stop_controller(self) -> None:
        if self._controlling is not None:
            self._controlling.cancel()
            with suppress(asyncio.CancelledError, Killed):
                await self._controlling

    def _connect(self, actor: Actor) -> DisturbedCluster:
        world = self._world
        return DisturbedCluster(world.connect(actor), actor, self._steps, world.directory, world.clock)
