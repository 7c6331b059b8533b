"""What to do next about a Pool: keep pods warm within its bounds, and count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import count

from sandkit_server.controller import pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision, Note
from sandkit_server.controller.decisions.starting import refused_problem
from sandkit_server.controller.manifests.pods import revision_of, warm_pod
from sandkit_server.controller.naming import warm_pod_name
from sandkit_server.controller.status import Verdict, write_status
from sandkit_server.controller.views import PoolView
from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Call, Object, Verb, create, delete
from sandkit_server.kubernetes.resources import PODS, POOLS, REVISION_ANNOTATION


def decide(view: PoolView, now: datetime, config: Config) -> Decision:
    """Remove what is of no use, then fill up or cut back, then write the counts."""
    pool = view.pool
    if standing.deletion_of(pool) is not None:
        return REST
    present = [pod for pod in view.warm if not pods.is_terminating(pod)]
    if (useless := _useless(pool, present, now, config)) is not None:
        return Decision(call=_give_back(useless))
    capacity = pool["spec"]["capacitySpec"]
    filling = not all(map(pods.is_ready, present))
    missing = wanted_warm(capacity, view, len(present), filling=filling) - len(present)
    error = None
    if missing > 0:
        name = pool["metadata"]["name"]
        slot = next(each for each in count() if warm_pod_name(name, each) not in view.names)
        error = view.facts.refused(Verb.CREATE, warm_pod_name(name, slot))
        if error is None:
            return Decision(call=create(PODS, warm_pod(pool, slot)))
    if missing < 0:
        return Decision(call=_give_back(_dispensable(present)))
    return _count(view, present, error, now).no_later_than(_next_recycling(present, now, config))


def wanted_warm(capacity: Mapping[str, int], view: PoolView, available: int, *, filling: bool) -> int:
    """How many warm pods there should be, given how many there are and how many sandboxes use or want one.

    Below the lower bound of the buffer it is filled to the upper one, above that it is cut back; the bounds
    of the whole pool come first. Sandboxes that wait are served even without a buffer. Pods that are on their
    way tell that it is being filled, so that it is not left at the lower bound half-way.
    """
    low = max(capacity["bufferMin"], capacity["poolMin"] - view.taken, view.waiting)
    high = max(capacity["bufferMax"], low)
    room = max(0, capacity["poolMax"] - view.taken)
    target = available if low <= available <= high and not filling else high
    return min(target, room)


def _useless(pool: Object, present: list[Object], now: datetime, config: Config) -> Object | None:
    """A pod that failed, after a while, or one of an old template, one at a time."""
    for pod in present:
        if _has_failed(pod, now, config) and _recycled_at(pod, config) <= now:
            return pod
    if all(pods.is_ready(pod) or _has_failed(pod, now, config) for pod in present):
        revision = revision_of(pool)
        return next((pod for pod in present if _revision(pod) != revision), None)
    return None


def _dispensable(present: list[Object]) -> Object:
    """The one that is missed least: not ready before ready, young before old."""
    return max(present, key=lambda pod: (not pods.is_ready(pod), standing.created_at(pod)))


def _give_back(pod: Object) -> Call:
    """Only if no sandbox took it meanwhile, which would have changed its version."""
    metadata = pod["metadata"]
    return delete(PODS, metadata["name"], uid=metadata["uid"], version=metadata["resourceVersion"])


def _has_failed(pod: Object, now: datetime, config: Config) -> bool:
    problem = pods.problem_of(pod, now, config)
    return problem is not None and problem.final


def _recycled_at(pod: Object, config: Config) -> datetime:
    return standing.created_at(pod) + timedelta(seconds=config.recycle_after)


def _next_recycling(present: list[Object], now: datetime, config: Config) -> float | None:
    """Seconds until the next pod that has failed is replaced, or one with a problem counts as failed."""
    waits: list[datetime] = []
    for pod in present:
        problem = pods.problem_of(pod, now, config)
        if problem is not None and problem.final:
            waits.append(_recycled_at(pod, config))
        elif problem is not None and problem.final_at is not None:
            waits.append(max(problem.final_at, _recycled_at(pod, config)))
    return (min(waits) - now).total_seconds() if waits else None


def _count(view: PoolView, present: list[Object], error: PortError | None, now: datetime) -> Decision:
    available = sum(map(pods.is_ready, present))
    problems = [problem for pod in present if (problem := pods.loss_of(pod)) is not None]
    if error is not None:
        problems = [refused_problem(error)]
    ready = Verdict("Ready", True, "Filled", "The warm pods are ready.")
    if problems:
        ready = Verdict("Ready", False, problems[0].reason, problems[0].message)
    elif available < len(present):
        ready = Verdict("Ready", False, "Filling", "Warm pods are being started.")
    call = write_status(
        POOLS,
        view.pool,
        now,
        [ready],
        total=len(present) + view.taken,
        allocated=view.taken,
        available=available,
        revision=revision_of(view.pool),
        observedGeneration=standing.generation_of(view.pool),
    )
    if call is None:
        return REST
    note = Note(reason=ready.reason, message=ready.message, warning=True) if problems else None
    return Decision(call=call, note=note)


def _revision(pod: Object) -> str | None:
    revision: str | None = pod["metadata"].get("annotations", {}).get(REVISION_ANNOTATION)
    return revision
