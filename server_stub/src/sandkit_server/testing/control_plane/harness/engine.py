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
    WatchfulWorkloads,
)
from sandkit_server.testing.control_plane.harness.mortal import FullCluster
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
        self._present: Processes | None = None

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Processes:
        """A new server and a new controller over the same cluster."""
        self._present = Processes(self._world, self._choices, endpoint_base, alter_ports)
        return self._present

    def probe(self) -> Probe:
        """What the API server cannot show."""
        return NodeAgent(self._world.node, self._world.directory, self._world.clock)

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> Control:
        """Disturbs the cluster as the processes see it."""
        world = self._world
        return HarnessControl(
            world.disturbances, world.clock, restart, self._restart_controller, world.deadlines
        )

    async def _restart_controller(self, graceful: bool) -> None:
        assert self._present is not None, "the server has started"
        await self._present.restart_controller(graceful)


class ControllerProcess:
    """A controller with an account of its own, until it is closed or killed."""

    def __init__(self, world: World, config: Config) -> None:
        self._world = world
        self._lifeline = Lifeline()
        steps = Steps(world.disturbances, self._lifeline, world.clock)
        self._cluster = DisturbedCluster(
            world.connect(Actor.CONTROLLER), Actor.CONTROLLER, steps, world.directory, world.clock
        )
        self._running = asyncio.ensure_future(Controller(self._cluster, world.clock, config).run())

    async def end(self, *, killed: bool) -> None:
        """End it, in order or at whatever call it is."""
        if killed:
            self._lifeline.cut = True
            self._world.disturbances.drop(self._lifeline)
        self._running.cancel()
        with suppress(asyncio.CancelledError, Killed):
            await self._running
        self._lifeline.cut = True
        await self._cluster.close()


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
        self._controller: ControllerProcess | None = None
        steps = Steps(world.disturbances, self._lifeline, world.clock)

        def with_steps(ports: Ports) -> Ports:
            workloads: WorkloadProvider = WatchfulWorkloads(ports.workloads, steps, world.directory)
            return alter_ports(replace(ports, workloads=workloads))

        self._server = KubernetesRuntime(
            DisturbedCluster(world.connect(Actor.SERVER), Actor.SERVER, steps, world.directory, world.clock),
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
        self._start_controller()
        await self._server.start()

    async def close(self) -> None:
        """End both in order."""
        await self._server.close()
        await self._end_controller(killed=False)
        self._lifeline.cut = True

    async def kill(self) -> None:
        """End both as by SIGKILL, at whatever call they are."""
        self._lifeline.cut = True
        self._world.disturbances.drop(self._lifeline)
        await self._end_controller(killed=True)
        await self._server.kill()

    async def restart_controller(self, graceful: bool) -> None:
        """End the controller and start another; the server does not notice."""
        await self._end_controller(killed=not graceful)
        self._start_controller()

    def _start_controller(self) -> None:
        if self._choices.controller is not None:
            self._controller = ControllerProcess(self._world, self._choices.controller)

    async def _end_controller(self, *, killed: bool) -> None:
        controller, self._controller = self._controller, None
        if controller is not None:
            await controller.end(killed=killed)
