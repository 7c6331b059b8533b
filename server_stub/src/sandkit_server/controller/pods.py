"""Reading pods: whether they are up, what keeps them from it, and whether they are lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sandkit_server.controller.config import Config
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import ATTEMPT_ANNOTATION

POD_LOST: Final = "PodLost"
IMAGE_PULL_FAILED: Final = "ImagePullFailed"

# Why a container waits, in the kubelet's words, and what that is in ours.
_PULLING: Final = frozenset(
    {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError"}
)
_WAITING: Final = {
    "InvalidImageName": "InvalidImageName",
    "CreateContainerConfigError": "ContainerConfigError",
    "CreateContainerError": "ContainerStartFailed",
    "RunContainerError": "ContainerStartFailed",
    "StartError": "ContainerStartFailed",
    "CrashLoopBackOff": "CrashLoopBackOff",
    **dict.fromkeys(_PULLING, IMAGE_PULL_FAILED),
}
_FINAL: Final = frozenset({"InvalidImageName"})
_ENDED: Final = frozenset({"Failed", "Succeeded"})
_REASON: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_CREDENTIALS: Final = re.compile(r"(://)[^/@\s]+@")
_LONGEST_MESSAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a pod is not up. A ``final`` one will not pass; another one may become so at ``final_at``."""

    reason: str
    message: str
    final: bool = False
    final_at: datetime | None = None


def is_ready(pod: Object) -> bool:
    """Whether all its containers run and are ready, and nobody has deleted it."""
    return not is_terminating(pod) and any(
        entry["type"] == "Ready" and entry["status"] == "True" for entry in _conditions(pod)
    )


def is_terminating(pod: Object) -> bool:
    """Whether it was deleted and its processes are being ended."""
    return standing.deletion_of(pod) is not None


def has_ended(pod: Object) -> bool:
    """Whether its processes have ended for good."""
    return standing.status_of(pod).get("phase") in _ENDED


def attempt_of(obj: Object) -> int:
    """The attempt a pod or a pause snapshot was made for; 0 for a pod that was started for the first time."""
    text = obj["metadata"].get("annotations", {}).get(ATTEMPT_ANNOTATION, "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def loss_of(pod: Object) -> Problem | None:
    """Why a pod that was up is lost; ``None`` while it is not."""
    if has_ended(pod):
        return _ended(pod)
    if is_terminating(pod):
        return Problem(reason=POD_LOST, message="The pod was deleted from outside.", final=True)
    return None


def problem_of(pod: Object, now: datetime, config: Config) -> Problem | None:
    """What keeps a pod from getting ready; ``None`` when it may only take its time."""
    if has_ended(pod):
        return _ended(pod)
    if (problem := _waiting(pod, config)) is not None:
        if problem.final_at is not None and now >= problem.final_at:
            return Problem(reason=problem.reason, message=problem.message, final=True)
        return problem
    for entry in _conditions(pod):
        if entry["type"] == "PodScheduled" and entry["status"] == "False":
            message = entry.get("message") or "No node takes the pod."
            return Problem(
                reason=as_reason(entry.get("reason"), "Unschedulable"), message=as_message(message)
            )
    return None


def container_statuses(pod: Object) -> Iterator[Mapping[str, Any]]:
    """What is known about the containers that are to stay up."""
    yield from standing.status_of(pod).get("containerStatuses", ())


def as_reason(text: Any, otherwise: str) -> str:
    """A reason for a status: one word as Kubernetes writes them, else ``otherwise``."""
    return text if isinstance(text, str) and len(text) <= 100 and _REASON.fullmatch(text) else otherwise


def as_message(text: Any) -> str:
    """A message for a status: of bearable length, and without credentials in URLs (FLT-13)."""
    return _CREDENTIALS.sub(r"\1", str(text))[:_LONGEST_MESSAGE]


def _waiting(pod: Object, config: Config) -> Problem | None:
    status = standing.status_of(pod)
    for entry in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason = _WAITING.get(waiting.get("reason", ""))
        if reason is not None:
            cause = waiting.get("message") or waiting["reason"]
            patience = timedelta(seconds=config.pull_patience)
            return Problem(
                reason=reason,
                message=as_message(f"Container {entry['name']}: {cause}"),
                final=reason in _FINAL,
                final_at=standing.created_at(pod) + patience if reason == IMAGE_PULL_FAILED else None,
            )
    return None


def _ended(pod: Object) -> Problem:
    status = standing.status_of(pod)
    if status.get("reason"):
        message = status.get("message") or f"The pod ended: {status['reason']}."
        return Problem(
            reason=as_reason(status["reason"], "PodFailed"), message=as_message(message), final=True
        )
    for entry in (*container_statuses(pod), *status.get("initContainerStatuses", ())):
        ended = (entry.get("state") or {}).get("terminated")
        if ended is not None:
            killed = ended.get("reason") == "OOMKilled"
            because = " because it ran out of memory" if killed else ""
            return Problem(
                reason="OOMKilled" if killed else "EntrypointExited",
                message=f"Container {entry['name']} ended with exit code {ended.get('exitCode')}{because}.",
                final=True,
            )
    return Problem(reason="PodFailed", message="The pod ended.", final=True)


def _conditions(pod: Object) -> Iterator[Mapping[str, Any]]:
    yield from standing.status_of(pod).get("conditions", ())
