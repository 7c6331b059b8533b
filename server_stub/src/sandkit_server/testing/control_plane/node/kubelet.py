"""The node itself: its object in the cluster, the pods bound to it, and what it runs them with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Lifeline, Subject
from sandkit_server.disturbance.strikes import Disturbances, Steps
from sandkit_server.testing.control_plane.node.api import NodeApi, Refused
from sandkit_server.testing.control_plane.node.containers import Containers, sandbox_of
from sandkit_server.testing.control_plane.node.following import follow
from sandkit_server.testing.control_plane.node.life import Equipment, Lives
from sandkit_server.testing.control_plane.node.logs import LogServer
from sandkit_server.testing.control_plane.node.ports import PodNetwork
from sandkit_server.testing.control_plane.node.provisioner import Provisioner
from sandkit_server.testing.control_plane.node.registry import Registry
from sandkit_server.testing.control_plane.node.status import NODE_IP
from sandkit_server.testing.control_plane.node.volumes import Volumes

_NODES: Final = "/api/v1/nodes"
_PODS: Final = "/api/v1/pods"
_ROOM: Final = {"cpu": "10000", "memory": "64Ti", "ephemeral-storage": "64Ti", "pods": "20000"}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOptions:
    """How a node is set up.

    Attributes:
        repository: The registry's repository that images of snapshots are pushed to.
        ports: Where every pod answers HTTP.
        arch: The processor architecture it says it has.
    """

    name: str = "stand-in"
    repository: str = "registry.test/sandboxes"
    ports: Sequence[int] = ()
    arch: str = "amd64"


class Node:
    """Registers itself and runs the pods bound to it until cancelled.

    Args:
        api: As the node, or as the administrator.
        options: How it is set up.
        steps: Where faults and gates strike.
        subject_of: What is known of the sandbox that a pod's steps are about; by default its id.
        being_deleted: Whether a sandbox's workload object is on its way out.

    Attributes:
        containers: What runs.
        volumes: Contents of volumes.
        registry: Images.
    """

    def __init__(
        self,
        api: NodeApi,
        options: NodeOptions,
        steps: Steps | None = None,
        subject_of: Callable[[str | None], Subject] | None = None,
        being_deleted: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._api = api
        self._options = options
        self.containers = Containers()
        self.volumes = Volumes()
        self.registry = Registry(options.repository)
        self._network = PodNetwork(options.ports)
        self._logs = LogServer(self.containers)
        self._provisioner = Provisioner(api, self.volumes)
        self._lives = Lives(
            Equipment(
                api=api,
                containers=self.containers,
                volumes=self.volumes,
                registry=self.registry,
                network=self._network,
                steps=steps or undisturbed(),
                subject_of=subject_of or _subject,
                being_deleted=being_deleted,
            )
        )
        self._beginning: dict[str, asyncio.Task[None]] = {}
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def register(self) -> None:
        """Make the node's object and the storage class; the scheduler finds it from then on."""
        port = await self._logs.start()
        await self._provisioner.install()
        try:
            await self._api.create(_NODES, self._object(port))
        except Refused as refusal:
            if refusal.status != 409:
                raise
            await self._api.merge(f"{_NODES}/{self._options.name}/status", self._object(port))
        # A new node is tainted until its health was looked at, and nobody here does that.
        await self._api.merge(f"{_NODES}/{self._options.name}", {"spec": {"taints": None}})

    async def unregister(self) -> None:
        """Take the node's object away; pods bound to it are for the control plane to remove."""
        await self._api.delete(f"{_NODES}/{self._options.name}")

    async def run(self) -> None:
        """Run pods until cancelled; they are left as they are."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._provisioner.run())
                mine = {"fieldSelector": f"spec.nodeName={self._options.name}"}
                group.create_task(follow(self._api, _PODS, self._on_pod, mine))
        finally:
            for task in (*self._beginning.values(), *self._ending.values()):
                task.cancel()
            self._network.close()
            self._logs.close()

    async def _on_pod(self, change: str, pod: Mapping[str, Any]) -> None:
        uid = pod["metadata"]["uid"]
        if change == "DELETED":
            self._stop(self._beginning, uid)
            self._stop(self._ending, uid)
            self._lives.drop(uid)
        elif "deletionTimestamp" in pod["metadata"]:
            self._stop(self._beginning, uid)
            if uid not in self._ending:
                self._spawn(self._ending, uid, self._lives.end(pod))
        else:
            running = self.containers.of(uid)
            is_new = (pod.get("status") or {}).get("phase", "Pending") == "Pending"
            if running is not None:
                running.sandbox = sandbox_of(pod)
            elif is_new and uid not in self._beginning:
                self._spawn(self._beginning, uid, self._lives.begin(pod))

    def _spawn(self, tasks: dict[str, asyncio.Task[None]], uid: str, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        tasks[uid] = task
        task.add_done_callback(_report)

    def _stop(self, tasks: dict[str, asyncio.Task[None]], uid: str) -> None:
        task = tasks.pop(uid, None)
        if task is not None:
            task.cancel()

    def _object(self, port: int) -> dict[str, Any]:
        name, arch = self._options.name, self._options.arch
        info = {
            "architecture": arch,
            "operatingSystem": "linux",
            "containerRuntimeVersion": "containerd://0.0.0-stand-in",
            "kubeletVersion": "v0.0.0-stand-in",
            **dict.fromkeys(("bootID", "kernelVersion", "machineID", "osImage", "systemUUID"), "stand-in"),
            "kubeProxyVersion": "",
        }
        return {
            "metadata": {
                "name": name,
                "labels": {
                    "kubernetes.io/hostname": name,
                    "kubernetes.io/os": "linux",
                    "kubernetes.io/arch": arch,
                },
            },
            "status": {
                "capacity": _ROOM,
                "allocatable": _ROOM,
                "conditions": [{"type": "Ready", "status": "True", "reason": "StandIn"}],
                "addresses": [
                    {"type": "InternalIP", "address": NODE_IP},
                    {"type": "Hostname", "address": NODE_IP},
                ],
                "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
                "nodeInfo": info,
            },
        }


def undisturbed() -> Steps:
    """Steps at which nothing ever happens."""
    clock = AdjustableClock()
    return Steps(Disturbances(clock), Lifeline(), clock)


def _subject(sandbox: str | None) -> Subject:
    return Subject(sandbox_id=sandbox)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("a pod's life was cut short", exc_info=error)
