"""What must hold: of every change of what is stored, and of everything once all is quiet."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sandkit_server.core import lifecycle, ownership
from sandkit_server.core.model import SandboxState
from sandkit_server.core.policy import Policy
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import (
    BATCH_SANDBOXES,
    CLAIMS,
    ID_LABEL,
    JOBS,
    PODS,
    PURPOSE_LABEL,
    PURPOSE_PAUSE,
    SNAPSHOTS,
    Resource,
)
from sandkit_server.testing.cluster.state import Key
from sandkit_server.testing.explorer.nature import FROZEN

Stored = Mapping[Key, Object]

# What the name of a claim begins with that goes with a sandbox; the sandbox's id follows.
OF_SANDBOX: Final = "data-"

_TRANSITIONAL = frozenset(
    {SandboxState.PENDING, SandboxState.PAUSING, SandboxState.RESUMING, SandboxState.STOPPING}
)


class Change:
    """What one event did, seen from outside.

    Args:
        taken: Pods that somebody deleted past everybody; who has not seen it yet is forgiven.
    """

    def __init__(self, before: Stored, after: Stored, taken: Collection[str] = ()) -> None:
        self.before = before
        self.after = after
        self.taken = taken
        keys = {*before, *after}
        self.keys = [key for key in keys if before.get(key) != after.get(key)]

    def transitions(self) -> Iterator[tuple[str, SandboxState, SandboxState]]:
        """The sandboxes whose state as the API shows it changed, and how."""
        for key in self.keys:
            if key.resource == BATCH_SANDBOXES:
                before, after = self.before.get(key), self.after.get(key)
                if before is not None and after is not None:
                    source, target = standing.state_of(before).state, standing.state_of(after).state
                    if source is not target:
                        yield key.name, source, target

    def broken(self, actor: str, foreign: Sequence[str], now: datetime) -> str | None:
        """The first promise this change breaks."""
        for key in self.keys:
            before, after = self.before.get(key), self.after.get(key)
            if key.resource == BATCH_SANDBOXES:
                broken = self._sandbox(key.name, before, after, now if actor == "controller" else None)
            elif key.resource == CLAIMS and before is not None:
                broken = self._claim(key.name, before, after, foreign)
            elif key.resource == PODS:
                broken = self._pod(key.name, before, after, actor)
            else:
                continue
            if broken is not None:
                return broken
        return None

    def _sandbox(
        self, name: str, before: Object | None, after: Object | None, expired_by: datetime | None
    ) -> str | None:
        if before is None:
            assert after is not None, "a change has two sides"
            state = standing.state_of(after).state
            return None if state is SandboxState.PENDING else f"sandbox {name} is born {state}"
        if after is None or after["metadata"]["uid"] != before["metadata"]["uid"]:
            state = standing.state_of(before).state
            if state is SandboxState.STOPPING:
                return None
            return f"sandbox {name} goes from {state} to nothing without being seen Stopping"
        return self._turn(name, before, after, expired_by)

    def _turn(self, name: str, before: Object, after: Object, expired_by: datetime | None) -> str | None:
        was, following = standing.state_of(before), standing.state_of(after)
        turn = f"{was.state} → {following.state}"
        if following.state is was.state:
            return None
        if not lifecycle.is_legal(was.state, following.state):
            return f"sandbox {name}: {turn} is no transition of states.yaml"
        if following.last_transition_at <= was.last_transition_at:
            return f"sandbox {name}: lastTransitionAt does not move with {turn}"
        if following.state is SandboxState.STOPPING and expired_by is not None:
            expiry = standing.expiry_of(before)
            if expiry is None or expiry > expired_by:
                return f"sandbox {name} is expired, although it was renewed before"
        if (was.state, following.state) == (SandboxState.PAUSING, SandboxState.RUNNING):
            return self._usable(name)
        return None

    def _usable(self, name: str) -> str | None:
        pod = self.after.get(Key(PODS, name))
        if name not in self.taken and (pod is None or _is_deleted(pod)):
            return f"the failed pause of sandbox {name} ends Running without a pod"
        if Key(FROZEN, name) in self.after:
            return f"the failed pause of sandbox {name} ends Running with frozen processes"
        return None

    def _claim(self, name: str, before: Object, after: Object | None, foreign: Sequence[str]) -> str | None:
        if name in foreign:
            touched = after is None or any(_part(before, each) != _part(after, each) for each in _OURS)
            return f"claim {name} is nobody's of ours, and is touched" if touched else None
        manager = before["metadata"].get("labels", {}).get(ownership.ID_LABEL)
        if manager is None or not _lives(self.after.get(Key(BATCH_SANDBOXES, manager))):
            return None
        if after is None or (_is_deleted(after) and not _is_deleted(before)):
            return f"claim {name} of sandbox {manager} is deleted, and the sandbox lives"
        if after["metadata"].get("labels") != before["metadata"].get("labels"):
            return f"claim {name} of sandbox {manager} gets other labels"
        owners, kept = _owners(after), _owners(before)
        sandbox = self.after[Key(BATCH_SANDBOXES, manager)]
        if not kept <= owners or not owners - kept <= {sandbox["metadata"]["uid"]}:
            return f"claim {name} of sandbox {manager} gets another owner"
        return None

    def _pod(self, name: str, before: Object | None, after: Object | None, actor: str) -> str | None:
        if before is None:
            return None if after is None else self._new_pod(name, after)
        sandbox = before["metadata"].get("labels", {}).get(ID_LABEL)
        goes = after is None or _is_deleted(after)
        if sandbox is None or not goes or _is_deleted(before) or actor == "node":
            return None
        owner = self.before.get(Key(BATCH_SANDBOXES, sandbox))
        if owner is None or standing.state_of(owner).state is not SandboxState.PAUSING:
            return None
        if not any(_is_ready(found, sandbox) for found in _of_kind(self.after, SNAPSHOTS)):
            return f"pod {name} is deleted by a pause whose snapshot is not ready"
        return None

    def _new_pod(self, name: str, pod: Object) -> str | None:
        """A resumed pod runs what the pause has kept, and is of a sandbox that is there."""
        sandbox = self.after.get(Key(BATCH_SANDBOXES, name))
        if sandbox is None or standing.state_of(sandbox).state is not SandboxState.RESUMING:
            return None
        kept = self.after.get(Key(SNAPSHOTS, standing.status_of(sandbox).get("pauseSnapshotName", "")))
        digests = {each["imageDigest"] for each in standing.status_of(kept or {}).get("containers", ())}
        images = [container["image"] for container in pod["spec"]["containers"]]
        if not all(image.partition("@")[2] in digests for image in images):
            return f"pod {name} is resumed from {', '.join(images)}, which is not what its pause has kept"
        return None


def unquiet(stored: Stored, now: datetime, *, last: bool) -> str | None:
    """What is left that should not be, now that nothing goes on. ``last``: no time is to come."""
    sandboxes = {key.name: found for key, found in stored.items() if key.resource == BATCH_SANDBOXES}
    for key, found in stored.items():
        owner = _sandbox_of(key, found)
        if owner is not None and owner not in sandboxes and not _is_spared(key, found, now):
            return f"{key.resource.kind} {key.name} is left of sandbox {owner}, which is gone"
    for name, sandbox in sandboxes.items():
        state = standing.state_of(sandbox).state
        if last and state in _TRANSITIONAL:
            return f"sandbox {name} stays {state} for ever"
        expiry = standing.expiry_of(sandbox)
        if expiry is not None and expiry <= now and state is not SandboxState.STOPPING:
            return f"sandbox {name} outlives its expiry"
        if (broken := _claims(stored, name, sandbox)) is not None:
            return broken
        judge = _AT_REST.get(state)
        if judge is not None and (broken := judge(stored, name, sandbox)) is not None:
            return broken
    return None


def _is_spared(key: Key, found: Object, now: datetime) -> bool:
    """Whether a claim may still belong to a create that is under way in another server (VOL-24)."""
    age = (now - standing.created_at(found)).total_seconds()
    return key.resource == CLAIMS and age <= Policy().reconcile_grace


def _sandbox_of(key: Key, found: Object) -> str | None:
    """The sandbox that something must not outlive."""
    labels = found["metadata"].get("labels", {})
    if key.resource == SNAPSHOTS and labels.get(PURPOSE_LABEL) != PURPOSE_PAUSE:
        return None
    if key.resource == CLAIMS and ID_LABEL not in labels:
        # One that bears a sandbox's name was made for it, whatever its labels say.
        return key.name.partition(OF_SANDBOX)[2] or None
    owner: str | None = labels.get(ID_LABEL) if key.resource in _BELONGINGS else None
    return owner


def _claims(stored: Stored, name: str, sandbox: Object) -> str | None:
    """The claims of a living sandbox are there, and would go with it."""
    if not _lives(sandbox) or not standing.ever_ready(sandbox):
        return None
    for claim_name in _managed_claims(sandbox, name):
        claim = stored.get(Key(CLAIMS, claim_name))
        if claim is None or _is_deleted(claim):
            return f"sandbox {name} lives, and its claim {claim_name} does not"
        if sandbox["metadata"]["uid"] not in _owners(claim):
            return f"claim {claim_name} of sandbox {name} has no owner, and would outlive it"
    return None


def _managed_claims(sandbox: Object, name: str) -> Iterator[str]:
    """The claims that were made for it: those that bear its name."""
    for volume in sandbox["spec"]["template"]["spec"].get("volumes", ()):
        claim = volume.get("persistentVolumeClaim")
        if claim is not None and name in claim["claimName"]:
            yield claim["claimName"]


def _running(stored: Stored, name: str, _sandbox: Object) -> str | None:
    pod = stored.get(Key(PODS, name))
    if pod is None or _is_deleted(pod):
        return f"sandbox {name} is Running without a pod"
    if Key(FROZEN, name) in stored:
        return f"sandbox {name} is Running with frozen processes"
    if left := _attempts(stored, name):
        return f"sandbox {name} is Running and still has {', '.join(left)}"
    return None


def _paused(stored: Stored, name: str, _sandbox: Object) -> str | None:
    if Key(PODS, name) in stored:
        return f"sandbox {name} is Paused and still has its pod"
    if not any(_is_ready(found, name) for found in _of_kind(stored, SNAPSHOTS)):
        return f"sandbox {name} is Paused without a snapshot to resume from"
    return None


def _failed(stored: Stored, name: str, sandbox: Object) -> str | None:
    if standing.is_abandoned(sandbox) and Key(PODS, name) in stored:
        return f"sandbox {name} was given up and still has its pod"
    if left := _attempts(stored, name):
        return f"sandbox {name} is Failed and still has {', '.join(left)}"
    if not standing.ever_ready(sandbox):
        left = [
            key.name for key, found in stored.items() if key.resource == CLAIMS and _sandbox_of(key, found)
        ]
        if left:
            return f"sandbox {name} never ran, and still has claim {left[0]}"
    return None


def _attempts(stored: Stored, name: str) -> list[str]:
    """What attempts to pause it have left."""
    kinds = {SNAPSHOTS, JOBS}
    return sorted(
        key.name for key, found in stored.items() if key.resource in kinds and _sandbox_of(key, found) == name
    )


_BELONGINGS = frozenset({PODS, JOBS, CLAIMS, SNAPSHOTS})
_AT_REST: Mapping[SandboxState, Callable[[Stored, str, Object], str | None]] = {
    SandboxState.RUNNING: _running,
    SandboxState.PAUSED: _paused,
    SandboxState.FAILED: _failed,
}


def _of_kind(stored: Stored, resource: Resource) -> Iterator[Object]:
    return (found for key, found in stored.items() if key.resource == resource)


def _is_deleted(found: Object) -> bool:
    return "deletionTimestamp" in found["metadata"]


def _is_ready(snapshot: Object, sandbox: str) -> bool:
    labels = snapshot["metadata"].get("labels", {})
    return (labels.get(ID_LABEL), labels.get(PURPOSE_LABEL)) == (
        sandbox,
        PURPOSE_PAUSE,
    ) and standing.snapshot_phase_of(snapshot) is standing.SnapshotPhase.SUCCEED


# What only somebody who means a claim would change; volume controllers write the rest.
_OURS: Final = ("labels", "ownerReferences", "deletionTimestamp")


def _part(found: Object, field: str) -> object:
    return found["metadata"].get(field)


def _lives(sandbox: Object | None) -> bool:
    return (
        sandbox is not None
        and "deletionTimestamp" not in sandbox["metadata"]
        and not standing.is_abandoned(sandbox)
    )


def _owners(claim: Object) -> set[str]:
    return {edge["uid"] for edge in claim["metadata"].get("ownerReferences", ())}
