"""What happens around server and controller: in the control plane, on the node, in the committer.

Each event is a few calls to the abstract cluster that happen as one. Whether a source is frozen by its commit
is kept in an object of a kind that no API server has, so that it is part of what is stored.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sandkit_server.kubernetes.calls import Call, Object, create, delete, merge_status
from sandkit_server.kubernetes.resources import (
    JOBS,
    MANAGED_BY,
    MANAGED_LABEL,
    PODS,
    SNAPSHOT_LABEL,
    SNAPSHOTS,
    TASK_LABEL,
    Resource,
)
from sandkit_server.testing.cluster import collector, node
from sandkit_server.testing.cluster.state import State
from sandkit_server.testing.cluster.storage import instant

# One object for each pod whose processes a committer has stopped, by the pod's name.
FROZEN: Final = Resource(group="explorer", version="v1", plural="frozen", kind="Frozen")
_DIGEST: Final = f"sha256:{'d' * 64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event. ``misfortune``: it need not happen, and only a bounded number does."""

    actor: str
    label: str
    calls: Sequence[Call]
    misfortune: bool = False


def happenings(state: State) -> Iterator[Happening]:
    """Everything that can happen next by itself."""
    collected = itertools.chain(collector.collect(state), collector.release_claims(state))
    for call in collected:
        yield Happening(actor="garbage collector", label=describe(call), calls=(call,))
    for pod in state.all(PODS):
        if TASK_LABEL not in pod["metadata"].get("labels", {}):
            yield from _of_pod(state, pod)
        elif _deleted(pod):
            yield Happening(actor="node", label=f"{_name(pod)} is gone", calls=(node.remove(pod),))
    for job in state.all(JOBS):
        if not _deleted(job):
            yield from _of_job(state, job)


def describe(call: Call) -> str:
    """A call in one line, for people."""
    what = f"{call.verb} {call.resource.plural}/{call.name}"
    if call.subresource:
        what += f"/{call.subresource}"
    return f"{what} {_summary(call)}".rstrip()


def _summary(call: Call) -> str:
    if call.verb == "patch" and call.body is not None:
        text = json.dumps({key: value for key, value in call.body.items() if key != "metadata"})
        metadata = dict(call.body.get("metadata", {}))
        at = metadata.pop("resourceVersion", None)
        shown = text if text != "{}" else json.dumps(metadata)
        return (shown if len(shown) < 160 else f"{shown[:157]}...") + (f" at version {at}" if at else "")
    if call.verb == "delete":
        parts = [str(call.propagation or "")]
        if call.uid:
            parts.append("by uid")
        if call.resource_version:
            parts.append(f"at version {call.resource_version}")
        return " ".join(part for part in parts if part)
    return ""


def _of_pod(state: State, pod: Object) -> Iterator[Happening]:
    name, phase = _name(pod), (pod.get("status") or {}).get("phase", "Pending")
    if _deleted(pod):
        thawed = (delete(FROZEN, name),) if state.find(FROZEN, name) is not None else ()
        yield Happening(actor="node", label=f"pod {name} has ended", calls=(node.remove(pod), *thawed))
    elif phase == "Pending":
        scheduled = () if pod["spec"].get("nodeName") else (node.bind(pod),)
        yield Happening(
            actor="node", label=f"pod {name} gets ready", calls=(*scheduled, node.run(pod, state.now))
        )
        failed = node.end(pod, state.now, code=1)
        yield Happening(
            actor="node", label=f"pod {name} fails to start", calls=(*scheduled, failed), misfortune=True
        )
    elif phase == "Running":
        lost = node.end(pod, state.now, code=137, reason="OOMKilled")
        yield Happening(actor="node", label=f"pod {name} is lost", calls=(lost,), misfortune=True)


def _of_job(state: State, job: Object) -> Iterator[Happening]:
    name, now = _name(job), state.now
    if (job.get("status") or {}).get("conditions"):
        return
    pod = state.find(PODS, f"{name}-0")
    if pod is None:
        yield Happening(actor="node", label=f"job {name} begins", calls=tuple(_begun(state, job)))
        return
    if _deleted(pod):
        return
    source = _source(state, job)
    thaw = (delete(FROZEN, source),) if state.find(FROZEN, source) is not None else ()
    done = node.end(pod, now, message=_report(job))
    complete = merge_status(JOBS, name, {"succeeded": 1, "conditions": [_ended("Complete", now)]})
    yield Happening(actor="node", label=f"job {name} succeeds", calls=(done, complete, *thaw))
    killed = node.end(pod, now, code=137, reason="Error")
    failed = merge_status(JOBS, name, {"failed": 1, "conditions": [_ended("Failed", now)]})
    yield Happening(actor="node", label=f"job {name} is killed", calls=(killed, failed), misfortune=True)


def _begun(state: State, job: Object) -> Iterable[Call]:
    """The job's pod, running already; a commit stops the processes of its source first."""
    template = job["spec"]["template"]
    labels = {**template["metadata"]["labels"], MANAGED_LABEL: MANAGED_BY}
    owner = {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": _name(job),
        "uid": job["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    name = f"{_name(job)}-0"
    pod = {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": template["spec"],
    }
    yield create(PODS, pod)
    yield node.run({**pod, "metadata": {**pod["metadata"], "uid": "any"}}, state.now)
    source = _source(state, job)
    freezes = labels[TASK_LABEL] == "commit" and _runs(state.find(PODS, source))
    if freezes and state.find(FROZEN, source) is None:
        yield create(FROZEN, {"metadata": {"name": source}})


def _report(job: Object) -> str:
    """What a committer writes as it ends: an image for each container it was told to commit."""
    args: Sequence[str] = job["spec"]["template"]["spec"]["containers"][0].get("args", ())
    images = [arg.split("=", 2)[1:] for arg in args if arg.startswith("--image=")]
    containers = [{"containerName": name, "imageUri": uri, "imageDigest": _DIGEST} for name, uri in images]
    return json.dumps({"containers": containers}) if containers else "{}"


def _source(state: State, job: Object) -> str:
    """The pod a job works on: with one replica it has the sandbox's name."""
    snapshot = state.find(SNAPSHOTS, job["metadata"]["labels"][SNAPSHOT_LABEL])
    return "" if snapshot is None else str(snapshot["spec"]["sandboxName"])


def _runs(pod: Object | None) -> bool:
    return pod is not None and not _deleted(pod) and pod["status"].get("phase") == "Running"


def _ended(kind: str, now: datetime) -> dict[str, Any]:
    return {"type": kind, "status": "True", "reason": kind, "lastTransitionTime": instant(now)}


def _name(found: Object) -> str:
    name: str = found["metadata"]["name"]
    return name


def _deleted(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]
