"""A provisioner: a storage class, a PersistentVolume for each claim of it, and none that was released."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sandkit_server.testing.control_plane.node.api import NodeApi, Refused
from sandkit_server.testing.control_plane.node.following import follow
from sandkit_server.testing.control_plane.node.volumes import Volumes, claim_key

DRIVER: Final = "node.sandkit.test"
CLASS: Final = "standard"

# The scheduler hears of a bound claim by one path and looks it up by another. A pod it tried in between is
# left alone for minutes unless something about volumes changes (kubernetes/kubernetes#93552). In a busy
# cluster something always does; here it is this note on the volume, so long after its claim was bound.
BOUND_NOTE: Final = f"{DRIVER}/bound"
_NOTE_SECONDS: Final = 1.0

_CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_VOLUMES: Final = "/api/v1/persistentvolumes"
_CLAIMS: Final = "/api/v1/persistentvolumeclaims"

_log = logging.getLogger(__name__)


class Provisioner:
    """Makes volumes and removes them; binding and protection are the control plane's own."""

    def __init__(self, api: NodeApi, volumes: Volumes) -> None:
        self._api = api
        self._volumes = volumes
        self._bound: set[str] = set()

    async def install(self) -> None:
        """Make the class, as the cluster's default."""
        default = {"storageclass.kubernetes.io/is-default-class": "true"}
        try:
            await self._api.create(
                _CLASSES,
                {
                    "metadata": {"name": CLASS, "annotations": default},
                    "provisioner": DRIVER,
                    "reclaimPolicy": "Delete",
                    "volumeBindingMode": "Immediate",
                },
            )
        except Refused as refusal:
            if refusal.status != 409:
                raise

    async def run(self) -> None:
        """Serve until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(follow(self._api, _CLAIMS, partial(self._on_claim, group)))
            group.create_task(follow(self._api, _VOLUMES, self._on_volume))

    async def _on_claim(self, group: asyncio.TaskGroup, change: str, claim: Mapping[str, Any]) -> None:
        spec, metadata = claim["spec"], claim["metadata"]
        uid = metadata["uid"]
        if spec.get("storageClassName") != CLASS:
            return
        if change == "DELETED" or "deletionTimestamp" in metadata:
            self._bound.discard(uid)
        elif "volumeName" not in spec:
            await self._provide(claim)
        elif claim["status"].get("phase") == "Bound" and uid not in self._bound:
            self._bound.add(uid)
            group.create_task(self._note(spec["volumeName"]))

    async def _provide(self, claim: Mapping[str, Any]) -> None:
        spec, metadata = claim["spec"], claim["metadata"]
        reference = {key: metadata[key] for key in ("namespace", "name", "uid")}
        body = {
            "metadata": {
                "name": f"pvc-{metadata['uid']}",
                "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER},
            },
            "spec": {
                "capacity": {"storage": spec["resources"]["requests"]["storage"]},
                "accessModes": spec["accessModes"],
                "storageClassName": CLASS,
                "persistentVolumeReclaimPolicy": "Delete",
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **reference},
                "csi": {"driver": DRIVER, "volumeHandle": metadata["uid"]},
            },
        }
        try:
            await self._api.create(_VOLUMES, body)
        except Refused as refusal:
            if refusal.status != 409:
                _log.warning("no volume for claim %s: %s", metadata["name"], refusal)

    async def _note(self, volume: str) -> None:
        await asyncio.sleep(_NOTE_SECONDS)
        try:
            await self._api.merge(f"{_VOLUMES}/{volume}", {"metadata": {"annotations": {BOUND_NOTE: "true"}}})
        except Refused as refusal:
            if refusal.status != 404:
                _log.warning("no note on volume %s: %s", volume, refusal)

    async def _on_volume(self, change: str, volume: Mapping[str, Any]) -> None:
        spec = volume["spec"]
        if (spec.get("csi") or {}).get("driver") != DRIVER:
            return
        if change == "DELETED":
            self._volumes.discard(claim_key(spec["csi"]["volumeHandle"]))
        elif (volume.get("status") or {}).get("phase") == "Released":
            await self._api.delete(f"{_VOLUMES}/{volume['metadata']['name']}")
