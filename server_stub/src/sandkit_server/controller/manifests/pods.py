"""Pods of sandboxes and of pools, and the template that a pod out of a pool leaves behind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

from sandkit_server.controller.config import Config
from sandkit_server.controller.naming import pod_name, warm_pod_name
from sandkit_server.controller.ownership import owner_reference
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ATTEMPT_ANNOTATION,
    BATCH_SANDBOXES,
    ID_LABEL,
    MANAGED_BY,
    MANAGED_LABEL,
    POOL_LABEL,
    POOLS,
    REVISION_ANNOTATION,
)

# What the template may leave out and is not Kubernetes' own default.
_DEFAULTS: Final = {
    "restartPolicy": "Never",
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
}
# What scheduler and admission wrote into a pod's spec and what is no part of what was asked for.
_ASSIGNED: Final = frozenset({"nodeName", "priority", "preemptionPolicy", "serviceAccount", "tolerations"})
_TOKEN_VOLUME: Final = "kube-api-access-"  # noqa: S105 - the beginning of a volume's name


def sandbox_pod(sandbox: Object, index: int = 0) -> dict[str, Any]:
    """A pod of a sandbox, from its template, for the first start."""
    return _pod(sandbox, index, _spec(sandbox["spec"].get("template") or {}), attempt=0)


def resumed_pod(sandbox: Object, images: Mapping[str, str], config: Config) -> dict[str, Any]:
    """The pod of a sandbox out of the images of its pause.

    Args:
        sandbox: At the attempt the pod is made for.
        images: The reference by digest for each container's name.
        config: Has the pull secret.
    """
    spec = _spec(sandbox["spec"].get("template") or {})
    spec["containers"] = [{**each, "image": images[each["name"]]} for each in spec["containers"]]
    if config.pull_secret is not None:
        secrets = [each for each in spec.get("imagePullSecrets", ()) if each["name"] != config.pull_secret]
        spec["imagePullSecrets"] = [*secrets, {"name": config.pull_secret}]
    return _pod(sandbox, 0, spec, attempt=standing.acted_generation(sandbox))


def warm_pod(pool: Object, slot: int) -> dict[str, Any]:
    """A pod that waits in a pool for a sandbox."""
    name, template = pool["metadata"]["name"], pool["spec"]["template"]
    metadata = template.get("metadata") or {}
    return {
        "metadata": {
            "name": warm_pod_name(name, slot),
            "labels": {**(metadata.get("labels") or {}), MANAGED_LABEL: MANAGED_BY, POOL_LABEL: name},
            "annotations": {**(metadata.get("annotations") or {}), REVISION_ANNOTATION: revision_of(pool)},
            "ownerReferences": [owner_reference(POOLS, pool)],
        },
        "spec": _spec(template),
    }


def adoption(sandbox: Object) -> dict[str, Any]:
    """The merge patch that turns a warm pod into a sandbox's; with the pod's version it happens once."""
    return {
        "metadata": {
            "ownerReferences": [owner_reference(BATCH_SANDBOXES, sandbox)],
            "labels": {POOL_LABEL: None, ID_LABEL: sandbox["metadata"]["name"]},
        }
    }


def template_of(pod: Object) -> dict[str, Any]:
    """The template another pod like this one can be made from, without what was assigned to this one."""
    spec = {key: value for key, value in pod["spec"].items() if key not in _ASSIGNED}
    spec["volumes"] = [each for each in spec.get("volumes", ()) if not _is_token(each["name"])]
    for kind in ("containers", "initContainers"):
        if kind in spec:
            spec[kind] = [_without_token(container) for container in spec[kind]]
    return {"spec": {key: value for key, value in spec.items() if value != []}}


def revision_of(pool: Object) -> str:
    """Changes whenever the template does."""
    material = json.dumps(pool["spec"]["template"], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(material.encode()).hexdigest()[:10]


def _pod(sandbox: Object, index: int, spec: dict[str, Any], *, attempt: int) -> dict[str, Any]:
    name = sandbox["metadata"]["name"]
    metadata = (sandbox["spec"].get("template") or {}).get("metadata") or {}
    return {
        "metadata": {
            "name": pod_name(name, index),
            "labels": {**(metadata.get("labels") or {}), MANAGED_LABEL: MANAGED_BY, ID_LABEL: name},
            "annotations": {**(metadata.get("annotations") or {}), ATTEMPT_ANNOTATION: str(attempt)},
            "ownerReferences": [owner_reference(BATCH_SANDBOXES, sandbox)],
        },
        "spec": spec,
    }


def _spec(template: Mapping[str, Any]) -> dict[str, Any]:
    return {**_DEFAULTS, **(template.get("spec") or {})}


def _is_token(volume: str) -> bool:
    return volume.startswith(_TOKEN_VOLUME)


def _without_token(container: Mapping[str, Any]) -> dict[str, Any]:
    mounts = [each for each in container.get("volumeMounts", ()) if not _is_token(each["name"])]
    return {key: value for key, value in {**container, "volumeMounts": mounts}.items() if value != []}
