"""What one write does to one stored object: pure, as the API server's registry does it.

Nothing here looks at any other object, because the API server does not either. What follows from one object
for others is the work of controllers (:mod:`sandkit_server.testing.cluster.collector`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sandkit_server.core.port_errors import AlreadyExists, Invalid, NotFound, VersionConflict
from sandkit_server.kubernetes.calls import Call, Object, PatchType, Propagation, Verb
from sandkit_server.kubernetes.resources import PODS, Resource
from sandkit_server.testing.cluster.kinds import GRACE_SECONDS, defaults, kind_of
from sandkit_server.testing.cluster.patches import merge_patch, strategic_merge_patch

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"

# What the API server alone writes.
_SERVER_OWNED: Final = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the API server adds to a write: the time, the next version, the uid of a new object."""

    now: datetime
    version: str
    uid: str
    namespace: str


class Written(NamedTuple):
    """The object as it is stored afterwards (``None``: it is gone), and what the caller is answered."""

    stored: Object | None
    answer: Object


def write(call: Call, stored: Object | None, stamp: Stamp) -> Written:
    """Carry out a create, patch or delete. Raises the errors of :mod:`sandkit_server.core.port_errors`."""
    if call.verb is Verb.CREATE:
        return _create(call, stored, stamp)
    if stored is None:
        raise not_found(call.resource, call.name)
    if call.verb is Verb.PATCH:
        return _patch(call, stored, stamp)
    return _delete(call, stored, stamp)


def not_found(resource: Resource, name: str) -> NotFound:
    """The API server's answer for a name that is not taken."""
    return NotFound(f'{resource.full_name} "{name}" not found')


def instant(moment: datetime) -> str:
    """A time as Kubernetes writes it: RFC 3339, whole seconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _create(call: Call, stored: Object | None, stamp: Stamp) -> Written:
    assert call.body is not None
    if stored is not None:
        raise AlreadyExists(f'{call.resource.full_name} "{call.name}" already exists')
    body = defaults(call.resource, call.body)
    kind = kind_of(call.resource)
    metadata = {
        **{key: value for key, value in body["metadata"].items() if key != "generateName" and value != {}},
        "name": call.name,
        "namespace": stamp.namespace,
        "uid": stamp.uid,
        "resourceVersion": stamp.version,
        "creationTimestamp": instant(stamp.now),
        **({"generation": 1} if kind.generation else {}),
    }
    made = {
        **body,
        "apiVersion": call.resource.api_version,
        "kind": call.resource.kind,
        "metadata": metadata,
    }
    if kind.status and not kind.strategic:
        made.pop("status", None)
    return Written(made, made)


def _patch(call: Call, stored: Object, stamp: Stamp) -> Written:
    assert call.body is not None
    changed = _patched(call, stored)
    _check(call.resource, stored, changed["metadata"].get("uid"), changed["metadata"].get("resourceVersion"))
    kind = kind_of(call.resource)
    if call.subresource == "status":
        changed = {**stored, "status": changed.get("status")}
    elif kind.status:
        changed = {**changed, "status": stored.get("status")}
    metadata = {**changed["metadata"]}
    for field in _SERVER_OWNED:
        metadata.pop(field, None)
        if field in stored["metadata"]:
            metadata[field] = stored["metadata"][field]
    for field in ("labels", "annotations", "ownerReferences", "finalizers"):
        if not metadata.get(field, True):
            del metadata[field]
    result = {key: value for key, value in {**changed, "metadata": metadata}.items() if value is not None}
    if result == stored:
        return Written(stored, stored)
    if kind.generation and _intent(result) != _intent(stored):
        metadata["generation"] = stored["metadata"]["generation"] + 1
    metadata["resourceVersion"] = stamp.version
    leaves = "deletionTimestamp" in metadata and not _held(metadata)
    return Written(None if leaves else result, result)


def _patched(call: Call, stored: Object) -> dict[str, Any]:
    if call.patch_type is PatchType.MERGE:
        changed = merge_patch(stored, call.body)
    elif kind_of(call.resource).strategic:
        changed = strategic_merge_patch(stored, call.body)
    else:
        raise Invalid("the body of the request was in an unknown format - accepted media types include: ...")
    result: dict[str, Any] = changed
    return result


def _delete(call: Call, stored: Object, stamp: Stamp) -> Written:
    _check(call.resource, stored, call.uid, call.resource_version)
    metadata = dict(stored["metadata"])
    finalizers = [each for each in metadata.get("finalizers", ()) if each not in {FOREGROUND, ORPHAN}]
    finalizers += _propagation_finalizers(call.propagation, metadata.get("finalizers", ()))
    grace = _grace(call, stored)
    if not finalizers and grace == 0:
        status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
        details = {"name": call.name, "kind": call.resource.plural, "uid": metadata["uid"]}
        returned = stored if kind_of(call.resource).returns_deleted else {**status, "details": details}
        return Written(None, returned)
    if finalizers:
        metadata["finalizers"] = finalizers
    else:
        metadata.pop("finalizers", None)
    if "deletionTimestamp" not in metadata and "generation" in metadata:
        metadata["generation"] += 1
    earlier = metadata.get("deletionGracePeriodSeconds")
    if earlier is None or grace < earlier:
        metadata["deletionTimestamp"] = instant(stamp.now + timedelta(seconds=grace))
        metadata["deletionGracePeriodSeconds"] = grace
    if metadata == stored["metadata"]:
        return Written(stored, stored)
    metadata["resourceVersion"] = stamp.version
    marked = {**stored, "metadata": metadata}
    return Written(marked, marked)


def _propagation_finalizers(propagation: Propagation | None, present: Any) -> list[str]:
    if propagation is Propagation.FOREGROUND or (propagation is None and FOREGROUND in present):
        return [FOREGROUND]
    if propagation is Propagation.ORPHAN or (propagation is None and ORPHAN in present):
        return [ORPHAN]
    return []


def _grace(call: Call, stored: Object) -> int:
    """Seconds a pod's processes get; nothing but a pod on a node that has not ended gets any."""
    if call.resource != PODS or not stored["spec"].get("nodeName"):
        return 0
    if stored.get("status", {}).get("phase") in {"Succeeded", "Failed"}:
        return 0
    if call.grace_seconds is not None:
        return call.grace_seconds
    seconds: int = stored["spec"].get("terminationGracePeriodSeconds", GRACE_SECONDS)
    return seconds


def _check(resource: Resource, stored: Object, uid: str | None, version: str | None) -> None:
    found = stored["metadata"]
    if uid is not None and uid != found["uid"]:
        # The API server says Conflict; the port says NotFound, as the object meant is gone.
        raise NotFound(f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found['uid']}")
    if version is not None and version != found["resourceVersion"]:
        what = f'{resource.full_name} "{found["name"]}"'
        raise VersionConflict(f"Operation cannot be fulfilled on {what}: the object has been modified")


def _held(metadata: Mapping[str, Any]) -> bool:
    return bool(metadata.get("finalizers")) or bool(metadata.get("deletionGracePeriodSeconds"))


def _intent(stored: Object) -> dict[str, Any]:
    """What a generation counts changes of."""
    return {key: value for key, value in stored.items() if key not in {"metadata", "status"}}
