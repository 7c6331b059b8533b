"""Succeed: watch over the pods, act on a pause, and clear away what attempts have left."""

from __future__ import annotations

from datetime import datetime

from sandkit_server.controller import pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision
from sandkit_server.controller.decisions import starting
from sandkit_server.controller.decisions.steps import (
    delete_pod,
    delete_snapshot,
    expected_pods,
    fail,
    loss,
    not_of_later,
    turn,
    whereabouts_of,
)
from sandkit_server.controller.status import Verdict, write_status
from sandkit_server.controller.views import SandboxView
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.kubernetes.standing import Condition, Phase


def decide(view: SandboxView, now: datetime, config: Config) -> Decision:
    """A lost pod comes first, then the user's intent, then tidiness, then the status."""
    sandbox = view.sandbox
    names = expected_pods(sandbox)
    lost = loss(view, names)
    if isinstance(lost, Decision):
        return lost
    if lost is not None:
        return fail(sandbox, now, lost)
    if standing.new_intent(sandbox) is True:
        return _begin_pause(sandbox, now)
    if (leftover := _leftover(view, names)) is not None:
        return leftover
    if standing.replicas_of(sandbox) > len(names):
        return starting.grow(view, now, config)
    return _observe(view, names, now)


def _begin_pause(sandbox: Object, now: datetime) -> Decision:
    verdicts = [Verdict(Condition.PAUSE_FAILED, False, "Retried")]
    return turn(
        sandbox,
        now,
        Phase.PAUSING,
        verdicts if standing.holds(sandbox, Condition.PAUSE_FAILED) else [],
        pauseObservedGeneration=standing.generation_of(sandbox),
    )


def _leftover(view: SandboxView, names: list[str]) -> Decision | None:
    """Snapshots of attempts that are over, and pods beside the one that counts."""
    for snapshot in not_of_later(view.sandbox, view.snapshots):
        if standing.deletion_of(snapshot) is None:
            return delete_snapshot(snapshot)
    if standing.replicas_of(view.sandbox) > len(names):
        return None
    for pod in not_of_later(view.sandbox, view.pods):
        if pod["metadata"]["name"] not in names and not pods.is_terminating(pod):
            return delete_pod(pod)
    return None


def _observe(view: SandboxView, names: list[str], now: datetime) -> Decision:
    sandbox = view.sandbox
    live = [pod for pod in view.pods if pod["metadata"]["name"] in names]
    ready = sum(map(pods.is_ready, live))
    verdict = Verdict(Condition.READY, True, "PodsReady", "All containers are ready.")
    if ready < len(live):
        verdict = Verdict(Condition.READY, False, "ContainersNotReady", "Not all containers are ready.")
    whereabouts = whereabouts_of(live[0]) if len(names) == 1 else {}
    call = write_status(
        BATCH_SANDBOXES,
        sandbox,
        now,
        [verdict],
        observedGeneration=standing.generation_of(sandbox),
        replicas=len(live),
        ready=ready,
        **whereabouts,
    )
    return REST if call is None else Decision(call=call)
