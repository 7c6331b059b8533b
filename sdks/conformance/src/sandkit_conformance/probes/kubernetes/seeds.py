"""What a probe puts into a cluster behind the server's back, as somebody with kubectl could."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final

import anyio

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.kubernetes.api import STRATEGIC_PATCH, Api, Kind, Object
from sandkit_conformance.probes.kubernetes.objects import CLAIMS, ID_LABEL, metadata

_PATIENCE: Final = 10.0
_CLAIM: Final = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Mi"}}}
_CONTAINER: Final = {"image": "busybox:1.36", "command": ["sleep", "3600"]}


async def create_claim(api: Api, fields: Mapping[str, Any]) -> Object:
    """Make a claim and wait until it is bound; one that needs a consumer first stays as it is."""
    owners = fields.get("owners") or []
    meta = {"name": fields["name"], "labels": fields.get("labels") or {}, "ownerReferences": owners}
    claim = await api.create(CLAIMS, {"metadata": meta, "spec": _CLAIM})
    deadline = time.monotonic() + _PATIENCE
    while claim["status"].get("phase") != "Bound" and time.monotonic() < deadline:
        await anyio.sleep(0.02)
        found = await api.get(CLAIMS, str(fields["name"]))
        if found is None:
            raise SidePortError(f"the claim {fields['name']} is gone before it was bound")
        claim = found
    return claim


async def edit_claim(api: Api, name: str, fields: Mapping[str, Any]) -> Object | None:
    """Merge labels and append owners, keeping what others wrote."""
    meta = {"labels": fields.get("labels") or {}}
    if owners := fields.get("owners"):
        # A strategic merge patch merges this list by uid.
        meta["ownerReferences"] = owners
    return await api.patch(CLAIMS, name, {"metadata": meta}, STRATEGIC_PATCH)


def workload(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A BatchSandbox of as many replicas and containers, as an operator would write it."""
    name = fields["sandboxId"]
    containers = [{"name": f"c{number}", **_CONTAINER} for number in range(fields.get("containers", 1))]
    return {
        "metadata": {"name": name, "labels": {ID_LABEL: name, **(fields.get("metadata") or {})}},
        "spec": {
            "replicas": fields.get("replicas", 1),
            "template": {"spec": {"containers": containers, "terminationGracePeriodSeconds": 1}},
        },
    }


async def wait_until_gone(api: Api, kind: Kind, name: str) -> None:
    """Give the deletion a moment; what something else still uses is left in its Terminating."""
    deadline = time.monotonic() + 1.0
    while time.monotonic() < deadline:
        found = await api.get(kind, name)
        if found is None or "deletionTimestamp" not in metadata(found):
            return
        await anyio.sleep(0.02)
