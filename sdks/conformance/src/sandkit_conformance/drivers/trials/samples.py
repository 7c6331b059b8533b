"""One plain call of every operation, and what the scripted server answers to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import field, frozen

_MOMENT: Final = "2030-01-02T03:04:05Z"
_SANDBOX: Final = {
    "id": "sbx-1",
    "status": {"state": "Running", "reason": "Ready", "lastTransitionAt": _MOMENT},
    "entrypoint": ["sleep", "60"],
    "createdAt": _MOMENT,
    "expiresAt": _MOMENT,
    "image": {"uri": "busybox:1.36"},
    "metadata": {"team": "blue"},
}
_SNAPSHOT: Final = {
    "id": "snap-1",
    "sandboxId": "sbx-1",
    "name": "first",
    "status": {"state": "Ready", "lastTransitionAt": _MOMENT},
    "createdAt": _MOMENT,
}
_CAPACITY: Final = {"bufferMin": 1, "bufferMax": 2, "poolMin": 1, "poolMax": 3}
_TEMPLATE: Final = {"spec": {"containers": [{"name": "main", "image": "busybox:1.36"}]}}
_POOL: Final = {
    "name": "warm",
    "capacitySpec": _CAPACITY,
    "createdAt": _MOMENT,
    "status": {"revision": "rev-1", "total": 1, "allocated": 0, "available": 1},
}
_PAGE: Final = {"page": 1, "pageSize": 20, "totalItems": 1, "totalPages": 1, "hasNextPage": False}
_CREATE: Final = {
    "image": {"uri": "busybox:1.36"},
    "entrypoint": ["sleep", "60"],
    "timeout": 600,
    "resourceLimits": {"cpu": "100m", "memory": "64Mi"},
    "env": {"GREETING": "grüß dich"},
    "metadata": {"team": "blue"},
    "volumes": [{"name": "data", "mountPath": "/data", "pvc": {"claimName": "claim-1"}}],
}
_ONE: Final = {"sandboxId": "sbx-1"}


@frozen
class Sample:
    """A call and its answer: `answer` is JSON, or text, or None for no body. `body` None: none is sent."""

    operation: str
    status: int
    answer: Any = None
    parameters: Mapping[str, str] = field(factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None


SAMPLES: Final = (
    Sample("createSandbox", 202, _SANDBOX, body=_CREATE),
    Sample(
        "listSandboxes",
        200,
        {"items": [_SANDBOX], "pagination": _PAGE},
        query=(("state", "Running"), ("state", "Paused"), ("metadata", "team=blue"), ("pageSize", "7")),
    ),
    Sample("getSandbox", 200, _SANDBOX, _ONE),
    Sample("deleteSandbox", 204, None, _ONE),
    Sample("patchSandboxMetadata", 200, _SANDBOX, _ONE, body={"team": "red", "old": None}),
    Sample("pauseSandbox", 202, None, _ONE),
    Sample("resumeSandbox", 202, None, _ONE),
    Sample("renewSandboxExpiration", 200, {"expiresAt": _MOMENT}, _ONE, body={"expiresAt": _MOMENT}),
    Sample(
        "getSandboxEndpoint",
        200,
        {"endpoint": "10.0.0.1:8000", "headers": {"X-Access": "granted"}},
        {**_ONE, "port": "8000"},
        (("use_server_proxy", "true"),),
    ),
    Sample("createSnapshot", 202, _SNAPSHOT, _ONE, body={"name": "first"}),
    Sample(
        "listSnapshots", 200, {"items": [_SNAPSHOT], "pagination": _PAGE}, query=(("sandboxId", "sbx-1"),)
    ),
    Sample("getSnapshot", 200, _SNAPSHOT, {"snapshotId": "snap-1"}),
    Sample("deleteSnapshot", 204, None, {"snapshotId": "snap-1"}),
    Sample("getSandboxLogs", 200, "a line\nanother, with ü\n", _ONE),
    Sample("getSandboxEvents", 200, "something happened\n", _ONE),
    Sample("createPool", 201, _POOL, body={"name": "warm", "template": _TEMPLATE, "capacitySpec": _CAPACITY}),
    Sample("listPools", 200, {"items": [_POOL]}),
    Sample("getPool", 200, _POOL, {"poolName": "warm"}),
    Sample("updatePool", 200, _POOL, {"poolName": "warm"}, body={"capacitySpec": _CAPACITY}),
    Sample("deletePool", 204, None, {"poolName": "warm"}),
    Sample("getHealth", 200, {"status": "healthy"}),
    Sample("getVersion", 200, {"version": "1", "apiVersion": "1.0.0", "capabilities": ["pause"]}),
)
# What only a client without types, or a careful one, sends as it stands. The others must refuse.
ODD_CALLS: Final = (
    Sample("createSandbox", 202, _SANDBOX, body={**_CREATE, "surprise": True}),
    Sample("createSandbox", 202, _SANDBOX, body={**_CREATE, "timeout": None}),
    Sample("createSandbox", 202, _SANDBOX, body={**_CREATE, "timeout": 600.5}),
    Sample("createSandbox", 202, _SANDBOX, body={**_CREATE, "entrypoint": "sleep"}),
    Sample("createSandbox", 202, _SANDBOX, body={"image": {"uri": "busybox:1.36"}}),
    Sample("createSandbox", 202, _SANDBOX, body=["not", "an", "object"]),
    Sample("createSandbox", 202, _SANDBOX),
    Sample("getSandbox", 200, _SANDBOX, {"sandboxId": "a/b c%?#ü"}),
    Sample("getSandbox", 200, _SANDBOX, {"sandboxId": ".."}),
    Sample("getSandbox", 200, _SANDBOX, _ONE, (("surprise", "1"),)),
    Sample("pauseSandbox", 202, None, _ONE, body={"surprise": True}),
)
