"""Objects that tests make."""

from __future__ import annotations

from typing import Any

from sandkit_server.kubernetes.resources import Resource

CONFIG_MAPS = Resource(version="v1", plural="configmaps", kind="ConfigMap")


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "labels": labels or {}}, "data": data}


def pod(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": "example.invalid/none"}]},
    }


def claim(name: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }


def sandbox(name: str, **spec: Any) -> dict[str, Any]:
    template = {"spec": pod(name)["spec"]}
    return {"metadata": {"name": name}, "spec": {"template": template, **spec}}


def owner(obj: Any, **more: Any) -> dict[str, Any]:
    """An owner reference to ``obj``."""
    identity = {key: obj["metadata"][key] for key in ("name", "uid")}
    return {"apiVersion": obj["apiVersion"], "kind": obj["kind"], **identity, **more}
