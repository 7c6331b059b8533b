"""Jobs of the committer: one commits the root filesystems of a pod, the other lets a frozen pod run on.

They get the runtime's socket of one node, which is as good as root there. So they take an argument list and
no shell, every argument was checked by its maker, and apart from the socket they have nothing: no token, no
capability, no writable root, no time without end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sandkit_server.controller.config import Config
from sandkit_server.controller.naming import commit_job_name, release_job_name
from sandkit_server.controller.ownership import owner_reference
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    ID_LABEL,
    MANAGED_BY,
    MANAGED_LABEL,
    SNAPSHOT_LABEL,
    SNAPSHOTS,
    TASK_LABEL,
)

_SOCKET: Final = "/run/containerd.sock"
_PUSH_CONFIG: Final = "/run/secrets/push"
_RELEASE_RETRIES: Final = 3


class Task(StrEnum):
    """What a job does; the value of its label."""

    COMMIT = "commit"
    RELEASE = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container to be committed, its id in the runtime, and where its image is pushed."""

    name: str
    id: str
    image: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a job works on; every text in it is known to be a name, an id or a reference."""

    pod: str
    pod_uid: str
    node: str
    containers: Sequence[Container]


def commit_job(snapshot: Object, source: Source, config: Config) -> dict[str, Any]:
    """Freezes, commits, lets run on and pushes; its termination message is the result as JSON.

    One attempt only: a retry would freeze the source again, and the caller of the pause decides that.
    """
    args = [
        "commit",
        *_target(config),
        *(f"--container={each.name}={each.id}" for each in source.containers),
        *(f"--image={each.name}={each.image}" for each in source.containers),
        f"--push-config={_PUSH_CONFIG}/config.json",
        *(f"--insecure-registry={host}" for host in sorted(config.insecure_registries)),
    ]
    secret = {
        "secretName": config.push_secret,
        "items": [{"key": ".dockerconfigjson", "path": "config.json"}],
        "defaultMode": 0o400,
    }
    pod = _pod(source, config, args)
    pod["volumes"].append({"name": "push", "secret": secret})
    pod["containers"][0]["volumeMounts"].append({"name": "push", "mountPath": _PUSH_CONFIG, "readOnly": True})
    spec = {"activeDeadlineSeconds": config.commit_deadline, "backoffLimit": 0}
    return _job(snapshot, Task.COMMIT, {**spec, "ttlSecondsAfterFinished": config.job_ttl}, pod)


def release_job(snapshot: Object, source: Source, config: Config) -> dict[str, Any]:
    """Lets the containers run on that a killed commit may have left frozen (FLT-05)."""
    args = [
        "release",
        *_target(config),
        *(f"--container={each.name}={each.id}" for each in source.containers),
    ]
    spec = {"activeDeadlineSeconds": config.release_deadline, "backoffLimit": _RELEASE_RETRIES}
    return _job(
        snapshot,
        Task.RELEASE,
        {**spec, "ttlSecondsAfterFinished": config.job_ttl},
        _pod(source, config, args),
    )


def _target(config: Config) -> list[str]:
    return [f"--socket={_SOCKET}", f"--containerd-namespace={config.containerd_namespace}"]


def _job(snapshot: Object, task: Task, spec: dict[str, Any], pod: dict[str, Any]) -> dict[str, Any]:
    name = snapshot["metadata"]["name"]
    labels = {MANAGED_LABEL: MANAGED_BY, SNAPSHOT_LABEL: name, TASK_LABEL: str(task)}
    names = {Task.COMMIT: commit_job_name, Task.RELEASE: release_job_name}
    return {
        "metadata": {
            "name": names[task](name),
            "labels": {**labels, ID_LABEL: snapshot["spec"]["sandboxName"]},
            "ownerReferences": [owner_reference(SNAPSHOTS, snapshot)],
        },
        "spec": {**spec, "template": {"metadata": {"labels": labels}, "spec": pod}},
    }


def _pod(source: Source, config: Config, args: Sequence[str]) -> dict[str, Any]:
    socket = {"path": config.containerd_socket, "type": "Socket"}
    return {
        # Not scheduled: it has to run there, be the node full or cordoned.
        "nodeName": source.node,
        "tolerations": [{"operator": "Exists"}],
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [
            {
                "name": "committer",
                "image": config.committer_image,
                "args": list(args),
                "terminationMessagePolicy": "File",
                "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}},
                "securityContext": {
                    # The socket is root's; beyond that root may do nothing here.
                    "runAsUser": 0,
                    "privileged": False,
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "runtime", "mountPath": _SOCKET},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - in its own pod
                ],
            }
        ],
        "volumes": [{"name": "runtime", "hostPath": socket}, {"name": "tmp", "emptyDir": {}}],
    }
