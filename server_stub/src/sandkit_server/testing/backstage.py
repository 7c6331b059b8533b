"""What goes on behind the server in unit tests: a controller of few words, and the cluster's own collector.

It follows every change of the abstract cluster. Tests about the real controller are elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, suppress
from types import MappingProxyType
from typing import Any

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes import calls, standing
from sandkit_server.kubernetes.calls import Call, Object
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    CLAIMS,
    PODS,
    POOLS,
    SNAPSHOTS,
    Resource,
)
from sandkit_server.kubernetes.standing import Phase
from sandkit_server.kubernetes.watch import Event, version_of
from sandkit_server.runtimes.kubernetes.providers.agent_sandbox import VERSIONS
from sandkit_server.testing.cluster import FakeCluster
from sandkit_server.testing.control_plane import agent_sandbox

DIGEST = "sha256:" + "0" * 64


class AbstractCluster(FakeCluster):
    """The fake, with what a runtime needs besides calls."""

    served: frozenset[str] = frozenset({"v1alpha1", "v1beta1"})
    closed = False
    silent = False

    def silence(self) -> None:
        """Let every watch go on without telling anything, as a stale one does."""
        self.silent = True
        self.break_watches()

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = MappingProxyType({})
    ) -> AsyncGenerator[Event, None]:
        """As the fake's own, until it was silenced."""
        if self.silent:
            await asyncio.Event().wait()
        async with aclosing(super().watch(resource, version, labels)) as events:
            async for event in events:
                yield event

    async def serves(self, resource: Resource) -> bool:
        """Whether the version is in ``served``."""
        await asyncio.sleep(0)
        return resource.version in self.served

    async def close(self) -> None:
        """Take note."""
        self.closed = True


class Backstage:
    """Brings every BatchSandbox, SandboxSnapshot and Pool to its end as soon as it changes.

    Attributes:
        holding: While true, new sandboxes stay Pending, for the reason in ``excuse``.
        failing: While true, pauses and resumes fail.
        commits: While false, snapshots stay Pending.
        address: Where pods are.
    """

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.holding = False
        self.excuse = ("Unschedulable", "no node has room")
        self.failing = False
        self.commits = True
        self.address = "10.1.2.3"
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Follow every change from now on."""
        for resource in (BATCH_SANDBOXES, SNAPSHOTS, POOLS, CLAIMS, PODS, *VERSIONS):
            self._tasks.append(asyncio.create_task(self._follow(resource)))

    async def stop(self) -> None:
        """Follow no more."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look(self) -> None:
        """Act on what is there now."""
        for obj in list(self.cluster.all(BATCH_SANDBOXES)):
            self._sandbox(obj)
        for obj in list(self.cluster.all(SNAPSHOTS)):
            self._snapshot(obj)
        for obj in list(self.cluster.all(POOLS)):
            self._pool(obj)
        for resource in VERSIONS:
            for obj in list(self.cluster.all(resource)):
                self._agent(resource, obj)
        if self.holding:
            self.cluster.settle()
        else:
            self.cluster.play()

    async def _follow(self, resource: Resource) -> None:
        async for _ in self.cluster.watch(resource, "0"):
            # The server gets its turn to see the states in between.
            await asyncio.sleep(0.001)
            self.look()

    def _sandbox(self, obj: Object) -> None:
        if standing.deletion_of(obj) is not None or standing.is_abandoned(obj):
            return
        phase, intent = standing.phase_of(obj), standing.new_intent(obj)
        if phase is Phase.PENDING and self.holding:
            self._say(obj, Phase.PENDING, self._condition("Progressing", *self.excuse))
        elif phase is Phase.PENDING or (phase is Phase.RESUMING and not self.failing):
            self._say(
                obj, Phase.SUCCEED, self._condition("Ready", "Up"), podIPs=[self.address], podName="pod-x"
            )
        elif intent is not None:
            self._say(obj, Phase.PAUSING if phase is Phase.SUCCEED else Phase.RESUMING)
        elif phase is Phase.PAUSING and self.failing:
            self._say(obj, Phase.SUCCEED, self._condition("PauseFailed", "CommitFailed", "disk full"))
        elif phase is Phase.RESUMING:
            self._say(obj, Phase.PAUSED, self._condition("ResumeFailed", "ImagePullFailed", "no such image"))
        elif phase is Phase.PAUSING:
            self._say(obj, Phase.PAUSED, podIPs=None)

    def _agent(self, resource: Resource, obj: Object) -> None:
        pod = self.cluster.find(PODS, obj["metadata"]["name"])
        step = agent_sandbox.decide(resource, obj, pod, self.cluster.state.now)
        if step.call is not None:
            self._act(step.call)

    def _snapshot(self, obj: Object) -> None:
        if standing.snapshot_phase_of(obj) == "Pending" and self.commits:
            images = [{"containerName": "sandbox", "imageUri": "registry/x:1", "imageDigest": DIGEST}]
            at = standing.rfc3339(self.cluster.state.now)
            status = {"phase": "Succeed", "containers": images, "phaseTransitionTime": at}
            self._status(SNAPSHOTS, obj, status)

    def _pool(self, obj: Object) -> None:
        name, capacity = obj["metadata"]["name"], obj["spec"]["capacitySpec"]
        drawn = sum(each["spec"].get("poolRef") == name for each in self.cluster.all(BATCH_SANDBOXES))
        warm = max(0, min(capacity["bufferMax"], capacity["poolMax"] - drawn))
        status = {"total": warm + drawn, "allocated": drawn, "available": warm, "revision": "1"}
        if obj.get("status") != status:
            self._status(POOLS, obj, status)

    def _say(self, obj: Object, phase: Phase, *conditions: dict[str, Any], **more: Any) -> None:
        kept = {each["type"]: each for each in standing.status_of(obj).get("conditions", ())}
        kept |= {each["type"]: each for each in conditions}
        status = {
            "phase": phase,
            "pauseObservedGeneration": standing.generation_of(obj),
            "conditions": list(kept.values()),
            **more,
        }
        if phase != standing.phase_of(obj) or "phase" not in standing.status_of(obj):
            status["phaseTransitionTime"] = standing.rfc3339(self.cluster.state.now)
            self._status(BATCH_SANDBOXES, obj, status)

    def _condition(self, kind: str, reason: str, message: str = "") -> dict[str, Any]:
        at = standing.rfc3339(self.cluster.state.now)
        return {
            "type": kind,
            "status": "True",
            "lastTransitionTime": at,
            "reason": reason,
            "message": message,
        }

    def _status(self, resource: Resource, obj: Object, status: dict[str, Any]) -> None:
        call = calls.merge_status(resource, obj["metadata"]["name"], status, version=version_of(obj))
        self._act(call)

    def _act(self, call: Call) -> None:
        # The next change brings another look.
        with suppress(PortError):
            self.cluster.act(call)
