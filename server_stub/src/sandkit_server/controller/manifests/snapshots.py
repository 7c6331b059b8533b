"""The SandboxSnapshot of an attempt to pause."""

from __future__ import annotations

from typing import Any

from sandkit_server.controller.naming import pause_snapshot_name
from sandkit_server.controller.ownership import owner_reference
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ATTEMPT_ANNOTATION,
    BATCH_SANDBOXES,
    ID_LABEL,
    PURPOSE_LABEL,
    PURPOSE_PAUSE,
)


def pause_snapshot(sandbox: Object, attempt: int) -> dict[str, Any]:
    """The snapshot of one attempt; it goes with its sandbox, but does not hold up the deletion."""
    name = sandbox["metadata"]["name"]
    return {
        "metadata": {
            "name": pause_snapshot_name(name, attempt),
            "labels": {ID_LABEL: name, PURPOSE_LABEL: PURPOSE_PAUSE},
            "annotations": {ATTEMPT_ANNOTATION: str(attempt)},
            "ownerReferences": [owner_reference(BATCH_SANDBOXES, sandbox, blocks_deletion=False)],
        },
        "spec": {"sandboxName": name},
    }
