"""The credentials of one create request, as the secret its pod pulls with."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

from sandkit_server.core.model import RegistryAuth
from sandkit_server.core.ports import ObjectRef
from sandkit_server.kubernetes.resources import ID_LABEL

_DOCKER_HUB = "https://index.docker.io/v1/"


def pull_secret_name(sandbox_id: str, now: datetime) -> str:
    """Its name, another one for each create: that of an earlier sandbox of the same id may still be there."""
    return f"{sandbox_id}-pull-{int(now.timestamp() * 1_000_000):x}"


def pull_secret(name: str, image: str, auth: RegistryAuth, owner: ObjectRef) -> dict[str, Any]:
    """The secret, owned by the workload, so that it goes away with it."""
    pair = f"{auth.username}:{auth.password}".encode()
    entry = {
        "username": auth.username,
        "password": auth.password,
        "auth": base64.b64encode(pair).decode("ascii"),
    }
    config = json.dumps({"auths": {registry_of(image): entry}}).encode()
    return {
        "metadata": {
            "name": name,
            "labels": {ID_LABEL: owner.name},
            "ownerReferences": [
                {
                    "apiVersion": owner.api_version,
                    "kind": owner.kind,
                    "name": owner.name,
                    "uid": owner.uid,
                    "controller": False,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "type": "kubernetes.io/dockerconfigjson",
        "data": {".dockerconfigjson": base64.b64encode(config).decode("ascii")},
    }


def registry_of(image: str) -> str:
    """The registry an image reference is pulled from, as a Docker configuration names it."""
    first, slash, _ = image.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return _DOCKER_HUB if first in {"docker.io", "index.docker.io"} else first
    return _DOCKER_HUB
