"""The half of the probe that an API server cannot show: files, processes, environments, volumes' contents."""

from __future__ import annotations

from typing import Any, Final, Never

from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.observation import JsonObject
from sandkit_server.core.ports import Clock
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import CLAIMS
from sandkit_server.testing.control_plane.harness.directory import Directory
from sandkit_server.testing.control_plane.node.containers import Container, RunningPod
from sandkit_server.testing.control_plane.node.kubelet import Node
from sandkit_server.testing.control_plane.node.registry import digest_of
from sandkit_server.testing.control_plane.node.volumes import claim_key

PROTOCOL: Final = "sandkit-probe/1"
CAPABILITIES: Final = ("view", "files", "environment")


class NodeAgent:
    """Looks into what runs on the node. Objects of the cluster are not its business."""

    def __init__(self, node: Node, directory: Directory, clock: Clock) -> None:
        self._node = node
        self._directory = directory
        self._clock = clock

    def info(self) -> JsonObject:
        """Protocol name and capabilities."""
        return {"protocol": PROTOCOL, "capabilities": list(CAPABILITIES)}

    async def view(self) -> JsonObject:
        """Processes, the contents of volumes by digest, images of the registry."""
        registry = self._node.registry
        return {
            "time": self._clock.now().isoformat(),
            "processes": [
                _process(pod, container)
                for pod in self._node.containers
                if pod.sandbox is not None
                for container in pod.containers
            ],
            "volumes": [self._contents(claim) for claim in self._directory.all(CLAIMS)],
            "images": [{"ref": f"{image.ref}@{image.digest}", "digest": image.digest} for image in registry],
        }

    async def read_file(self, sandbox_id: str, path: str) -> bytes:
        """A file as the sandbox sees it."""
        files, inner, _ = self._container(sandbox_id).place(path, self._node.volumes)
        return _content(files, inner)

    async def write_file(self, sandbox_id: str, path: str, content: bytes) -> None:
        """Write a file as the sandbox would."""
        if not path.startswith("/") or path.endswith("/"):
            raise _refused("query:path", "absolute-path", "A path is absolute and names a file.")
        files, inner, read_only = self._container(sandbox_id).place(path, self._node.volumes)
        if read_only:
            raise _refused("query:path", "writable", f"{path} lies in a read-only mount.")
        files[inner] = content

    async def read_volume_file(self, volume: str, path: str) -> bytes:
        """A file of a claim, mounted or not."""
        return _content(self._volume(volume), path.lstrip("/"))

    async def write_volume_file(self, volume: str, path: str, content: bytes) -> None:
        """Write into a claim, mounted or not."""
        self._volume(volume)[path.lstrip("/")] = content

    async def environment(self, sandbox_id: str) -> JsonObject:
        """The environment of the sandbox's main process."""
        return {"env": dict(self._container(sandbox_id).env)}

    async def events(self, after: int) -> JsonObject:  # noqa: ARG002 - there is none
        """Not told here: the API server's watches tell."""
        _elsewhere()

    async def seed_volume(self, body: JsonObject) -> JsonObject:  # noqa: ARG002
        """Not done here: the API server takes claims from anybody."""
        _elsewhere()

    async def edit_volume(self, name: str, body: JsonObject) -> JsonObject:  # noqa: ARG002
        """Likewise."""
        _elsewhere()

    async def delete_volume(self, name: str) -> None:  # noqa: ARG002
        """Likewise."""
        _elsewhere()

    async def seed_workload(self, body: JsonObject) -> JsonObject:  # noqa: ARG002
        """Likewise."""
        _elsewhere()

    async def delete_workload(self, name: str) -> None:  # noqa: ARG002
        """Likewise."""
        _elsewhere()

    async def delete_snapshot(self, snapshot_id: str) -> None:  # noqa: ARG002
        """Likewise."""
        _elsewhere()

    def _contents(self, claim: Object) -> dict[str, Any]:
        metadata = claim["metadata"]
        files = self._node.volumes.files(claim_key(metadata["uid"]))
        return {"name": metadata["name"], "uid": metadata["uid"], "digest": digest_of(files)}

    def _container(self, sandbox_id: str) -> Container:
        pod = self._node.containers.of_sandbox(sandbox_id)
        if pod is None:
            raise _unknown("running sandbox", sandbox_id)
        return pod.containers[0]

    def _volume(self, name: str) -> dict[str, bytes]:
        claim = self._directory.find(CLAIMS, name)
        if claim is None:
            raise _unknown("claim", name)
        return self._node.volumes.files(claim_key(claim["metadata"]["uid"]))


def _process(pod: RunningPod, container: Container) -> dict[str, Any]:
    return {
        "sandboxId": pod.sandbox,
        "pid": 1,
        "command": list(container.command),
        "state": "frozen" if container.frozen else "running",
        "startedAt": container.started_at.isoformat(),
    }


def _content(files: dict[str, bytes], path: str) -> bytes:
    if path not in files:
        raise _unknown("file", path)
    return files[path]


def _elsewhere() -> Never:
    raise SandkitError(ErrorCode.REQUEST_ROUTE_NOT_FOUND, "Ask the API server of the cluster for this.")


def _unknown(what: str, name: str) -> SandkitError:
    return SandkitError(ErrorCode.REQUEST_ROUTE_NOT_FOUND, f"There is no {what} {name}.")


def _refused(pointer: str, rule: str, message: str) -> SandkitError:
    return invalid_request([FieldError(pointer, rule, message)])
