"""What the API shows of a sandbox and its object has no field for: one annotation, written at the create."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from sandkit_server.core.model import Platform, Sandbox, SandboxStatus
from sandkit_server.core.naming import RESERVED_PREFIX
from sandkit_server.core.ports import ObjectRef, WorkloadSpec
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import DIGEST_ANNOTATION, ID_LABEL, SANDBOX_ANNOTATION
from sandkit_server.kubernetes.standing import created_at, rfc3339

_EMPTY: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The content of the annotation."""

    entrypoint: tuple[str, ...] = ()
    image_uri: str | None = None
    snapshot_id: str | None = None
    platform: Platform | None = None
    extensions: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    secure_access: bool = False


def details_of(spec: WorkloadSpec) -> Details:
    """What is kept of a create request."""
    request = spec.request
    return Details(
        entrypoint=spec.entrypoint,
        image_uri=request.image.uri if request.image is not None and request.pool_ref is None else None,
        snapshot_id=request.snapshot_id,
        platform=request.platform,
        extensions=request.extensions,
        secure_access=request.secure_access,
    )


def metadata(spec: WorkloadSpec, details: Details, now: datetime) -> dict[str, Any]:
    """The metadata of a new workload object. Nothing secret is in it."""
    platform = details.platform
    optional = {
        "imageUri": details.image_uri,
        "snapshotId": details.snapshot_id,
        "platform": {"os": platform.os, "arch": platform.arch} if platform is not None else None,
        "extensions": dict(details.extensions),
        "secureAccess": details.secure_access,
    }
    note: dict[str, Any] = {
        "createdAt": rfc3339(now),
        "entrypoint": list(details.entrypoint),
        **{name: value for name, value in optional.items() if value},
    }
    return {
        "name": spec.sandbox_id,
        "labels": {**spec.request.metadata, ID_LABEL: spec.sandbox_id},
        "annotations": {SANDBOX_ANNOTATION: json.dumps(note), DIGEST_ANNOTATION: spec.request_digest},
    }


def read_details(obj: Object, template: Mapping[str, Any] | None) -> Details:
    """The details of a workload object; one made by other hands has its pod template to go by."""
    note = _note(obj)
    extensions, platform = note.get("extensions"), note.get("platform")
    details = Details(
        entrypoint=tuple(note.get("entrypoint") or ()),
        image_uri=note.get("imageUri"),
        snapshot_id=note.get("snapshotId"),
        platform=Platform(os=platform["os"], arch=platform["arch"]) if platform else None,
        extensions=MappingProxyType(extensions) if extensions else _EMPTY,
        secure_access=bool(note.get("secureAccess")),
    )
    if note or not template:
        return details
    container = (template.get("spec", {}).get("containers") or [{}])[0]
    command = (*container.get("command", ()), *container.get("args", ()))
    return replace(details, entrypoint=command, image_uri=container.get("image"))


def sandbox_of(obj: Object, details: Details, status: SandboxStatus, expires_at: datetime | None) -> Sandbox:
    """The sandbox as the API shows it."""
    labels = obj["metadata"].get("labels") or _EMPTY
    return Sandbox(
        id=obj["metadata"]["name"],
        status=status,
        entrypoint=details.entrypoint,
        created_at=created_at(obj),
        expires_at=expires_at,
        image_uri=details.image_uri,
        snapshot_id=details.snapshot_id,
        platform=details.platform,
        metadata={key: value for key, value in labels.items() if not key.startswith(RESERVED_PREFIX)},
        extensions=details.extensions,
    )


def reference(obj: Object) -> ObjectRef:
    """What an owner reference to the object needs."""
    return ObjectRef(
        api_version=obj.get("apiVersion", ""),
        kind=obj.get("kind", ""),
        name=obj["metadata"]["name"],
        uid=obj["metadata"]["uid"],
    )


def digest_of(obj: Object) -> str:
    """The digest of the request that made the object; empty for one made by other hands."""
    digest: str = annotations_of(obj).get(DIGEST_ANNOTATION, "")
    return digest


def annotations_of(obj: Object) -> Mapping[str, str]:
    """The annotations, empty while there are none."""
    return obj["metadata"].get("annotations") or _EMPTY


def relabelled(obj: Object, wanted: Mapping[str, str]) -> dict[str, str | None]:
    """A merge patch of the labels: the API's metadata become ``wanted``, our own stay."""
    labels = obj["metadata"].get("labels") or _EMPTY
    dropped = (key for key in labels if key not in wanted and not key.startswith(RESERVED_PREFIX))
    return {**dict.fromkeys(dropped, None), **wanted}


def _note(obj: Object) -> Mapping[str, Any]:
    text = annotations_of(obj).get(SANDBOX_ANNOTATION)
    try:
        note = json.loads(text) if text is not None else {}
    except ValueError:
        return {}
    return note if isinstance(note, dict) else {}
