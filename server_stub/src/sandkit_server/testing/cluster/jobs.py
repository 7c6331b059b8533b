"""The job controller: pods for jobs, their outcome into the status, deadlines, clean-up after a while."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sandkit_server.kubernetes.calls import Call, Object, Propagation, create, delete, merge_status
from sandkit_server.kubernetes.resources import JOBS, PODS
from sandkit_server.testing.cluster.state import State
from sandkit_server.testing.cluster.storage import instant

_BACKOFF_LIMIT = 6


def run_jobs(state: State) -> Iterator[Call]:
    """What the job controller would do now, for each job at most one thing."""
    for job in state.all(JOBS):
        if "deletionTimestamp" in job["metadata"]:
            continue
        if (ended := _ended_at(job)) is not None:
            yield from _cleaned_up(state, job, ended)
        else:
            yield from _advanced(state, job)


def _advanced(state: State, job: Object) -> Iterator[Call]:
    metadata, spec, status = job["metadata"], job["spec"], job.get("status") or {}
    name, version = metadata["name"], metadata["resourceVersion"]
    pods = [pod for pod in state.all(PODS) if _is_of(pod, job)]
    failed = [pod for pod in pods if _phase(pod) == "Failed"]
    deadline = spec.get("activeDeadlineSeconds")
    started = status.get("startTime")
    if started is None:
        patch = {"startTime": instant(state.now), "active": 0}
        yield merge_status(JOBS, name, patch, version=version)
    elif any(_phase(pod) == "Succeeded" for pod in pods):
        patch = {"succeeded": 1, "active": 0, **_condition("Complete", "CompletionsReached", state.now)}
        yield merge_status(JOBS, name, {**patch, "completionTime": instant(state.now)}, version=version)
    elif deadline is not None and state.now >= _instant(started) + timedelta(seconds=deadline):
        yield from _given_up(job, pods, state.now, "DeadlineExceeded")
    elif len(failed) > spec.get("backoffLimit", _BACKOFF_LIMIT):
        yield from _given_up(job, pods, state.now, "BackoffLimitExceeded")
    elif len(failed) == len(pods):
        yield create(PODS, _pod(job, len(pods)))


def _given_up(job: Object, pods: list[Object], now: datetime, reason: str) -> Iterator[Call]:
    """Running pods are deleted first; the job has failed when they are gone."""
    running = [pod for pod in pods if _phase(pod) not in {"Failed", "Succeeded"}]
    for pod in running:
        if "deletionTimestamp" not in pod["metadata"]:
            yield delete(PODS, pod["metadata"]["name"], uid=pod["metadata"]["uid"])
    if not running:
        failed = len(pods)
        patch = {"failed": failed, "active": 0, **_condition("Failed", reason, now)}
        yield merge_status(JOBS, job["metadata"]["name"], patch, version=job["metadata"]["resourceVersion"])


def _cleaned_up(state: State, job: Object, ended: datetime) -> Iterator[Call]:
    seconds = job["spec"].get("ttlSecondsAfterFinished")
    if seconds is not None and state.now >= ended + timedelta(seconds=seconds):
        metadata = job["metadata"]
        yield delete(
            JOBS,
            metadata["name"],
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            propagation=Propagation.FOREGROUND,
        )


def _pod(job: Object, attempt: int) -> Object:
    metadata, template = job["metadata"], job["spec"]["template"]
    labels = {
        **template.get("metadata", {}).get("labels", {}),
        "batch.kubernetes.io/job-name": metadata["name"],
        "batch.kubernetes.io/controller-uid": metadata["uid"],
    }
    owner = {
        "apiVersion": JOBS.api_version,
        "kind": JOBS.kind,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    name = f"{metadata['name']}-{attempt}"
    return {
        "metadata": {"name": name, "labels": labels, "ownerReferences": [owner]},
        "spec": template["spec"],
    }


def _condition(kind: str, reason: str, now: datetime) -> dict[str, Any]:
    entry = {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": reason,
        "lastProbeTime": instant(now),
        "lastTransitionTime": instant(now),
    }
    return {"conditions": [entry]}


def _ended_at(job: Object) -> datetime | None:
    for entry in (job.get("status") or {}).get("conditions", ()):
        if entry["type"] in {"Complete", "Failed"} and entry["status"] == "True":
            return _instant(entry["lastTransitionTime"])
    return None


def _is_of(pod: Object, job: Object) -> bool:
    references = pod["metadata"].get("ownerReferences", ())
    return any(each["uid"] == job["metadata"]["uid"] for each in references)


def _phase(pod: Object) -> str:
    phase: str = pod.get("status", {}).get("phase", "Pending")
    return phase


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
