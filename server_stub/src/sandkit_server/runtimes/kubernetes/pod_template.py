"""From a create request to a pod template: pure, and with a refusal for what a pod cannot do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from sandkit_server.core.model import NetworkPolicy, Platform, Volume
from sandkit_server.core.port_errors import Invalid
from sandkit_server.core.ports import WorkloadSpec
from sandkit_server.runtimes.kubernetes.layers import overlay
from sandkit_server.runtimes.kubernetes.settings import PodSettings

SANDBOX_CONTAINER: Final = "sandbox"

# A sandbox's processes get no way to the API server, nor the addresses of the namespace's services; and one
# that ends is not started again behind its user's back.
_FLOOR: Final[Mapping[str, Any]] = {
    "spec": {"automountServiceAccountToken": False, "enableServiceLinks": False, "restartPolicy": "Never"}
}
_OWN_RESOURCES: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
# Kubernetes' own rule for the name of an environment variable.
_VARIABLE: Final = re.compile(r"[ -<>-~]+\Z")


def check(spec: WorkloadSpec, settings: PodSettings) -> None:
    """Raise Invalid for what Kubernetes could only ignore, or would refuse when it is too late to say so."""
    request = spec.request
    if not _is_open(request.network_policy):
        raise Invalid("a cluster cannot be relied on to enforce networkPolicy; leave it out")
    if request.credential_proxy:
        raise Invalid("credentialProxy needs a proxy that this runtime does not have; leave it out")
    for name in (*(request.resource_limits or {}), *(request.resource_requests or {})):
        if "/" not in name and name not in _OWN_RESOURCES and not name.startswith("hugepages-"):
            raise Invalid(f"Kubernetes knows no resource {name}; name a device with its vendor's prefix")
    for name in spec.env:
        if _VARIABLE.match(name) is None:
            raise Invalid(f"the variable name {name!r} is not printable ASCII")
    if request.pool_ref is not None:
        _check_pooled(spec)
    else:
        _check_volumes(request.volumes, settings.template)


def pod_template(spec: WorkloadSpec, settings: PodSettings, pull_secret: str | None) -> dict[str, Any]:
    """The template of a sandbox's pod. ``pull_secret`` names the secret of the request's own credentials."""
    request = spec.request
    image = request.image.uri if request.image is not None else spec.image_ref
    container: dict[str, Any] = {
        "name": SANDBOX_CONTAINER,
        "image": image,
        "command": list(spec.entrypoint),
        "env": [{"name": name, "value": value} for name, value in spec.env.items()],
        "resources": resources(request.resource_limits or {}, request.resource_requests or {}),
        "volumeMounts": [_mount(volume) for volume in request.volumes],
    }
    if settings.image_pull_policy is not None:
        container["imagePullPolicy"] = settings.image_pull_policy
    pod: dict[str, Any] = {"containers": [_without_empty(container)]}
    if request.volumes:
        pod["volumes"] = [_volume(volume) for volume in request.volumes]
    if request.platform is not None:
        pod["nodeSelector"] = _node_selector(request.platform)
    secrets = [pull_secret, settings.snapshot_pull_secret if request.snapshot_id is not None else None]
    if any(secrets):
        pod["imagePullSecrets"] = [{"name": name} for name in secrets if name]
    return over_defaults({"spec": pod}, settings)


def over_defaults(template: Mapping[str, Any], settings: PodSettings) -> dict[str, Any]:
    """A pod template over the operator's, whose container ``sandbox`` lies under the first one."""
    first = template["spec"]["containers"][0]["name"]
    operators = settings.template
    containers = [
        {**container, "name": first} if container["name"] == SANDBOX_CONTAINER else container
        for container in operators.get("spec", {}).get("containers", ())
    ]
    if containers:
        operators = {**operators, "spec": {**operators["spec"], "containers": containers}}
    return overlay(overlay(_FLOOR, operators), template)


def resources(limits: Mapping[str, str], requests: Mapping[str, str]) -> dict[str, Any]:
    """The resources of a container."""
    return _without_empty({"limits": dict(limits), "requests": dict(requests)})


def _check_pooled(spec: WorkloadSpec) -> None:
    """What runs already cannot be given another environment.

    Clients of old always send image, entrypoint and limits as well. The pool's hold, as the answer tells.
    """
    for field, given in (("env", spec.env), ("platform", spec.request.platform)):
        if given:
            raise Invalid(f"a sandbox out of a pool runs already, as its pool says; leave {field} out")


def _check_volumes(volumes: tuple[Volume, ...], template: Mapping[str, Any]) -> None:
    pod = template.get("spec", {})
    taken = {volume["name"] for volume in pod.get("volumes", ())}
    mounted = {
        mount["mountPath"].rstrip("/")
        for container in pod.get("containers", ())
        if container.get("name") == SANDBOX_CONTAINER
        for mount in container.get("volumeMounts", ())
    }
    for volume in volumes:
        if volume.name in taken:
            raise Invalid(f"the volume name {volume.name} is taken by the operator's pod template")
        if volume.mount_path.rstrip("/") in mounted:
            raise Invalid(f"the operator's pod template mounts something at {volume.mount_path} already")


def _is_open(network: NetworkPolicy | None) -> bool:
    """Whether everything is allowed, so that there is nothing to enforce."""
    if network is None:
        return True
    return network.default_action in (None, "allow") and all(
        rule.action == "allow" for rule in network.egress
    )


def _volume(volume: Volume) -> dict[str, Any]:
    if volume.claim is not None:
        return {"name": volume.name, "persistentVolumeClaim": {"claimName": volume.claim.claim_name}}
    assert volume.host is not None, "other sources were refused by the rules"
    return {"name": volume.name, "hostPath": {"path": volume.host.path}}


def _mount(volume: Volume) -> dict[str, Any]:
    mount: dict[str, Any] = {"name": volume.name, "mountPath": volume.mount_path}
    if volume.read_only:
        mount["readOnly"] = True
    if volume.sub_path:
        mount["subPath"] = volume.sub_path
    return mount


def _node_selector(platform: Platform) -> dict[str, str]:
    return {"kubernetes.io/os": platform.os, "kubernetes.io/arch": platform.arch}


def _without_empty(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ({}, [], None)}
