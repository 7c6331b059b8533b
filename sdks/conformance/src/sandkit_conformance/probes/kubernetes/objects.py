"""What objects of a cluster say, in the terms of the view: pure functions of decoded JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from sandkit_conformance.probes.kubernetes.api import Kind, Object

PODS: Final = Kind("/api/v1", "pods", "Pod")
CLAIMS: Final = Kind("/api/v1", "persistentvolumeclaims", "PersistentVolumeClaim")
SECRETS: Final = Kind("/api/v1", "secrets", "Secret")
JOBS: Final = Kind("/apis/batch/v1", "jobs", "Job")
_GROUP: Final = "/apis/sandbox.opensandbox.io/v1alpha1"
BATCH_SANDBOXES: Final = Kind(_GROUP, "batchsandboxes", "BatchSandbox")
SNAPSHOTS: Final = Kind(_GROUP, "sandboxsnapshots", "SandboxSnapshot")
POOLS: Final = Kind(_GROUP, "pools", "Pool")
# The community kind, newest version first; a cluster may serve either.
AGENT_SANDBOXES: Final = tuple(
    Kind(f"/apis/agents.x-k8s.io/{version}", "sandboxes", "Sandbox") for version in ("v1beta1", "v1alpha1")
)

ID_LABEL: Final = "opensandbox.io/id"
_PURPOSE_LABEL: Final = "sandbox.opensandbox.io/purpose"
_FINISHED: Final = frozenset({"Succeeded", "Failed"})
_SNAPSHOT_PHASES: Final = {"Succeed": "Ready", "Failed": "Failed"}


def metadata(obj: Object) -> Mapping[str, Any]:
    """The metadata of an object."""
    found: Mapping[str, Any] = obj["metadata"]
    return found


def labels(obj: Object) -> dict[str, str]:
    """The labels of an object."""
    return dict(metadata(obj).get("labels") or {})


def version(obj: Object) -> int:
    """The version of an object: a revision of the whole store, so it orders the changes of all kinds."""
    return int(metadata(obj)["resourceVersion"])


def lives(pod: Object) -> bool:
    """Whether the pod is there and not at its end; one that is being deleted lives until it is gone."""
    return (pod.get("status") or {}).get("phase") not in _FINISHED


def sandbox_of(pod: Object) -> str | None:
    """The sandbox a pod belongs to: by its label, else by the Sandbox that owns it."""
    owners = metadata(pod).get("ownerReferences") or []
    named = (str(edge["name"]) for edge in owners if edge["kind"] == "Sandbox")
    return labels(pod).get(ID_LABEL) or next(named, None)


def workload_row(obj: Object, pods: Sequence[Object]) -> dict[str, Any]:
    """A workload object of either kind, with what its pod adds."""
    spec, meta = obj["spec"], metadata(obj)
    own = [pod for pod in pods if _owned_by(pod, meta["uid"]) and lives(pod)]
    pod = min(own, key=lambda one: str(metadata(one)["name"]), default=None)
    return {
        "name": meta["name"],
        "sandboxId": labels(obj).get(ID_LABEL, meta["name"]),
        "uid": meta["uid"],
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "phase": _workload_phase(obj),
        "replicas": spec.get("replicas", 0 if spec.get("operatingMode") == "Suspended" else 1),
        "poolRef": spec.get("poolRef"),
        "podRunning": pod is not None,
        "podUid": metadata(pod)["uid"] if pod else None,
        "imageRef": pod["spec"]["containers"][0]["image"] if pod else None,
        "labels": labels(obj),
        "told": told(obj),
    }


def pod_row(pod: Object) -> dict[str, Any]:
    """A pod, for the journal."""
    return {
        "sandboxId": sandbox_of(pod),
        "uid": metadata(pod)["uid"],
        "phase": (pod.get("status") or {}).get("phase"),
        "imageRef": pod["spec"]["containers"][0]["image"],
        "labels": labels(pod),
    }


def volume_row(claim: Object, pods: Iterable[Object] = ()) -> dict[str, Any]:
    """A claim with the sandboxes whose pods mount it."""
    meta = metadata(claim)
    users = {sandbox_of(pod) for pod in pods if lives(pod) and meta["name"] in _mounted(pod)}
    phase = (claim.get("status") or {}).get("phase")
    return {
        "name": meta["name"],
        "uid": meta["uid"],
        "labels": labels(claim),
        "owners": [_owner(edge) for edge in meta.get("ownerReferences") or []],
        "phase": "Terminating" if "deletionTimestamp" in meta else phase,
        "mountedBy": sorted(user for user in users if user),
    }


def snapshot_row(obj: Object) -> dict[str, Any]:
    """A snapshot object."""
    meta, status = metadata(obj), obj.get("status") or {}
    phase = _SNAPSHOT_PHASES.get(str(status.get("phase")), "Creating")
    refs = image_rows(obj)
    return {
        "id": meta["name"],
        "uid": meta["uid"],
        "sandboxId": labels(obj).get(ID_LABEL, obj["spec"].get("sandboxName")),
        "purpose": labels(obj).get(_PURPOSE_LABEL),
        "phase": "Deleting" if "deletionTimestamp" in meta else phase,
        "imageRef": refs[0]["ref"] if refs else None,
        "told": told(obj),
    }


def image_rows(snapshot: Object) -> list[dict[str, Any]]:
    """The images a snapshot says were pushed for it."""
    containers = (snapshot.get("status") or {}).get("containers") or []
    return [
        {"ref": f"{one['imageUri']}@{one['imageDigest']}", "digest": one["imageDigest"]}
        for one in containers
        if one.get("imageDigest")
    ]


def job_row(job: Object) -> dict[str, Any]:
    """A commit job."""
    conditions = (job.get("status") or {}).get("conditions") or []
    ended = {one["type"] for one in conditions if one.get("status") == "True"}
    phase = "Succeeded" if "Complete" in ended else "Failed" if "Failed" in ended else "Running"
    return {
        "name": metadata(job)["name"],
        "sandboxId": labels(job).get(ID_LABEL),
        "phase": phase,
        "told": told(job),
    }


def pool_row(pool: Object) -> dict[str, Any]:
    """A pool by its counts."""
    status = pool.get("status") or {}
    counts = {name: status.get(name, 0) for name in ("available", "allocated", "total")}
    return {"name": metadata(pool)["name"], **counts}


def process_rows(pod: Object) -> list[dict[str, Any]]:
    """What a pod's status tells of its processes: the main one of every container that runs."""
    commands = {one["name"]: one for one in pod["spec"]["containers"]}
    rows = []
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        running = (status.get("state") or {}).get("running")
        if running is not None:
            container = commands[status["name"]]
            command = [*(container.get("command") or ()), *(container.get("args") or ())]
            started = {"state": "running", "startedAt": running.get("startedAt")}
            rows.append({"sandboxId": sandbox_of(pod), "pid": 1, "command": command, **started})
    return rows


def secret_row(secret: Object, users: Mapping[str, set[str]]) -> dict[str, Any]:
    """A secret by name, and who names it. `users` is what `secret_users` found."""
    name = metadata(secret)["name"]
    return {"name": name, "referencedBy": sorted(users.get(name, ()))}


def secret_users(pods: Iterable[Object]) -> dict[str, set[str]]:
    """Names of secrets to the sandboxes (else the pods) whose specs name them."""
    users: dict[str, set[str]] = {}
    for pod in pods:
        spec, who = pod["spec"], sandbox_of(pod) or str(metadata(pod)["name"])
        named = [one.get("name") for one in spec.get("imagePullSecrets") or []]
        named += [(one.get("secret") or {}).get("secretName") for one in spec.get("volumes") or []]
        for name in named:
            if name:
                users.setdefault(name, set()).add(who)
    return users


def told(obj: Object) -> dict[str, Any]:
    """All that the object says to whoever may read it, but for values of its environment variables."""
    kept = {key: value for key, value in metadata(obj).items() if key in {"annotations", "ownerReferences"}}
    return {"metadata": kept, **_without_environment({key: obj.get(key) for key in ("spec", "status")})}


def _without_environment(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: [one.get("name") for one in inner] if key == "env" and isinstance(inner, list)
            else _without_environment(inner)
            for key, inner in value.items()
        }  # fmt: skip
    return [_without_environment(one) for one in value] if isinstance(value, list) else value


def _workload_phase(obj: Object) -> str | None:
    if "deletionTimestamp" in metadata(obj):
        return "Stopping"
    status = obj.get("status") or {}
    ready = [one for one in status.get("conditions") or [] if one.get("type") == "Ready"]
    return status.get("phase") or (ready[0].get("reason") if ready else None)


def _owned_by(pod: Object, uid: str) -> bool:
    return any(edge["uid"] == uid for edge in metadata(pod).get("ownerReferences") or [])


def _mounted(pod: Object) -> set[str]:
    volumes = pod["spec"].get("volumes") or []
    return {one["persistentVolumeClaim"]["claimName"] for one in volumes if "persistentVolumeClaim" in one}


def _owner(edge: Mapping[str, Any]) -> dict[str, Any]:
    named = {key: edge[key] for key in ("apiVersion", "kind", "name", "uid")}
    flags = {key: edge.get(key) is True for key in ("controller", "blockOwnerDeletion")}
    return {**named, **flags}
