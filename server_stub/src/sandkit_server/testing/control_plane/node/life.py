"""One pod's life on the node: from its mounts and images to its last word."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sandkit_server.core.port_errors import PortError
from sandkit_server.disturbance.faults import InjectedCrash, Subject
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.kubernetes.resources import TASK_LABEL
from sandkit_server.testing.control_plane.node import status
from sandkit_server.testing.control_plane.node.api import NodeApi, Refused
from sandkit_server.testing.control_plane.node.committing import Committer, Exit
from sandkit_server.testing.control_plane.node.containers import (
    Container,
    Containers,
    RunningPod,
    new_container_id,
    sandbox_of,
)
from sandkit_server.testing.control_plane.node.ports import PodNetwork
from sandkit_server.testing.control_plane.node.registry import Files, ImageUnavailable, Registry
from sandkit_server.testing.control_plane.node.volumes import Volumes, claims_of, mounts_of

Pod = Mapping[str, Any]

# No answer, or one that says to come back.
_PASSING: Final = frozenset({0, 429, 500, 503, 504})
_FIRST_DELAY: Final = 0.1
_LONGEST_DELAY: Final = 2.0

_log = logging.getLogger(__name__)


class _NotYet(Exception):  # noqa: N818 - named for what happened
    """The pod cannot be started for now. ``reason`` is what the kubelet says of it."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What the node has to run pods with. ``subject_of`` tells whom a pod's steps are about."""

    api: NodeApi
    containers: Containers
    volumes: Volumes
    registry: Registry
    network: PodNetwork
    steps: Steps
    subject_of: Callable[[str | None], Subject]
    being_deleted: Callable[[str], bool]


class Lives:
    """Starts and ends pods, each call for one pod; cancelling one leaves the pod as it is at that moment."""

    def __init__(self, equipment: Equipment) -> None:
        self._equipment = equipment
        self._committer = Committer(
            equipment.containers,
            equipment.registry,
            equipment.steps,
            equipment.subject_of,
        )

    async def begin(self, pod: Pod) -> None:
        """Bring a pod up, and do its work where it has some. Returns when it runs, or has ended."""
        containers = await self._start(pod)
        if TASK_LABEL in (pod["metadata"].get("labels") or {}):
            await self._work(pod, containers)
            return
        running = self._equipment.containers.of(pod["metadata"]["uid"])
        assert running is not None, "it was just started"
        try:
            if self._equipment.steps.is_armed("workload.ready"):
                await self._tell(pod, status.running(pod, _now(), running.ip, containers, ready=False))
            async with self._equipment.steps.at("workload.ready", self._subject(pod)):
                pass
        except (PortError, InjectedCrash) as error:
            await self._finish(pod, Exit(1, f"the main process ended: {error}"))
            return
        for container in containers:
            container.log.append(f"{_now().isoformat()} started: {' '.join(container.command)}")
        await self._tell(pod, status.running(pod, _now(), running.ip, containers))

    async def end(self, pod: Pod) -> None:
        """End a pod that was deleted, and tell the API server that it is gone; tries until it succeeds."""
        delay = _FIRST_DELAY
        while True:
            try:
                await self._end(pod)
            except (PortError, InjectedCrash, Refused) as error:
                _log.info("pod %s is not ended yet: %s", pod["metadata"]["name"], error)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
            else:
                return

    def drop(self, uid: str) -> None:
        """Take away what is left of a pod whose object is gone."""
        running = self._equipment.containers.of(uid)
        if running is not None:
            self._equipment.network.leave(running.ip)
        self._equipment.containers.remove(uid)
        self._equipment.volumes.discard_pod(uid)

    async def _start(self, pod: Pod) -> tuple[Container, ...]:
        delay, said = _FIRST_DELAY, ""
        while True:
            try:
                return await self._try_to_start(pod)
            except _NotYet as problem:
                if problem.reason != said:
                    said = problem.reason
                    await self._tell(pod, status.waiting(pod, _now(), problem.reason, str(problem)))
            except Refused as refusal:
                if refusal.status not in _PASSING:
                    raise
                _log.info("pod %s is not started yet: %s", pod["metadata"]["name"], refusal)
            await asyncio.sleep(delay)
            delay = min(2 * delay, _LONGEST_DELAY)

    async def _try_to_start(self, pod: Pod) -> tuple[Container, ...]:
        claims = {name: await self._claim(pod, name) for name in set(claims_of(pod).values())}
        await self._require_secrets(pod)
        images = [await self._pull(pod, one["image"]) for one in pod["spec"]["containers"]]
        containers = tuple(
            Container(
                name=spec["name"],
                id=new_container_id(),
                image=spec["image"],
                command=(*(spec.get("command") or ()), *(spec.get("args") or ())),
                env={entry["name"]: entry.get("value", "") for entry in spec.get("env") or ()},
                started_at=_now(),
                rootfs=dict(files),
                mounts=mounts_of(pod, spec, claims),
            )
            for spec, files in zip(pod["spec"]["containers"], images, strict=True)
        )
        metadata = pod["metadata"]
        running = RunningPod(
            name=metadata["name"], uid=metadata["uid"], ip="", sandbox=sandbox_of(pod), containers=containers
        )
        running.ip = await self._equipment.network.join(
            lambda port: f"sandbox {running.sandbox or running.name}, port {port}"
        )
        self._equipment.containers.add(running)
        return containers

    async def _work(self, pod: Pod, containers: tuple[Container, ...]) -> None:
        running = self._equipment.containers.of(pod["metadata"]["uid"])
        assert running is not None, "it was just started"
        await self._tell(pod, status.running(pod, _now(), running.ip, containers))
        await self._finish(pod, await self._committer.run(pod))

    async def _finish(self, pod: Pod, result: Exit) -> None:
        running = self._equipment.containers.of(pod["metadata"]["uid"])
        if running is not None:
            self.drop(running.uid)
            told = status.ended(pod, _now(), running.containers, result.code, result.message)
            await self._tell(pod, told)

    async def _end(self, pod: Pod) -> None:
        metadata, steps = pod["metadata"], self._equipment.steps
        subject = self._subject(pod)
        if subject.sandbox_id is not None and self._equipment.being_deleted(subject.sandbox_id):
            async with steps.at("reconcile.stop", subject):
                pass
        async with steps.at("pod.delete", subject):
            running = self._equipment.containers.of(metadata["uid"])
            self.drop(metadata["uid"])
        if running is not None:
            # Ended by the signal that a deletion sends; a main process that has no handler says 143.
            await self._tell(pod, status.ended(pod, _now(), running.containers, 143))
        await self._equipment.api.delete(_path(pod), uid=metadata["uid"], at_once=True)

    async def _claim(self, pod: Pod, name: str) -> str:
        namespace = pod["metadata"]["namespace"]
        path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}"
        claim = await self._equipment.api.get(path)
        if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
            raise _NotYet("ContainerCreating", f"claim {name} is not there to be mounted")
        return str(claim["metadata"]["uid"])

    async def _require_secrets(self, pod: Pod) -> None:
        namespace = pod["metadata"]["namespace"]
        for volume in pod["spec"].get("volumes") or ():
            secret = volume.get("secret")
            if secret is None or secret.get("optional"):
                continue
            path = f"/api/v1/namespaces/{namespace}/secrets/{secret['secretName']}"
            if await self._equipment.api.get(path) is None:
                raise _NotYet(
                    "ContainerCreating", f"secret {secret['secretName']} is not there to be mounted"
                )

    async def _pull(self, pod: Pod, ref: str) -> Files:
        about = self._subject(pod)
        subject = Subject(sandbox_id=about.sandbox_id, name=ref, metadata=about.metadata)
        try:
            async with self._equipment.steps.at("image.pull", subject):
                return self._equipment.registry.pull(ref)
        except (PortError, ImageUnavailable, InjectedCrash) as error:
            raise _NotYet("ErrImagePull", f"failed to pull image {ref}: {error}") from error

    def _subject(self, pod: Pod) -> Subject:
        running = self._equipment.containers.of(pod["metadata"]["uid"])
        return self._equipment.subject_of(running.sandbox if running is not None else sandbox_of(pod))

    async def _tell(self, pod: Pod, told: dict[str, Any]) -> None:
        patch = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": told}
        delay = _FIRST_DELAY
        while True:
            try:
                await self._equipment.api.merge(f"{_path(pod)}/status", patch)
            except Refused as refusal:
                if refusal.status in (404, 409):
                    # The pod is gone, or another one has its name.
                    return
                if refusal.status not in _PASSING:
                    raise
                _log.info("status of pod %s: %s", pod["metadata"]["name"], refusal)
                await asyncio.sleep(delay)
                delay = min(2 * delay, _LONGEST_DELAY)
            else:
                return


def _path(pod: Pod) -> str:
    metadata = pod["metadata"]
    return f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"


def _now() -> datetime:
    return datetime.now(UTC)
