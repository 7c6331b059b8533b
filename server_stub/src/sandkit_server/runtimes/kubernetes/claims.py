"""The port for claims: PersistentVolumeClaims, read from the API server itself and never from a cache."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sandkit_server.core.naming import label_value_fault
from sandkit_server.core.port_errors import Unavailable, VersionConflict
from sandkit_server.core.ports import Claim, ClaimTemplate, OwnerReference
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Cluster, Object
from sandkit_server.kubernetes.resources import CLAIMS
from sandkit_server.kubernetes.standing import instant


class KubernetesClaims:
    """Claims of the namespace. What is decided here may destroy data, so each look is a fresh one."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    async def get(self, name: str) -> Claim:
        """Read one claim."""
        return _claim(await self._cluster.send(calls.get(CLAIMS, name)))

    async def list(self, labels: Mapping[str, str]) -> Sequence[Claim]:
        """All claims carrying all of ``labels``; what cannot be a label's value, nothing carries."""
        if any(label_value_fault(value) for value in labels.values()):
            return ()
        listed = await self._cluster.send(calls.list_all(CLAIMS, labels))
        return [_claim(item) for item in listed["items"]]

    async def create(self, template: ClaimTemplate) -> Claim:
        """Make a claim; size and modes are the API server's to judge."""
        return _claim(await self._cluster.send(calls.create(CLAIMS, _manifest(template))))

    async def add_owner(self, name: str, uid: str, owner: OwnerReference) -> Claim:
        """Add one owner and keep all others.

        A strategic merge patch merges owners by their uid; the uid of the claim itself in the patch makes
        the API server refuse it for any later claim of the same name.
        """
        edge = {
            "apiVersion": owner.api_version,
            "kind": owner.kind,
            "name": owner.name,
            "uid": owner.uid,
            "controller": owner.controller,
            "blockOwnerDeletion": owner.block_owner_deletion,
        }
        patch = {"metadata": {"uid": uid, "ownerReferences": [edge]}}
        try:
            return _claim(await self._cluster.send(calls.strategic(CLAIMS, name, patch)))
        except VersionConflict as error:
            # Without a version in the patch the API server tried again by itself, and gave up.
            raise Unavailable(error.message) from error

    async def delete(self, name: str, uid: str, version: str | None = None) -> None:
        """Delete the claim of this uid; a pod that still mounts it holds it back until the pod has ended."""
        await self._cluster.send(calls.delete(CLAIMS, name, uid=uid, version=version))


def _manifest(template: ClaimTemplate) -> dict[str, Any]:
    spec: dict[str, Any] = {"accessModes": list(template.access_modes or ("ReadWriteOnce",))}
    if template.storage is not None:
        spec["resources"] = {"requests": {"storage": template.storage}}
    if template.storage_class is not None:
        spec["storageClassName"] = template.storage_class
    return {"metadata": {"name": template.name, "labels": dict(template.labels)}, "spec": spec}


def _claim(obj: Object) -> Claim:
    metadata = obj["metadata"]
    return Claim(
        name=metadata["name"],
        uid=metadata["uid"],
        labels=metadata.get("labels") or {},
        owners=tuple(_owner(edge) for edge in metadata.get("ownerReferences") or ()),
        created_at=instant(metadata["creationTimestamp"]),
        version=metadata["resourceVersion"],
        terminating="deletionTimestamp" in metadata,
    )


def _owner(edge: Mapping[str, Any]) -> OwnerReference:
    return OwnerReference(
        api_version=edge["apiVersion"],
        kind=edge["kind"],
        name=edge["name"],
        uid=edge["uid"],
        controller=bool(edge.get("controller")),
        block_owner_deletion=bool(edge.get("blockOwnerDeletion")),
    )
