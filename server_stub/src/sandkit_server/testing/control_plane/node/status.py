"""What a kubelet writes into a pod's status: pure functions of what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sandkit_server.testing.control_plane.node.containers import Container

Json = dict[str, Any]

NODE_IP: Final = "127.0.0.1"


def waiting(pod: Mapping[str, Any], now: datetime, reason: str, message: str) -> Json:
    """A pod whose containers cannot be started for now."""
    state = {"waiting": {"reason": reason, "message": message}}
    statuses = [_status(one["name"], one["image"], state) for one in pod["spec"]["containers"]]
    return {
        "phase": "Pending",
        "hostIP": NODE_IP,
        "startTime": _time(now),
        "conditions": _conditions(pod, now, ready=False, reason="ContainersNotReady"),
        "containerStatuses": statuses,
    }


def running(
    pod: Mapping[str, Any], now: datetime, ip: str, containers: Sequence[Container], *, ready: bool = True
) -> Json:
    """A pod whose containers run."""
    return {
        "phase": "Running",
        "hostIP": NODE_IP,
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "startTime": _time(now),
        "conditions": _conditions(pod, now, ready=ready, reason=None if ready else "ContainersNotReady"),
        "containerStatuses": [
            _status(
                one.name,
                one.image,
                {"running": {"startedAt": _time(one.started_at)}},
                container_id=one.id,
                ready=ready,
                started=True,
            )
            for one in containers
        ],
    }


def ended(
    pod: Mapping[str, Any], now: datetime, containers: Sequence[Container], exit_code: int, message: str = ""
) -> Json:
    """A pod whose containers have ended for good, each with the same code."""
    reason = "Completed" if exit_code == 0 else "Error"
    statuses = []
    for one in containers:
        terminated: Json = {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": _time(one.started_at),
            "finishedAt": _time(now),
            "containerID": f"containerd://{one.id}",
        }
        if message:
            terminated["message"] = message
        statuses.append(_status(one.name, one.image, {"terminated": terminated}, container_id=one.id))
    return {
        "phase": "Succeeded" if exit_code == 0 else "Failed",
        "conditions": _conditions(pod, now, ready=False, reason="PodCompleted"),
        "containerStatuses": statuses,
    }


def _conditions(pod: Mapping[str, Any], now: datetime, *, ready: bool, reason: str | None) -> list[Json]:
    scheduled = [
        one for one in (pod.get("status") or {}).get("conditions") or () if one["type"] == "PodScheduled"
    ]
    kinds = {"Initialized": True, "ContainersReady": ready, "Ready": ready}
    conditions = [
        {
            "type": kind,
            "status": "True" if holds else "False",
            "lastTransitionTime": _time(now),
            **({"reason": reason} if reason is not None and not holds else {}),
        }
        for kind, holds in kinds.items()
    ]
    return [*scheduled, *conditions]


def _status(
    name: str,
    image: str,
    state: Json,
    *,
    container_id: str = "",
    ready: bool = False,
    started: bool = False,
) -> Json:
    return {
        "name": name,
        "image": image,
        "imageID": image if "@" in image else f"docker.io/{image}",
        "containerID": f"containerd://{container_id}" if container_id else "",
        "ready": ready,
        "started": started,
        "restartCount": 0,
        "state": state,
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
