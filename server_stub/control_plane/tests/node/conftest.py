"""A node of its own for each test, and the moves tests make on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from sandkit_server.controller.config import Config
from sandkit_server.controller.manifests.jobs import Container, Source, commit_job, release_job
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import Fault, Gate, Lifeline
from sandkit_server.disturbance.strikes import Disturbances, Steps
from sandkit_server.kubernetes.resources import ID_LABEL
from sandkit_server.testing.control_plane.beside import beside
from sandkit_server.testing.control_plane.node.api import NodeApi
from sandkit_server.testing.control_plane.node.containers import RunningPod
from sandkit_server.testing.control_plane.node.kubelet import Node, NodeOptions
from sandkit_server.testing.control_plane.plane import ControlPlane

PATIENCE = 30.0
PORT = 8080
CONFIG = Config(
    registry="registry.test/sandboxes", push_secret="push", committer_image="committer.test/committer:1"
)

Json = Mapping[str, Any]


class Bench:
    """One node in the test's namespace."""

    def __init__(self, api: NodeApi, namespace: str) -> None:
        self.api = api
        self.namespace = namespace
        clock = AdjustableClock()
        self.disturbances = Disturbances(clock)
        self.name = f"node-of-{namespace}"
        self.node = Node(
            api,
            NodeOptions(name=self.name, ports=(PORT,)),
            Steps(self.disturbances, Lifeline(), clock),
        )

    async def create(self, kind: str, body: Json, group: str = "/api/v1") -> Json:
        return await self.api.create(f"{group}/namespaces/{self.namespace}/{kind}", body)

    async def get(self, kind: str, name: str, group: str = "/api/v1") -> Json | None:
        return await self.api.get(f"{group}/namespaces/{self.namespace}/{kind}/{name}")

    async def delete(self, kind: str, name: str) -> None:
        await self.api.delete(f"/api/v1/namespaces/{self.namespace}/{kind}/{name}")

    async def pod(
        self, name: str, *, image: str = "busybox:1.36", claims: Sequence[str] = (), **container: Any
    ) -> Json:
        """Make a pod of a sandbox of the same name, each claim mounted below /mnt."""
        spec = {
            "nodeSelector": {"kubernetes.io/hostname": self.name},
            "restartPolicy": "Never",
            "containers": [
                {
                    "name": "sandbox",
                    "image": image,
                    "command": ["sleep", "3600"],
                    "volumeMounts": [{"name": each, "mountPath": f"/mnt/{each}"} for each in claims],
                    **container,
                }
            ],
            "volumes": [{"name": each, "persistentVolumeClaim": {"claimName": each}} for each in claims],
        }
        return await self.create(
            "pods", {"metadata": {"name": name, "labels": {ID_LABEL: name}}, "spec": spec}
        )

    async def ready(self, name: str, **pod: Any) -> RunningPod:
        """Make a pod and wait until the API server says that it is ready."""
        await self.pod(name, **pod)
        await self.until("pods", name, lambda one: one is not None and is_ready(one))
        found = self.node.containers.of_sandbox(name)
        assert found is not None
        return found

    async def claim(self, name: str) -> Json:
        """Make a claim and wait until it is bound; gives it."""
        spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        await self.create("persistentvolumeclaims", {"metadata": {"name": name}, "spec": spec})
        bound = await self.until(
            "persistentvolumeclaims", name, lambda one: one is not None and one["status"]["phase"] == "Bound"
        )
        assert bound is not None
        return bound

    async def until(
        self, kind: str, name: str, holds: Callable[[Json | None], bool], group: str = "/api/v1"
    ) -> Json | None:
        """Wait until something holds of an object (``None`` when it is gone); gives it."""
        async with asyncio.timeout(PATIENCE):
            while not holds(found := await self.get(kind, name, group)):  # noqa: ASYNC110 - as anybody could
                await asyncio.sleep(0.01)
        return found

    async def job(self, task: str, source: RunningPod, snapshot: str = "snap-1") -> str:
        """Start a job of the controller's for a snapshot of a pod; gives its name."""
        about = {
            "metadata": {"name": snapshot, "uid": "0f5ad2ba-0000-4000-8000-000000000000"},
            "spec": {"sandboxName": source.name},
        }
        containers = [
            Container(name=one.name, id=one.id, image=f"registry.test/sandboxes/{source.name}:{snapshot}")
            for one in source.containers
        ]
        work = Source(pod=source.name, pod_uid=source.uid, node=self.name, containers=containers)
        body = {"commit": commit_job, "release": release_job}[task](about, work, CONFIG)
        # Its owner is not there, and the garbage collector would say so.
        del body["metadata"]["ownerReferences"]
        await self.create("jobs", body, "/apis/batch/v1")
        return str(body["metadata"]["name"])

    async def ended(self, job: str) -> Mapping[str, Any]:
        """How the pod of a job ended: exit code and message."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        async with asyncio.timeout(PATIENCE):
            while True:
                pods, _ = await self.api.list(path, {"labelSelector": f"batch.kubernetes.io/job-name={job}"})
                for pod in pods:
                    for status in pod["status"].get("containerStatuses") or ():
                        if "terminated" in status["state"]:
                            ended: Mapping[str, Any] = status["state"]["terminated"]
                            return ended
                await asyncio.sleep(0.01)

    def fault(self, point: str, **fields: Any) -> Fault:
        fault = Fault(id=point, point=point, action=fields.pop("action", "error"), **fields)
        self.disturbances.add_fault(fault)
        return fault

    def gate(self, point: str) -> Gate:
        gate = Gate(id=point, point=point)
        self.disturbances.add_gate(gate)
        return gate


async def held(gate: Gate) -> None:
    """Wait until somebody stands at a gate."""
    async with asyncio.timeout(PATIENCE):
        await gate.arrivals.wait()


def is_frozen(pod: RunningPod) -> bool:
    """Whether every process of a pod stands still."""
    return all(container.frozen for container in pod.containers)


def is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions") or ()
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


@pytest.fixture
async def bench(plane: ControlPlane, namespace: str) -> AsyncIterator[Bench]:
    async with NodeApi(plane.connection(namespace)) as api:
        bench = Bench(api, namespace)
        await bench.create(
            "secrets", {"metadata": {"name": "push"}, "stringData": {".dockerconfigjson": "{}"}}
        )
        await bench.node.register()
        async with beside(bench.node.run):
            yield bench
        await bench.node.unregister()
