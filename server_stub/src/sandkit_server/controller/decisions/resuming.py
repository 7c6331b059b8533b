"""Paused and Resuming: start a pod out of the images of the pause, or stay paused and say why."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sandkit_server.controller import pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision
from sandkit_server.controller.decisions.starting import refused_problem
from sandkit_server.controller.decisions.steps import (
    delete_pod,
    delete_snapshot,
    not_of_later,
    progress,
    turn,
    up,
)
from sandkit_server.controller.manifests.pods import resumed_pod
from sandkit_server.controller.pods import Problem
from sandkit_server.controller.status import Verdict, closing, write_status
from sandkit_server.controller.views import SandboxView
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object, Verb, create
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.kubernetes.standing import Condition, Phase, SnapshotPhase


def decide_paused(view: SandboxView, now: datetime, config: Config) -> Decision:  # noqa: ARG001 - as all phases
    """Act on a resume; otherwise keep one snapshot and no pod."""
    sandbox = view.sandbox
    if standing.new_intent(sandbox) is False:
        failed = standing.holds(sandbox, Condition.RESUME_FAILED)
        return turn(
            sandbox,
            now,
            Phase.RESUMING,
            [Verdict(Condition.RESUME_FAILED, False, "Retried")] if failed else [],
            pauseObservedGeneration=standing.generation_of(sandbox),
        )
    for pod in not_of_later(sandbox, view.pods):
        if not pods.is_terminating(pod):
            return delete_pod(pod)
    kept = _snapshot(view)
    for snapshot in view.snapshots if kept is not None else ():
        older = kept is not None and pods.attempt_of(snapshot) < pods.attempt_of(kept)
        if older and standing.deletion_of(snapshot) is None:
            return delete_snapshot(snapshot)
    generation = standing.generation_of(sandbox)
    call = write_status(BATCH_SANDBOXES, sandbox, now, observedGeneration=generation)
    return REST if call is None else Decision(call=call)


def decide(view: SandboxView, now: datetime, config: Config) -> Decision:
    """One pod of this attempt, made once what earlier ones left is gone."""
    sandbox = view.sandbox
    attempt = standing.acted_generation(sandbox)
    theirs = not_of_later(sandbox, view.pods)
    if standing.holds(sandbox, Condition.RESUME_FAILED):
        return _back(sandbox, theirs, now)
    older = [pod for pod in theirs if pods.attempt_of(pod) < attempt]
    if older:
        return next((delete_pod(pod) for pod in older if not pods.is_terminating(pod)), REST)
    ends_at = standing.state_of(sandbox).last_transition_at + timedelta(seconds=config.resume_deadline)
    if theirs and pods.is_ready(theirs[0]):
        return up(sandbox, now, theirs[:1], pauseSnapshotName=None, **closing(sandbox, wanted=False))
    problem = _problem(theirs, now, config) if theirs else None
    if now >= ends_at:
        message = f"The sandbox was not up within {config.resume_deadline:g} seconds."
        problem = problem or Problem(reason="ReadyTimeout", message=message)
        return _give_up(view, problem, now)
    if problem is not None and problem.final:
        return _give_up(view, problem, now)
    decision = _wait(sandbox, theirs[0], problem, now, config) if theirs else _make(view, now, config)
    return decision.no_later_than((ends_at - now).total_seconds())


def images_of(snapshot: Object) -> Mapping[str, str]:
    """For each committed container the reference that is pulled: by digest, whatever the tag says by now."""
    return {
        each["containerName"]: f"{_repository(each['imageUri'])}@{each['imageDigest']}"
        for each in standing.status_of(snapshot).get("containers", ())
        if each.get("imageDigest")
    }


def _make(view: SandboxView, now: datetime, config: Config) -> Decision:
    sandbox, snapshot = view.sandbox, _snapshot(view)
    if snapshot is None or standing.snapshot_phase_of(snapshot) is not SnapshotPhase.SUCCEED:
        name = standing.status_of(sandbox).get("pauseSnapshotName")
        message = f"Snapshot {name} of the pause is gone."
        return _give_up(view, Problem(reason="SnapshotMissing", message=message), now)
    images = images_of(snapshot)
    wanted = {container["name"] for container in sandbox["spec"]["template"]["spec"]["containers"]}
    if not wanted <= images.keys():
        lacking = ", ".join(sorted(wanted - images.keys()))
        message = f"The snapshot has no image of: {lacking}."
        return _give_up(view, Problem(reason="SnapshotIncomplete", message=message), now)
    body = resumed_pod(sandbox, images, config)
    error = view.facts.refused(Verb.CREATE, body["metadata"]["name"])
    if error is None:
        return Decision(call=create(PODS, body))
    problem = refused_problem(error)
    return _give_up(view, problem, now) if problem.final else progress(sandbox, now, problem)


def _problem(theirs: list[Object], now: datetime, config: Config) -> Problem | None:
    return pods.loss_of(theirs[0]) or pods.problem_of(theirs[0], now, config)


def _wait(sandbox: Object, pod: Object, problem: Problem | None, now: datetime, config: Config) -> Decision:
    if problem is None:
        return REST
    final_in = None if problem.final_at is None else (problem.final_at - now).total_seconds()
    shown_in = (standing.created_at(pod) - now).total_seconds() + config.start_grace
    if shown_in > 0:
        return REST.no_later_than(final_in).no_later_than(shown_in)
    return progress(sandbox, now, problem).no_later_than(final_in)


def _give_up(view: SandboxView, problem: Problem, now: datetime) -> Decision:
    """Note the failure first; with a pod still to be deleted it must not be tried once more after that."""
    if not view.pods:
        return _paused_again(view.sandbox, now, problem)
    verdict = Verdict(Condition.RESUME_FAILED, True, problem.reason, problem.message)
    call = write_status(BATCH_SANDBOXES, view.sandbox, now, [verdict])
    return REST if call is None else Decision(call=call)


def _back(sandbox: Object, theirs: list[Object], now: datetime) -> Decision:
    for pod in theirs:
        if not pods.is_terminating(pod):
            return delete_pod(pod)
    if theirs:
        return REST
    cause = standing.condition(sandbox, Condition.RESUME_FAILED)
    assert cause is not None, "it holds"
    return _paused_again(sandbox, now, Problem(reason=cause["reason"], message=cause["message"]))


def _paused_again(sandbox: Object, now: datetime, problem: Problem) -> Decision:
    """The snapshot is kept, so that it can be tried again once the cause is gone (RES-10, RES-13)."""
    verdicts = [Verdict(Condition.RESUME_FAILED, True, problem.reason, problem.message)]
    if standing.holds(sandbox, Condition.PROGRESSING):
        verdicts.append(Verdict(Condition.PROGRESSING, False, problem.reason))
    return turn(sandbox, now, Phase.PAUSED, verdicts, **closing(sandbox, wanted=False))


def _snapshot(view: SandboxView) -> Object | None:
    name = standing.status_of(view.sandbox).get("pauseSnapshotName")
    return next((each for each in view.snapshots if each["metadata"]["name"] == name), None)


def _repository(reference: str) -> str:
    """An image reference without its tag."""
    head, colon, tag = reference.rpartition(":")
    return head if colon and "/" not in tag else reference
