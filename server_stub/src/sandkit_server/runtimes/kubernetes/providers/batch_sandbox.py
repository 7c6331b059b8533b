"""Sandboxes as BatchSandbox objects, with the controller of this project."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sandkit_server.core.ports import Capabilities, PauseMode, Workload, WorkloadSpec
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ABANDONED_ANNOTATION,
    BATCH_SANDBOXES,
    INTENT_ANNOTATION,
    Resource,
)
from sandkit_server.runtimes.kubernetes.details import (
    Details,
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

_CAPABILITIES: Final = Capabilities(
    pause=PauseMode.ROOTFS, snapshots=True, pools=True, volume_backends=frozenset({"pvc", "host"})
)


class BatchSandboxes:
    """The kind ``BatchSandbox``; a :class:`~sandkit_server.runtimes.kubernetes.kind.WorkloadKind`."""

    def __init__(self, pods: PodSettings) -> None:
        self._pods = pods

    @property
    def resource(self) -> Resource:
        """The kind."""
        return BATCH_SANDBOXES

    @property
    def capabilities(self) -> Capabilities:
        """Everything but ossfs."""
        return _CAPABILITIES

    def is_ours(self, obj: Object) -> bool:  # noqa: ARG002 - whatever the object
        """Every object: nobody else has a use for this kind."""
        return True

    def check(self, spec: WorkloadSpec) -> None:
        """Raise Invalid for what a pod cannot do."""
        check(spec, self._pods)

    def manifest(self, spec: WorkloadSpec, now: datetime, pull_secret: str | None) -> dict[str, Any]:
        """A new object of one replica, with a template or out of a pool."""
        source: dict[str, Any] = (
            {"poolRef": spec.request.pool_ref}
            if spec.request.pool_ref is not None
            else {"template": pod_template(spec, self._pods, pull_secret)}
        )
        if spec.expires_at is not None:
            source["expireTime"] = standing.rfc3339(spec.expires_at)
        return {"metadata": metadata(spec, details_of(spec), now), "spec": {"replicas": 1, **source}}

    def workload(self, obj: Object) -> Workload:
        """The workload an object stands for."""
        status, expires_at = standing.state_of(obj), standing.expiry_of(obj)
        return Workload(
            sandbox=sandbox_of(obj, self.details(obj), status, expires_at),
            ref=reference(obj),
            version=obj["metadata"]["resourceVersion"],
            request_digest=digest_of(obj),
            replicas=standing.replicas_of(obj),
            ever_ready=standing.ever_ready(obj),
        )

    def details(self, obj: Object) -> Details:
        """What the API keeps of the request."""
        return read_details(obj, obj["spec"].get("template"))

    def placement(self, obj: Object) -> Placement:
        """The pod as the controller told it."""
        status = standing.status_of(obj)
        return Placement(
            pod=status.get("podName") or obj["metadata"]["name"], addresses=tuple(status.get("podIPs") or ())
        )

    def pause(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Ask for a pause."""
        return _intend(obj, now, pause=True)

    def resume(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Ask for a resume."""
        return _intend(obj, now, pause=False)

    def expire(self, obj: Object, expires_at: datetime) -> Patch:
        """Move the expiry, without that a failed pause or resume looks like a new attempt."""
        spec: dict[str, Any] = {"expireTime": standing.rfc3339(expires_at)}
        if standing.failed_intent(obj):
            spec["pause"] = None
        return {"spec": spec}

    def abandon(self, obj: Object, reason: str, message: str, now: datetime) -> Patch:  # noqa: ARG002
        """No replicas any more, and a note why."""
        note = json.dumps({"reason": reason, "message": message, "at": standing.rfc3339(now)})
        return {"metadata": {"annotations": {ABANDONED_ANNOTATION: note}}, "spec": {"replicas": 0}}


def _intend(obj: Object, now: datetime, *, pause: bool) -> Sequence[Patch]:
    asked = {
        "metadata": {"annotations": {INTENT_ANNOTATION: standing.rfc3339(now)}},
        "spec": {"pause": pause},
    }
    # Written over itself an intent is no new generation, so that nothing would come of it (FLT-08).
    return ({"spec": {"pause": None}}, asked) if obj["spec"].get("pause") is pause else (asked,)
