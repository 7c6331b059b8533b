"""Pausing: snapshot first, and only when every image is pushed give the pod away (PAU-14)."""

from __future__ import annotations

from datetime import datetime

from sandkit_server.controller import committing, pods
from sandkit_server.controller.committing import Cause
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision
from sandkit_server.controller.decisions.steps import (
    delete_pod,
    expected_pods,
    fail,
    loss,
    not_of_later,
    turn,
)
from sandkit_server.controller.manifests.pods import template_of
from sandkit_server.controller.manifests.snapshots import pause_snapshot
from sandkit_server.controller.naming import pause_snapshot_name
from sandkit_server.controller.pods import Problem
from sandkit_server.controller.status import Verdict, closing
from sandkit_server.controller.views import SandboxView
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object, Verb, create, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, SNAPSHOTS
from sandkit_server.kubernetes.standing import Condition, Phase, SnapshotPhase


def decide(view: SandboxView, now: datetime, config: Config) -> Decision:
    """By the snapshot of this attempt: make it, wait for it, give up with it, or release the pod."""
    sandbox = view.sandbox
    attempt = standing.acted_generation(sandbox)
    snapshot = _named(view, pause_snapshot_name(sandbox["metadata"]["name"], attempt))
    phase = None if snapshot is None else standing.snapshot_phase_of(snapshot)
    if phase in (SnapshotPhase.PENDING, SnapshotPhase.COMMITTING):
        return REST
    if snapshot is not None and phase is SnapshotPhase.SUCCEED:
        return _release(view, snapshot, now)
    lost = loss(view, expected_pods(sandbox))
    if isinstance(lost, Decision):
        return lost
    if lost is not None:
        return fail(sandbox, now, lost)
    if snapshot is not None:
        return _back(sandbox, now, _cause_of(snapshot))
    return _begin(view, attempt, now, config)


def _begin(view: SandboxView, attempt: int, now: datetime, config: Config) -> Decision:
    sandbox = view.sandbox
    body = pause_snapshot(sandbox, attempt)
    if (obstacle := committing.configuration_obstacle(config)) is not None:
        return _back(sandbox, now, obstacle)
    [name] = expected_pods(sandbox)
    pod = next(pod for pod in view.pods if pod["metadata"]["name"] == name)
    source = committing.source_of(pod, sandbox, body["metadata"]["name"], config)
    if isinstance(source, Cause):
        return _back(sandbox, now, source)
    error = view.facts.refused(Verb.CREATE, body["metadata"]["name"])
    if error is not None:
        return _back(sandbox, now, Cause("SnapshotRefused", pods.as_message(error.message)))
    return Decision(call=create(SNAPSHOTS, body))


def _release(view: SandboxView, snapshot: Object, now: datetime) -> Decision:
    """Release the compute; while the deletion fails the sandbox stays Pausing (FLT-11)."""
    sandbox = view.sandbox
    theirs = not_of_later(sandbox, view.pods)
    if "poolRef" in sandbox["spec"]:
        return _detach(sandbox, theirs, now)
    for pod in theirs:
        if not pods.is_terminating(pod):
            return delete_pod(pod)
    if theirs:
        return REST
    verdicts = [
        Verdict(Condition.PAUSED, True, "SnapshotTaken", "The files are kept, the compute is released."),
        Verdict(Condition.READY, False, "Paused"),
    ]
    return turn(
        sandbox,
        now,
        Phase.PAUSED,
        verdicts,
        pauseSnapshotName=snapshot["metadata"]["name"],
        replicas=0,
        ready=0,
        podName=None,
        podIPs=None,
        nodeName=None,
        **closing(sandbox, wanted=True),
    )


def _detach(sandbox: Object, theirs: list[Object], now: datetime) -> Decision:
    """Take the sandbox out of its pool for good, with the template it was started from (RES-11)."""
    name = standing.status_of(sandbox).get("podName")
    pod = next((pod for pod in theirs if pod["metadata"]["name"] == name), None)
    if pod is None:
        message = "The pod vanished before its template was noted."
        return fail(sandbox, now, Problem(reason=pods.POD_LOST, message=message, final=True))
    metadata = sandbox["metadata"]
    patch = {"spec": {"poolRef": None, "template": template_of(pod)}}
    return Decision(call=merge(BATCH_SANDBOXES, metadata["name"], patch, version=metadata["resourceVersion"]))


def _back(sandbox: Object, now: datetime, cause: Cause) -> Decision:
    """The attempt failed; the sandbox runs on as if nothing had been (FLT-02)."""
    verdict = Verdict(Condition.PAUSE_FAILED, True, cause.reason, cause.message)
    return turn(sandbox, now, Phase.SUCCEED, [verdict], **closing(sandbox, wanted=True))


def _cause_of(snapshot: Object) -> Cause:
    told = standing.snapshot_state_of(snapshot)
    return Cause(told.reason or committing.COMMIT_FAILED, told.message or "The commit failed.")


def _named(view: SandboxView, name: str) -> Object | None:
    return next((each for each in view.snapshots if each["metadata"]["name"] == name), None)
