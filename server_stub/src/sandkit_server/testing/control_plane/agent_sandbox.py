"""A stand-in for the controller of the agent-sandbox project, which is not to be had as a module.

It follows that project's reference as far as the server relies on it: one pod per ``Sandbox``, released while
it is suspended, deleted (or kept without a pod) at its shutdown time. Apart from the product on purpose.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any, Final, NamedTuple

from sandkit_server.core.port_errors import PortError
from sandkit_server.core.ports import Clock
from sandkit_server.core.supervision import Supervisor
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Call, Object, Propagation
from sandkit_server.kubernetes.clock import SystemClock
from sandkit_server.kubernetes.resources import PODS, Resource
from sandkit_server.kubernetes.watch import WatchedCluster, version_of

__all__ = ["AgentSandboxController", "Step", "decide", "definition"]

_AGAIN_SECONDS: Final = 0.05

_log = logging.getLogger(__name__)


class Step(NamedTuple):
    """What to do next, and after how many seconds to look again by oneself."""

    call: Call | None = None
    again_after: float | None = None


def definition(*served: str) -> dict[str, Any]:
    """The definition of the kind, of which only these versions (``v1alpha1``, ``v1beta1``) are served."""
    import yaml

    text = resources.files(__package__).joinpath("agent_sandbox_crd.yaml").read_text("utf-8")
    crd: dict[str, Any] = yaml.safe_load(text)
    for version in crd["spec"]["versions"]:
        version["served"] = version["name"] in served
        version["storage"] = version["name"] == served[0]
    return crd


def decide(resource: Resource, sandbox: Object, pod: Object | None, now: datetime) -> Step:
    """The next call about a sandbox and the pod of its name."""
    name, spec = sandbox["metadata"]["name"], sandbox["spec"]
    if "deletionTimestamp" in sandbox["metadata"]:
        return Step()
    left = _seconds_left(spec, now)
    if left is not None and left <= 0:
        if spec.get("shutdownPolicy") != "Delete":
            return Step(_release(resource, sandbox, pod, ("SandboxExpired", "Its time is over."), now))
        uid = sandbox["metadata"]["uid"]
        return Step(calls.delete(resource, name, uid=uid, propagation=Propagation.FOREGROUND))
    if spec.get("operatingMode") == "Suspended" or spec.get("replicas") == 0:
        return Step(_release(resource, sandbox, pod, ("SandboxSuspended", "It is suspended."), now), left)
    if pod is None:
        return Step(calls.create(PODS, _pod(resource, sandbox)), left)
    leaving = "deletionTimestamp" in pod["metadata"]
    return Step(None if leaving else _told(resource, sandbox, _seen(pod), _addresses(pod), now), left)


class AgentSandboxController:
    """Runs :func:`decide` on every change, until it is stopped; on one object at a time, on many at once."""

    def __init__(self, cluster: WatchedCluster, resource: Resource, clock: Clock | None = None) -> None:
        self._cluster = cluster
        self._resource = resource
        self._clock = clock or SystemClock()
        self._sandboxes = Cache(cluster, resource)
        self._pods = Cache(cluster, PODS)
        self._supervisor = Supervisor()
        self._working: set[str] = set()
        self._again: set[str] = set()
        self._timers: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Follow the cluster for ever; cancel to stop."""
        for cache in (self._sandboxes, self._pods):
            cache.subscribe(self._changed)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._sandboxes.run())
                group.create_task(self._pods.run())
        finally:
            await self._supervisor.close()

    def _changed(self, before: Object | None, after: Object | None) -> None:
        either = after if after is not None else before
        assert either is not None, "a change is about an object"
        self._look(either["metadata"]["name"])

    def _look(self, name: str) -> None:
        self._again.add(name)
        if name not in self._working:
            self._working.add(name)
            self._supervisor.spawn(f"sandbox {name}", self._work(name))

    async def _work(self, name: str) -> None:
        try:
            while name in self._again:
                self._again.discard(name)
                await self._act(name)
        finally:
            self._working.discard(name)

    async def _act(self, name: str) -> None:
        sandbox = self._sandboxes.get(name)
        if sandbox is None:
            return
        step = decide(self._resource, sandbox, self._pods.get(name), self._clock.now())
        if step.call is not None:
            await self._send(name, step.call)
        if step.again_after is not None:
            self._look_after(name, step.again_after)

    async def _send(self, name: str, call: Call) -> None:
        try:
            answer = await self._cluster.send(call)
        except (PortError, RuntimeError) as error:
            # Whatever it was, the object is looked at again, as by a controller that was started anew.
            _log.debug("sandbox %s: %s", name, error)
            await self._clock.sleep(_AGAIN_SECONDS)
            self._again.add(name)
            return
        cache = self._pods if call.resource == PODS else self._sandboxes
        if answer.get("kind") == cache.resource.kind:
            cache.observe(answer)

    def _look_after(self, name: str, seconds: float) -> None:
        async def wait() -> None:
            await self._clock.sleep(seconds)
            self._look(name)

        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        self._timers[name] = self._supervisor.spawn(f"timer of sandbox {name}", wait())


def _release(
    resource: Resource, sandbox: Object, pod: Object | None, why: tuple[str, str], now: datetime
) -> Call | None:
    if pod is None:
        return _told(resource, sandbox, ("False", *why), (), now)
    metadata = pod["metadata"]
    if "deletionTimestamp" in metadata or not _owns(sandbox, pod):
        return None
    return calls.delete(PODS, metadata["name"], uid=metadata["uid"])


def _pod(resource: Resource, sandbox: Object) -> dict[str, Any]:
    template, metadata = sandbox["spec"]["podTemplate"], sandbox["metadata"]
    owner = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    kept = {part: value for part, value in (template.get("metadata") or {}).items() if part in _KEPT}
    return {
        "metadata": {**kept, "name": metadata["name"], "ownerReferences": [owner]},
        "spec": template["spec"],
    }


def _owns(sandbox: Object, pod: Object) -> bool:
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner["uid"] == sandbox["metadata"]["uid"] for owner in owners)


def _seen(pod: Object) -> tuple[str, str, str]:
    conditions = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    if conditions.get("Ready", {}).get("status") == "True":
        return "True", "DependenciesReady", "The pod is ready."
    if conditions.get("PodScheduled", {}).get("status") == "False":
        return "False", conditions["PodScheduled"].get("reason", "Unschedulable"), "The pod is not scheduled."
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason"):
            return "False", waiting["reason"], waiting.get("message") or "A container waits."
    return "False", "DependenciesNotReady", "The pod is not ready."


def _addresses(pod: Object) -> tuple[str, ...]:
    return tuple(each["ip"] for each in (pod.get("status") or {}).get("podIPs") or ())


def _told(
    resource: Resource, sandbox: Object, seen: tuple[str, str, str], addresses: tuple[str, ...], now: datetime
) -> Call | None:
    """The status as it is now, unless it is there already."""
    status: Mapping[str, Any] = sandbox.get("status") or {}
    before = next((each for each in status.get("conditions") or () if each["type"] == "Ready"), None)
    truth, reason, message = seen
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    if before is not None and before["status"] == truth:
        at = before["lastTransitionTime"]
    ready = {"type": "Ready", "status": truth, "reason": reason, "message": message, "lastTransitionTime": at}
    wanted = {"conditions": [ready], "podIPs": list(addresses)}
    if all(status.get(field) == value for field, value in wanted.items()):
        return None
    return calls.merge_status(resource, sandbox["metadata"]["name"], wanted, version=version_of(sandbox))


def _seconds_left(spec: Mapping[str, Any], now: datetime) -> float | None:
    shutdown = spec.get("shutdownTime")
    return None if shutdown is None else (datetime.fromisoformat(shutdown) - now).total_seconds()


_KEPT: Final = frozenset({"labels", "annotations"})
