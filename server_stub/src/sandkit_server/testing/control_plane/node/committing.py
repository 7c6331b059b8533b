"""The work of commit jobs, done on records: freeze, copy, let run on, push, report.

It follows the arguments that the controller gives the real committer, and fails as that one does: with a
report of the cause where it can, without one when it is killed; then the source stays frozen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandkit_server.core.port_errors import PortError
from sandkit_server.disturbance.faults import InjectedCrash, Subject
from sandkit_server.disturbance.strikes import Steps
from sandkit_server.kubernetes.resources import SNAPSHOT_LABEL, TASK_LABEL
from sandkit_server.testing.control_plane.node.containers import Container, Containers
from sandkit_server.testing.control_plane.node.registry import ImageUnavailable, Registry

_KILLED: Final = 137


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended, with what it left as its termination message."""

    code: int
    message: str = ""


class Committer:
    """Runs commit and release jobs on the containers of a node."""

    def __init__(
        self,
        containers: Containers,
        registry: Registry,
        steps: Steps,
        subject_of: Callable[[str | None], Subject],
    ) -> None:
        self._containers = containers
        self._registry = registry
        self._steps = steps
        self._subject_of = subject_of

    async def run(self, pod: Mapping[str, Any]) -> Exit:
        """Do what a job's pod asks for."""
        arguments = list(pod["spec"]["containers"][0].get("args") or ())
        named = _named(arguments, "--container")
        found = {name: self._containers.container(identity) for name, identity in named.items()}
        if missing := [name for name, container in found.items() if container is None]:
            return _failed("ContainerNotFound", f"container {missing[0]} does not run on this node")
        sources = {name: container for name, container in found.items() if container is not None}
        if pod["metadata"]["labels"][TASK_LABEL] == "release":
            _freeze(sources.values(), frozen=False)
            return Exit(0, "{}")
        return await self._commit(pod, sources, _named(arguments, "--image"))

    async def _commit(
        self, pod: Mapping[str, Any], sources: Mapping[str, Container], images: Mapping[str, str]
    ) -> Exit:
        subject = self._subject(pod, sources)
        _freeze(sources.values(), frozen=True)
        try:
            async with self._steps.at("snapshot.commit", subject):
                layers = {name: dict(container.rootfs) for name, container in sources.items()}
        except InjectedCrash:
            return Exit(_KILLED)
        except PortError as error:
            _freeze(sources.values(), frozen=False)
            return _failed("CommitFailed", error.message)
        _freeze(sources.values(), frozen=False)
        try:
            pushed = []
            for name in sources:
                async with self._steps.at("snapshot.push", subject):
                    pushed.append(self._push(name, images[name], layers[name]))
        except InjectedCrash:
            return Exit(_KILLED)
        except (PortError, ImageUnavailable) as error:
            return _failed("PushFailed", str(error))
        return Exit(0, json.dumps({"containers": pushed}))

    def _push(self, name: str, ref: str, files: Mapping[str, bytes]) -> dict[str, str]:
        image = self._registry.push(ref, files)
        return {"containerName": name, "imageUri": ref, "imageDigest": image.digest}

    def _subject(self, pod: Mapping[str, Any], sources: Mapping[str, Container]) -> Subject:
        ids = {container.id for container in sources.values()}
        source = next(one for one in self._containers if ids & {container.id for container in one.containers})
        about = self._subject_of(source.sandbox)
        name = pod["metadata"]["labels"].get(SNAPSHOT_LABEL)
        return Subject(sandbox_id=about.sandbox_id, name=name, metadata=about.metadata)


def _named(arguments: Iterable[str], flag: str) -> dict[str, str]:
    """The values of a repeated argument ``--flag=NAME=VALUE``."""
    values = [one.removeprefix(f"{flag}=") for one in arguments if one.startswith(f"{flag}=")]
    return dict(value.split("=", 1) for value in values)


def _freeze(containers: Iterable[Container], *, frozen: bool) -> None:
    for container in containers:
        container.frozen = frozen


def _failed(reason: str, message: str) -> Exit:
    return Exit(1, json.dumps({"reason": reason, "message": message}))
