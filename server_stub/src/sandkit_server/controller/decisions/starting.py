"""Pending: bring the pods up, from the template or out of a pool."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from sandkit_server.controller import pods
from sandkit_server.controller.config import Config
from sandkit_server.controller.decision import REST, Decision, Note
from sandkit_server.controller.decisions.steps import fail, progress, up
from sandkit_server.controller.manifests.pods import adoption, sandbox_pod
from sandkit_server.controller.naming import pod_name
from sandkit_server.controller.pods import Problem
from sandkit_server.controller.views import PoolUse, SandboxView
from sandkit_server.core.port_errors import Exhausted, Forbidden, Invalid, PortError
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object, Verb, create, merge
from sandkit_server.kubernetes.resources import PODS

POD_REFUSED = "PodRefused"


def decide(view: SandboxView, now: datetime, config: Config) -> Decision:
    """Make what is missing, then wait until all is ready, and show what takes too long."""
    sandbox = view.sandbox
    if view.pool is not None and len(view.pods) < standing.replicas_of(sandbox):
        return _take(view, view.pool, now)
    if (missing := _missing(view)) is not None:
        return _make(view, missing, now)
    live = _live(view)
    if all(map(pods.is_ready, live)):
        return up(sandbox, now, live)
    return wait_for(sandbox, live, now, config)


def grow(view: SandboxView, now: datetime, config: Config) -> Decision:
    """Bring up pods that were asked for later; those that run are not touched."""
    return decide(view, now, config)


def wait_for(sandbox: Object, live: list[Object], now: datetime, config: Config) -> Decision:
    """Fail on what will not pass, show what lasts, and look again when that may change."""
    again: list[float] = []
    for pod in live:
        problem = pods.problem_of(pod, now, config)
        if problem is None:
            continue
        if problem.final:
            return fail(sandbox, now, problem)
        if problem.final_at is not None:
            again.append((problem.final_at - now).total_seconds())
        shown_at = standing.created_at(pod) + timedelta(seconds=config.start_grace)
        if now >= shown_at:
            return progress(sandbox, now, problem).no_later_than(min(again, default=None))
        again.append((shown_at - now).total_seconds())
    return REST.no_later_than(min(again, default=None))


def refused_problem(error: PortError) -> Problem:
    """What a refused pod is to be told as; only wrong content is wrong for ever."""
    if isinstance(error, Exhausted):
        return Problem(reason="QuotaExceeded", message=pods.as_message(error.message))
    if isinstance(error, Forbidden):
        return Problem(reason="PodForbidden", message=pods.as_message(error.message))
    return Problem(
        reason=POD_REFUSED, message=pods.as_message(error.message), final=isinstance(error, Invalid)
    )


def _missing(view: SandboxView) -> int | None:
    """The index of a pod that is not there; a sandbox out of a pool has those it took."""
    sandbox = view.sandbox
    if "poolRef" in sandbox["spec"]:
        return None
    there = {pod["metadata"]["name"] for pod in view.pods}
    name = sandbox["metadata"]["name"]
    replicas = range(standing.replicas_of(sandbox))
    return next((index for index in replicas if pod_name(name, index) not in there), None)


def _make(view: SandboxView, index: int, now: datetime) -> Decision:
    body = sandbox_pod(view.sandbox, index)
    error = view.facts.refused(Verb.CREATE, body["metadata"]["name"])
    if error is not None:
        problem = refused_problem(error)
        return fail(view.sandbox, now, problem) if problem.final else progress(view.sandbox, now, problem)
    return Decision(call=create(PODS, body))


def _take(view: SandboxView, use: PoolUse, now: datetime) -> Decision:
    """Adopt a ready warm pod, at its version: of several sandboxes that want it one gets it."""
    sandbox = view.sandbox
    name = sandbox["spec"]["poolRef"]
    if use.pool is None:
        return progress(sandbox, now, Problem(reason="PoolNotFound", message=f"There is no pool {name}."))
    ready = [pod for pod in use.warm if pods.is_ready(pod)]
    if not ready:
        capacity = use.pool["spec"]["capacitySpec"]
        if standing.pool_status_of(use.pool).allocated < capacity["poolMax"]:
            return REST
        message = f"Pool {name} has no warm sandbox, and may not grow beyond {capacity['poolMax']}."
        return progress(sandbox, now, Problem(reason="PoolExhausted", message=message))
    # Sandboxes that start at once try different pods, so that few lose the race for one.
    digest = hashlib.sha256(str(sandbox["metadata"]["uid"]).encode()).digest()
    metadata = ready[int.from_bytes(digest[:4]) % len(ready)]["metadata"]
    return Decision(
        call=merge(PODS, metadata["name"], adoption(sandbox), version=metadata["resourceVersion"]),
        note=Note(reason="Claimed", message=f"Took pod {metadata['name']} out of pool {name}."),
    )


def _live(view: SandboxView) -> list[Object]:
    """The pods that count; should a sandbox have got two out of a pool, it is the older one."""
    replicas = standing.replicas_of(view.sandbox)
    oldest_first = sorted(view.pods, key=lambda pod: (standing.created_at(pod), pod["metadata"]["name"]))
    return oldest_first[:replicas]
