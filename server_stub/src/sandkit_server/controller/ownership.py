"""Owner references of what the controller makes, and telling its own objects from others'."""

from __future__ import annotations

from typing import Any

from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import Resource


def owner_reference(resource: Resource, owner: Object, *, blocks_deletion: bool = True) -> dict[str, Any]:
    """An edge to the one controlling owner; with it the garbage collector removes what the owner leaves."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": blocks_deletion,
    }


def is_owned(obj: Object, owner: Object) -> bool:
    """Whether ``owner`` is the controlling owner of ``obj``."""
    return owner_uid(obj) == str(owner["metadata"]["uid"])


def owner_uid(obj: Object) -> str | None:
    """The uid of the controlling owner."""
    for reference in obj["metadata"].get("ownerReferences", ()):
        if reference.get("controller"):
            return str(reference["uid"])
    return None
