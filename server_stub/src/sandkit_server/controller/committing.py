"""What a commit needs before anything is frozen, and reading its result."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandkit_server.controller import naming, pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import PushSecret
from sandkit_server.controller.manifests.jobs import Container, Source
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object

COMMIT_FAILED = "CommitFailed"
COMMIT_DEADLINE = "CommitDeadline"


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something failed, as a status tells it."""

    reason: str
    message: str


def configuration_obstacle(config: Config) -> Cause | None:
    """What the operator has not configured; without it nothing can be committed (FLT-01)."""
    if config.registry is None:
        return Cause("RegistryNotConfigured", "The operator has configured no registry.")
    if config.push_secret is None:
        return Cause("PushSecretMissing", "The operator has configured no push secret.")
    if config.committer_image is None:
        return Cause("CommitterNotConfigured", "The operator has configured no committer image.")
    return None


def secret_obstacle(config: Config, push_secret: PushSecret) -> Cause | None:
    """What is wrong with the push secret (FLT-03)."""
    name = config.push_secret
    if push_secret is PushSecret.MISSING:
        return Cause("PushSecretMissing", f"There is no secret {name} to push with.")
    if push_secret is PushSecret.WRONG_TYPE:
        message = f"Secret {name} has to be of type kubernetes.io/dockerconfigjson."
        return Cause("PushSecretInvalid", message)
    if push_secret is PushSecret.FORBIDDEN:
        return Cause("PushSecretForbidden", f"The controller may not read secret {name}.")
    return None


def source_of(pod: Object, sandbox: Object, snapshot: str, config: Config) -> Source | Cause:
    """What is to be committed of a pod, every name of it checked (FLT-14), or why it cannot be.

    Containers that admission put beside those of the template are no part of the sandbox. A sandbox out of a
    pool has no template; all of its containers are the sandbox.
    """
    metadata = pod["metadata"]
    template = sandbox["spec"].get("template") or pod
    node = pod["spec"].get("nodeName")
    if node is None:
        return Cause("PodNotResolved", "The pod is on no node yet.")
    ids = {entry["name"]: entry.get("containerID", "") for entry in pods.container_statuses(pod)}
    containers: list[Container] = []
    names = [container["name"] for container in template["spec"]["containers"]]
    for name in names:
        identity = naming.container_id(ids.get(name, ""))
        if identity is None:
            return Cause("PodNotResolved", f"Container {name} has no id in the runtime yet.")
        image = naming.image_reference(
            config.registry or "", sandbox["metadata"]["name"], snapshot, name if len(names) > 1 else None
        )
        if image is None or not naming.is_name(name):
            return Cause(
                "InvalidName", "The names of sandbox, snapshot and container make no image reference."
            )
        containers.append(Container(name=name, id=identity, image=image))
    if not naming.is_name(node):
        return Cause("InvalidName", "The node has a name that is none.")
    return Source(pod=metadata["name"], pod_uid=metadata["uid"], node=node, containers=tuple(containers))


def planned_containers(source: Source) -> list[dict[str, str]]:
    """``status.containers`` while they are being committed."""
    return [{"containerName": each.name, "imageUri": each.image} for each in source.containers]


def committed_containers(snapshot: Object, job_pods: Sequence[Object]) -> list[dict[str, str]] | None:
    """``status.containers`` with the digests that the commit reported.

    ``None`` unless there is one for each container, of just the image that was planned (FLT-12).
    """
    digests: dict[tuple[Any, Any], Any] = {}
    for report in _reports(job_pods, succeeded=True):
        for entry in report.get("containers") or ():
            if isinstance(entry, dict):
                digests[entry.get("containerName"), entry.get("imageUri")] = entry.get("imageDigest")
    planned = standing.status_of(snapshot).get("containers", ())
    done = [
        {**each, "imageDigest": digests.get((each["containerName"], each["imageUri"]))} for each in planned
    ]
    return done if done and all(naming.is_digest(each["imageDigest"]) for each in done) else None


def failure_of(job: Object, job_pods: Sequence[Object]) -> Cause:
    """Why a commit failed: what the committer reported, else what became of the job."""
    for report in _reports(job_pods, succeeded=False):
        reason = pods.as_reason(report.get("reason"), COMMIT_FAILED)
        return Cause(reason, pods.as_message(report.get("message") or "The commit failed."))
    for entry in standing.status_of(job).get("conditions", ()):
        if entry["type"] == "Failed" and entry.get("reason") == "DeadlineExceeded":
            return Cause(COMMIT_DEADLINE, "The commit did not end in time.")
    return Cause(COMMIT_FAILED, "The committer ended without a result.")


def _reports(job_pods: Sequence[Object], *, succeeded: bool) -> Iterator[Mapping[str, Any]]:
    for pod in job_pods:
        for entry in pods.container_statuses(pod):
            ended = (entry.get("state") or {}).get("terminated") or {}
            if (ended.get("exitCode") == 0) is not succeeded:
                continue
            try:
                report = json.loads(ended.get("message", ""))
            except ValueError:
                continue
            if isinstance(report, dict):
                yield report
