"""Steps that several phases take."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sandkit_server.controller import pods
from sandkit_server.controller.decision import REST, Decision, Note
from sandkit_server.controller.naming import pod_name
from sandkit_server.controller.pods import Problem
from sandkit_server.controller.status import Verdict, write_status
from sandkit_server.controller.views import SandboxView
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object, delete, get
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS, SNAPSHOTS
from sandkit_server.kubernetes.standing import Condition, Phase

WHEREABOUTS: Final = ("podName", "podIPs", "nodeName")


def delete_pod(pod: Object) -> Decision:
    """Delete this very pod; the node gets the time the pod asks for to end it."""
    metadata = pod["metadata"]
    return Decision(call=delete(PODS, metadata["name"], uid=metadata["uid"]))


def delete_snapshot(snapshot: Object) -> Decision:
    """Delete a snapshot; its jobs follow."""
    metadata = snapshot["metadata"]
    return Decision(call=delete(SNAPSHOTS, metadata["name"], uid=metadata["uid"]))


def up(sandbox: Object, now: datetime, live: list[Object], **fields: Any) -> Decision:
    """The sandbox is up: Pending or Resuming ends in Succeed."""
    verdicts = [
        Verdict(Condition.READY, True, "PodsReady", "All containers are ready."),
        *(
            Verdict(kind, False, "Up")
            for kind in (Condition.PROGRESSING, Condition.PAUSED, Condition.RESUME_FAILED)
            if standing.holds(sandbox, kind)
        ),
    ]
    whereabouts = whereabouts_of(live[0]) if len(live) == 1 else dict.fromkeys(WHEREABOUTS)
    return turn(
        sandbox, now, Phase.SUCCEED, verdicts, replicas=len(live), ready=len(live), **whereabouts, **fields
    )


def expected_pods(sandbox: Object) -> list[str]:
    """The names of the pods that a sandbox which is up was made of."""
    status = standing.status_of(sandbox)
    if "podName" in status:
        return [status["podName"]]
    known = min(int(status.get("replicas", 0)), standing.replicas_of(sandbox))
    return [pod_name(sandbox["metadata"]["name"], index) for index in range(known)]


def loss(view: SandboxView, names: list[str]) -> Problem | Decision | None:
    """Whether one of these pods is lost.

    That a pod is in no cache is believed only after a fresh read, for what follows cannot be undone; then
    the decision to read is given.
    """
    there = {pod["metadata"]["name"]: pod for pod in view.pods}
    for name in names:
        if name in there:
            problem = pods.loss_of(there[name])
            if problem is not None:
                return problem
        elif view.facts.sought_pod == name:
            return Problem(reason=pods.POD_LOST, message=f"Pod {name} vanished.", final=True)
        else:
            return Decision(call=get(PODS, name))
    return None


def whereabouts_of(pod: Object) -> dict[str, Any]:
    """Where the pod of a sandbox of one replica is, for its status."""
    addresses = [entry["ip"] for entry in standing.status_of(pod).get("podIPs", ())]
    return {
        "podName": pod["metadata"]["name"],
        "podIPs": addresses or None,
        "nodeName": pod["spec"].get("nodeName"),
    }


def fail(sandbox: Object, now: datetime, problem: Problem) -> Decision:
    """The sandbox is lost, or never came up."""
    verdicts = [Verdict(Condition.POD_FAILED, True, problem.reason, problem.message)]
    verdicts += [
        Verdict(kind, False, problem.reason)
        for kind in (Condition.READY, Condition.PROGRESSING)
        if standing.holds(sandbox, kind)
    ]
    return turn(sandbox, now, Phase.FAILED, verdicts, ready=0, podIPs=None)


def progress(sandbox: Object, now: datetime, problem: Problem) -> Decision:
    """Show what a sandbox on its way is waiting for."""
    verdict = Verdict(Condition.PROGRESSING, True, problem.reason, problem.message)
    call = write_status(BATCH_SANDBOXES, sandbox, now, [verdict])
    if call is None:
        return REST
    return Decision(call=call, note=Note(reason=problem.reason, message=problem.message, warning=True))


def turn(sandbox: Object, now: datetime, phase: Phase, verdicts: list[Verdict], **fields: Any) -> Decision:
    """Move to another phase, and tell so in the states of the API."""
    generation = standing.generation_of(sandbox)
    call = write_status(
        BATCH_SANDBOXES, sandbox, now, verdicts, phase=str(phase), observedGeneration=generation, **fields
    )
    if call is None:
        return REST
    if standing.phase_of(sandbox) is phase:
        return Decision(call=call)
    cause = next((each for each in verdicts if each.holds and each.kind.endswith("Failed")), None)
    was, will_be = standing.state_of_phase(standing.phase_of(sandbox)), standing.state_of_phase(phase)
    because = f" ({cause.reason}: {cause.message})" if cause is not None else ""
    note = Note(
        reason=str(will_be) if cause is None else cause.reason,
        message=f"{was} to {will_be}{because}",
        warning=cause is not None,
    )
    return Decision(call=call, note=note)


def not_of_later(sandbox: Object, objects: Sequence[Object]) -> list[Object]:
    """Without what was made for an attempt that this state of the sandbox knows nothing of."""
    acted = standing.acted_generation(sandbox)
    return [obj for obj in objects if pods.attempt_of(obj) <= acted]
