"""A node's agent and the scheduler, step by step on demand: each step is a call, made out of the pod.

Nothing happens by itself. :func:`terminate` lists what the agent does about pods that were deleted; the rest
is said by a test or chosen by the explorer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from sandkit_server.kubernetes.calls import Call, Object, Verb, merge, merge_status
from sandkit_server.kubernetes.resources import CLAIMS, PODS
from sandkit_server.testing.cluster.state import State
from sandkit_server.testing.cluster.storage import instant

NODE: Final = "node-1"
ADDRESS: Final = "10.0.0.1"


def bind(pod: Object, node: str = NODE) -> Call:
    """Schedule the pod."""
    return merge(PODS, _name(pod), {"spec": {"nodeName": node}})


def refuse(pod: Object, message: str = "0/1 nodes are available.") -> Call:
    """Say that no node has room for the pod."""
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return merge_status(PODS, _name(pod), {"conditions": [condition]})


def run(pod: Object, now: datetime, *, ready: bool = True) -> Call:
    """Start every container of a scheduled pod."""
    status = {
        "phase": "Running",
        "hostIP": "192.168.0.1",
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "startTime": instant(now),
        "conditions": [
            {"type": kind, "status": "True" if ready or kind == "PodScheduled" else "False"}
            for kind in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ],
        "containerStatuses": [
            _container(each, pod, {"running": {"startedAt": instant(now)}}, ready=ready)
            for each in pod["spec"]["containers"]
        ],
    }
    return merge_status(PODS, _name(pod), status)


def hold(pod: Object, reason: str, message: str = "") -> Call:
    """Keep the containers waiting, as for an image that cannot be pulled (``ImagePullBackOff``)."""
    waiting = {"waiting": {"reason": reason, "message": message or reason}}
    statuses = [_container(each, pod, waiting, ready=False) for each in pod["spec"]["containers"]]
    return merge_status(PODS, _name(pod), {"phase": "Pending", "containerStatuses": statuses})


def end(pod: Object, now: datetime, *, code: int = 0, message: str = "", reason: str = "") -> Call:
    """Let every container end with ``code`` and a termination message."""
    terminated = {
        "exitCode": code,
        "reason": reason or ("Completed" if code == 0 else "Error"),
        "finishedAt": instant(now),
        **({"message": message} if message else {}),
    }
    status = {
        "phase": "Succeeded" if code == 0 else "Failed",
        "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [
            _container(each, pod, {"terminated": terminated}, ready=False)
            for each in pod["spec"]["containers"]
        ],
    }
    return merge_status(PODS, _name(pod), status)


def evict(pod: Object, reason: str = "Evicted") -> Call:
    """Fail the pod as a whole; its object stays."""
    return merge_status(PODS, _name(pod), {"phase": "Failed", "reason": reason, "message": reason})


def remove(pod: Object) -> Call:
    """Confirm that a deleted pod's processes have ended: the object goes."""
    uid = pod["metadata"]["uid"]
    return Call(verb=Verb.DELETE, resource=PODS, name=_name(pod), uid=uid, grace_seconds=0)


def bind_claims(state: State) -> Iterator[Call]:
    """The volume binder: every claim gets a volume."""
    for claim in state.all(CLAIMS):
        if (claim.get("status") or {}).get("phase") != "Bound" and not _deleted(claim):
            yield merge_status(CLAIMS, _name(claim), {"phase": "Bound"})


def terminate(state: State) -> Iterator[Call]:
    """Confirm every deleted pod."""
    for pod in state.all(PODS):
        if _deleted(pod) and not pod["metadata"].get("finalizers"):
            yield remove(pod)


def start(state: State) -> Iterator[Call]:
    """Schedule what is not scheduled, and run what is; pods that were deleted are left alone."""
    for pod in state.all(PODS):
        if _deleted(pod):
            continue
        if not pod["spec"].get("nodeName"):
            yield bind(pod)
        elif (pod.get("status") or {}).get("phase", "Pending") == "Pending":
            yield run(pod, state.now)


def _container(container: Mapping[str, Any], pod: Object, state: Any, *, ready: bool) -> dict[str, Any]:
    name = container["name"]
    return {
        "name": name,
        "image": container["image"],
        "imageID": f"{container['image']}@sha256:{'0' * 64}",
        "containerID": f"containerd://{pod['metadata']['uid']}-{name}",
        "ready": ready,
        "started": "running" in state,
        "restartCount": 0,
        "state": state,
    }


def _name(found: Object) -> str:
    name: str = found["metadata"]["name"]
    return name


def _deleted(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]
