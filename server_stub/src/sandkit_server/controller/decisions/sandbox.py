"""What to do next about a BatchSandbox, by its phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sandkit_server.controller import pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision, Note
from sandkit_server.controller.decisions import pausing, resuming, running, starting
from sandkit_server.controller.decisions.steps import delete_pod, delete_snapshot
from sandkit_server.controller.views import SandboxView
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Propagation, delete
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.kubernetes.standing import Phase

_BY_PHASE: Final[Mapping[Phase, Callable[[SandboxView, datetime, Config], Decision]]] = {
    Phase.PENDING: starting.decide,
    Phase.SUCCEED: running.decide,
    Phase.PAUSING: pausing.decide,
    Phase.PAUSED: resuming.decide_paused,
    Phase.RESUMING: resuming.decide,
}


def decide(view: SandboxView, now: datetime, config: Config) -> Decision:
    """The next step. One that is being deleted is the garbage collector's alone."""
    sandbox = view.sandbox
    if standing.deletion_of(sandbox) is not None:
        return REST
    expires_at = standing.expiry_of(sandbox)
    if expires_at is not None and now >= expires_at:
        return _expire(view)
    if standing.is_abandoned(sandbox) or standing.replicas_of(sandbox) == 0:
        decision = _release(view)
    elif (phase := standing.phase_of(sandbox)) is Phase.FAILED:
        decision = _rest_failed(view)
    else:
        decision = _BY_PHASE[phase](view, now, config)
    left = None if expires_at is None else (expires_at - now).total_seconds()
    return decision.no_later_than(left)


def _expire(view: SandboxView) -> Decision:
    """Delete it at the very version whose expiry has passed, so that a renewal that came before wins."""
    metadata = view.sandbox["metadata"]
    return Decision(
        call=delete(
            BATCH_SANDBOXES,
            metadata["name"],
            uid=metadata["uid"],
            version=metadata["resourceVersion"],
            propagation=Propagation.FOREGROUND,
        ),
        note=Note(reason=standing.EXPIRED, message=standing.EXPIRED_MESSAGE),
    )


def _release(view: SandboxView) -> Decision:
    """Give back what an abandoned sandbox holds; the record stays."""
    return next((delete_pod(pod) for pod in view.pods if not pods.is_terminating(pod)), REST)


def _rest_failed(view: SandboxView) -> Decision:
    """Nothing of a failed sandbox runs on, nor is it ever resumed; pods that ended stay, for their logs."""
    for pod in view.pods:
        if not pods.has_ended(pod) and not pods.is_terminating(pod):
            return delete_pod(pod)
    for snapshot in view.snapshots:
        if standing.deletion_of(snapshot) is None:
            return delete_snapshot(snapshot)
    return REST
