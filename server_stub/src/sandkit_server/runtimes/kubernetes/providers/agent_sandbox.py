"""Sandboxes as ``Sandbox`` objects of the community agent-sandbox project, with that project's controller.

It pauses by releasing the pod: a *cold* pause, of which only volumes survive. Its status says whether the pod
is ready now, but not whether it ever was; that, and when a pause was asked for, is kept in annotations.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sandkit_server.core.model import SandboxState, SandboxStatus
from sandkit_server.core.ports import Capabilities, PauseMode, Workload, WorkloadSpec
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ABANDONED_ANNOTATION,
    GROUP,
    ID_LABEL,
    INTENT_ANNOTATION,
    Resource,
)
from sandkit_server.runtimes.kubernetes.details import (
    Details,
    annotations_of,
    details_of,
    digest_of,
    metadata,
    read_details,
    reference,
    sandbox_of,
)
from sandkit_server.runtimes.kubernetes.kind import Patch, Placement
from sandkit_server.runtimes.kubernetes.pod_template import check, pod_template
from sandkit_server.runtimes.kubernetes.settings import PodSettings

AGENTS_GROUP: Final = "agents.x-k8s.io"
# Newest first; the cluster's own is taken.
VERSIONS: Final = tuple(
    Resource(group=AGENTS_GROUP, version=version, plural="sandboxes", kind="Sandbox")
    for version in ("v1beta1", "v1alpha1")
)
# When the sandbox was up for the first time since it was made or last resumed (RFC 3339).
READY_ANNOTATION: Final = f"{GROUP}/ready-at"

_TICK: Final = timedelta(microseconds=1)
_CAPABILITIES: Final = Capabilities(
    pause=PauseMode.COLD, snapshots=False, pools=False, volume_backends=frozenset({"pvc", "host"})
)
_UP: Final[Mapping[str, Patch]] = {"v1beta1": {"operatingMode": "Running"}, "v1alpha1": {"replicas": 1}}
_DOWN: Final[Mapping[str, Patch]] = {"v1beta1": {"operatingMode": "Suspended"}, "v1alpha1": {"replicas": 0}}


class AgentSandboxes:
    """The kind ``Sandbox``; a :class:`~sandkit_server.runtimes.kubernetes.kind.WorkloadKind`."""

    def __init__(self, pods: PodSettings, resource: Resource = VERSIONS[0]) -> None:
        self._pods = pods
        self._resource = resource

    @property
    def resource(self) -> Resource:
        """The kind, in the version the cluster serves."""
        return self._resource

    @property
    def capabilities(self) -> Capabilities:
        """A cold pause and volumes."""
        return _CAPABILITIES

    def is_ours(self, obj: Object) -> bool:
        """Those with the id label: others may use this kind in the same namespace."""
        labels = obj["metadata"].get("labels") or {}
        return bool(labels.get(ID_LABEL) == obj["metadata"]["name"])

    def check(self, spec: WorkloadSpec) -> None:
        """Raise Invalid for what a pod cannot do."""
        check(spec, self._pods)

    def manifest(self, spec: WorkloadSpec, now: datetime, pull_secret: str | None) -> dict[str, Any]:
        """A new object. It is deleted at its expiry, so that what it owns is collected with it."""
        wanted: dict[str, Any] = {
            "podTemplate": pod_template(spec, self._pods, pull_secret),
            **_UP[self._resource.version],
        }
        if spec.expires_at is not None:
            wanted |= {"shutdownTime": standing.rfc3339(spec.expires_at), "shutdownPolicy": "Delete"}
        return {"metadata": metadata(spec, details_of(spec), now), "spec": wanted}

    def workload(self, obj: Object) -> Workload:
        """The workload an object stands for."""
        expiry = obj["spec"].get("shutdownTime")
        expires_at = standing.instant(expiry) if expiry is not None else None
        return Workload(
            sandbox=sandbox_of(obj, self.details(obj), self._status(obj), expires_at),
            ref=reference(obj),
            version=obj["metadata"]["resourceVersion"],
            request_digest=digest_of(obj),
            ever_ready=_noted(obj, READY_ANNOTATION) is not None or _ready_since(obj) is not None,
        )

    def details(self, obj: Object) -> Details:
        """What the API keeps of the request."""
        return read_details(obj, obj["spec"].get("podTemplate"))

    def placement(self, obj: Object) -> Placement:
        """The pod has the object's name."""
        addresses = tuple(standing.status_of(obj).get("podIPs") or ())
        return Placement(pod=obj["metadata"]["name"], addresses=addresses)

    def pause(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Ask for the pod's release."""
        return (_intent(now, _DOWN[_version(obj)]),)

    def resume(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Ask for another pod."""
        return (_intent(now, _UP[_version(obj)]),)

    def expire(self, obj: Object, expires_at: datetime) -> Patch:  # noqa: ARG002 - whatever its state
        """Move the expiry."""
        return {"spec": {"shutdownTime": standing.rfc3339(expires_at), "shutdownPolicy": "Delete"}}

    def abandon(self, obj: Object, reason: str, message: str, now: datetime) -> Patch:
        """No pod any more, and a note why."""
        note = json.dumps({"reason": reason, "message": message, "at": standing.rfc3339(now)})
        return {"metadata": {"annotations": {ABANDONED_ANNOTATION: note}}, "spec": _DOWN[_version(obj)]}

    def testimony(self, obj: Object) -> Patch | None:
        """The note that the sandbox has been up since it was last asked to be, while it is missing."""
        ready_at = _ready_since(obj)
        if not self.is_ours(obj) or _is_suspended(obj) or ready_at is None or _was_up(obj):
            return None
        return {"metadata": {"annotations": {READY_ANNOTATION: standing.rfc3339(ready_at)}}}

    def _status(self, obj: Object) -> SandboxStatus:
        begun = _asked_at(obj)
        if (deleted_at := standing.deletion_of(obj)) is not None:
            latest = max(begun, _noted(obj, READY_ANNOTATION) or begun)
            return SandboxStatus(
                state=SandboxState.STOPPING, last_transition_at=max(deleted_at, latest + _TICK)
            )
        if ABANDONED_ANNOTATION in annotations_of(obj):
            return _given_up(obj, begun)
        if _is_suspended(obj):
            released_at = _released_at(obj)
            if released_at is None:
                return SandboxStatus(state=SandboxState.PAUSING, last_transition_at=begun)
            return SandboxStatus(state=SandboxState.PAUSED, last_transition_at=released_at)
        ready_at = _ready_since(obj)
        reason, message = _cause(obj) if ready_at is None else (None, None)
        if ready_at is not None or _was_up(obj):
            noted = _noted(obj, READY_ANNOTATION)
            at = noted if noted is not None and _was_up(obj) else ready_at
            return SandboxStatus(
                state=SandboxState.RUNNING, last_transition_at=at or begun, reason=reason, message=message
            )
        resuming = _noted(obj, INTENT_ANNOTATION) is not None
        state = SandboxState.RESUMING if resuming else SandboxState.PENDING
        return SandboxStatus(state=state, last_transition_at=begun, reason=reason, message=message)


def _intent(now: datetime, wanted: dict[str, Any]) -> Patch:
    return {"metadata": {"annotations": {INTENT_ANNOTATION: standing.rfc3339(now)}}, "spec": wanted}


def _version(obj: Object) -> str:
    return str(obj["apiVersion"]).rpartition("/")[2]


def _is_suspended(obj: Object) -> bool:
    spec = obj["spec"]
    return bool(spec.get("operatingMode") == "Suspended" or spec.get("replicas") == 0)


def _asked_at(obj: Object) -> datetime:
    """When the present state of affairs was asked for: at the create, or by the last pause or resume."""
    born = standing.created_at(obj)
    return max(born, _noted(obj, INTENT_ANNOTATION) or born)


def _was_up(obj: Object) -> bool:
    noted = _noted(obj, READY_ANNOTATION)
    return noted is not None and noted > _asked_at(obj)


def _ready_since(obj: Object) -> datetime | None:
    condition = standing.condition(obj, "Ready")
    if condition is None or condition["status"] != "True" or _is_suspended(obj):
        return None
    return max(standing.instant(condition["lastTransitionTime"]), _asked_at(obj) + _TICK)


def _released_at(obj: Object) -> datetime | None:
    """When the pod was gone, if it is: it is not ready, and has no address any more."""
    condition = standing.condition(obj, "Ready")
    if condition is None or condition["status"] == "True" or standing.status_of(obj).get("podIPs"):
        return None
    return max(standing.instant(condition["lastTransitionTime"]), _asked_at(obj) + _TICK)


def _cause(obj: Object) -> tuple[str | None, str | None]:
    condition = standing.condition(obj, "Ready")
    return (None, None) if condition is None else (condition.get("reason"), condition.get("message") or None)


def _given_up(obj: Object, begun: datetime) -> SandboxStatus:
    try:
        note = json.loads(annotations_of(obj)[ABANDONED_ANNOTATION])
        at = standing.instant(note["at"])
    except (ValueError, KeyError, TypeError):
        note, at = {}, begun
    return SandboxStatus(
        state=SandboxState.FAILED,
        last_transition_at=max(at, begun + _TICK),
        reason=note.get("reason"),
        message=note.get("message"),
    )


def _noted(obj: Object, annotation: str) -> datetime | None:
    text = annotations_of(obj).get(annotation)
    try:
        return standing.instant(text) if text is not None else None
    except ValueError:
        return None
