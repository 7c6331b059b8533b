"""What runs on the node: pods with containers, their files, processes and logs, as records."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandkit_server.kubernetes.resources import ID_LABEL
from sandkit_server.testing.control_plane.node.volumes import Mount, Volumes

Json = Mapping[str, Any]


def sandbox_of(pod: Json) -> str | None:
    """The sandbox a pod belongs to: by the label we give it, else by the workload that controls it."""
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    if ID_LABEL in labels:
        return str(labels[ID_LABEL])
    owners = metadata.get("ownerReferences") or ()
    return next((str(one["name"]) for one in owners if one["kind"] == "Sandbox"), None)


def new_container_id() -> str:
    """An id as containerd gives it."""
    return secrets.token_hex(32)


@dataclass(slots=True, kw_only=True)
class Container:
    """A container that runs. A frozen one keeps everything and does nothing."""

    name: str
    id: str
    image: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    started_at: datetime
    rootfs: dict[str, bytes] = field(default_factory=dict, repr=False)
    mounts: tuple[Mount, ...] = ()
    frozen: bool = False
    log: list[str] = field(default_factory=list, repr=False)

    def place(self, path: str, volumes: Volumes) -> tuple[dict[str, bytes], str, bool]:
        """Where a path lives: the files it is among, its name there, and whether writes are refused."""
        for mount in sorted(self.mounts, key=lambda one: len(one.path), reverse=True):
            root = mount.path.rstrip("/")
            if path == root or path.startswith(f"{root}/"):
                inner = path[len(root) :].strip("/")
                inner = f"{mount.sub_path.strip('/')}/{inner}" if mount.sub_path else inner
                return volumes.files(mount.volume), inner, mount.read_only
        return self.rootfs, path, False


@dataclass(slots=True, kw_only=True)
class RunningPod:
    """A pod whose containers run on this node, and the sandbox it belongs to now, if it does."""

    name: str
    uid: str
    ip: str
    sandbox: str | None
    containers: tuple[Container, ...]


class Containers:
    """All pods that run on the node."""

    def __init__(self) -> None:
        self._pods: dict[str, RunningPod] = {}

    def __iter__(self) -> Iterator[RunningPod]:
        return iter(tuple(self._pods.values()))

    def __len__(self) -> int:
        return len(self._pods)

    def add(self, pod: RunningPod) -> None:
        """Note that a pod runs."""
        self._pods[pod.uid] = pod

    def remove(self, uid: str) -> None:
        """Note that it does not run any more."""
        self._pods.pop(uid, None)

    def of(self, uid: str) -> RunningPod | None:
        """The pod of a uid."""
        return self._pods.get(uid)

    def of_sandbox(self, sandbox: str) -> RunningPod | None:
        """A pod of a sandbox."""
        return next((pod for pod in self if pod.sandbox == sandbox), None)

    def container(self, container_id: str) -> Container | None:
        """A container by its id in the runtime."""
        return next((one for pod in self for one in pod.containers if one.id == container_id), None)
