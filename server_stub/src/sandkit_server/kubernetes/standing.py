"""What an object says: the API's state and what else server and controller both read out of it.

Pure functions of one object. The controller writes phases and conditions, the server writes intents; the
state the API shows follows from both, so it changes at the very moment an intent is accepted, whether or not
the controller has seen it yet.

An *intent* is ``spec.pause``: true asks for a pause, false for a resume. It is new while the object's
generation is above ``status.pauseObservedGeneration``, the generation already acted on; so the same intent
written once more is a new attempt (FLT-08), and a restart of the controller starts none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from sandkit_server.core.model import (
    PoolStatus,
    SandboxState,
    SandboxStatus,
    SnapshotState,
    SnapshotStatus,
)
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import ABANDONED_ANNOTATION, INTENT_ANNOTATION, SANDBOX_ANNOTATION

EXPIRED: Final = "Expired"
EXPIRED_MESSAGE: Final = "The sandbox reached its expiry."

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_TICK: Final = timedelta(microseconds=1)


class Phase(StrEnum):
    """``status.phase`` of a BatchSandbox."""

    PENDING = "Pending"
    SUCCEED = "Succeed"
    PAUSING = "Pausing"
    PAUSED = "Paused"
    RESUMING = "Resuming"
    FAILED = "Failed"


class SnapshotPhase(StrEnum):
    """``status.phase`` of a SandboxSnapshot; Succeed and Failed are final."""

    PENDING = "Pending"
    COMMITTING = "Committing"
    SUCCEED = "Succeed"
    FAILED = "Failed"


class Condition(StrEnum):
    """Types of the conditions of a BatchSandbox.

    ``READY`` is there from the first time the sandbox was up. The three failures are True while they matter:
    until the next attempt of the same kind, and never at once with its success.
    """

    READY = "Ready"
    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    PAUSE_FAILED = "PauseFailed"
    RESUME_FAILED = "ResumeFailed"
    POD_FAILED = "PodFailed"


_STATES: Final = {
    Phase.PENDING: SandboxState.PENDING,
    Phase.SUCCEED: SandboxState.RUNNING,
    Phase.PAUSING: SandboxState.PAUSING,
    Phase.PAUSED: SandboxState.PAUSED,
    Phase.RESUMING: SandboxState.RESUMING,
    Phase.FAILED: SandboxState.FAILED,
}
# Which condition tells why the sandbox is where it is.
_REASONS: Final = {
    Phase.PENDING: Condition.PROGRESSING,
    Phase.SUCCEED: Condition.PAUSE_FAILED,
    Phase.PAUSED: Condition.RESUME_FAILED,
    Phase.FAILED: Condition.POD_FAILED,
}
# In these phases the intent acted on is the phase itself; when it is over it agrees, or the attempt failed.
_ASKED_FOR: Final = {Phase.SUCCEED: False, Phase.PAUSED: True}
_SNAPSHOT_STATES: Final = {
    SnapshotPhase.PENDING: SnapshotState.CREATING,
    SnapshotPhase.COMMITTING: SnapshotState.CREATING,
    SnapshotPhase.SUCCEED: SnapshotState.READY,
    SnapshotPhase.FAILED: SnapshotState.FAILED,
}


def state_of(obj: Object) -> SandboxStatus:
    """The state of a BatchSandbox as the API shows it.

    ``last_transition_at`` moves strictly forward from one state to the next (PAU-18).
    """
    since = _phase_since(obj)
    if (deleted_at := deletion_of(obj)) is not None:
        expires_at = expiry_of(obj)
        expired = expires_at is not None and expires_at.replace(microsecond=0) <= deleted_at
        return SandboxStatus(
            state=SandboxState.STOPPING,
            last_transition_at=max(deleted_at, _since_before_deletion(obj) + _TICK),
            reason=EXPIRED if expired else None,
            message=EXPIRED_MESSAGE if expired else None,
        )
    if (abandoned := _annotation(obj, ABANDONED_ANNOTATION)) is not None:
        return SandboxStatus(
            state=SandboxState.FAILED,
            last_transition_at=_abandoned_since(abandoned, since),
            reason=abandoned.get("reason"),
            message=abandoned.get("message"),
        )
    if new_intent(obj) is not None:
        pausing = phase_of(obj) is Phase.SUCCEED
        return SandboxStatus(
            state=SandboxState.PAUSING if pausing else SandboxState.RESUMING,
            last_transition_at=_intent_since(obj, since),
        )
    phase = phase_of(obj)
    cause = condition(obj, _REASONS[phase]) if phase in _REASONS else None
    shown = cause is not None and cause["status"] == "True"
    return SandboxStatus(
        state=_STATES[phase],
        last_transition_at=since,
        reason=cause["reason"] if cause is not None and shown else None,
        message=cause["message"] if cause is not None and shown else None,
    )


def phase_of(obj: Object) -> Phase:
    """The phase of a BatchSandbox; one the controller has not seen yet is Pending."""
    return Phase(status_of(obj).get("phase", Phase.PENDING))


def state_of_phase(phase: Phase) -> SandboxState:
    """The API's word for a phase, leaving aside intents and deletion."""
    return _STATES[phase]


def generation_of(obj: Object) -> int:
    """Counts the changes of the spec, from 1."""
    return int(obj["metadata"].get("generation", 1))


def acted_generation(obj: Object) -> int:
    """The generation whose pause or resume was acted on last; 0 for none."""
    return int(status_of(obj).get("pauseObservedGeneration", 0))


def new_intent(obj: Object) -> bool | None:
    """A pause (true) or resume (false) that was asked for and not acted on yet, else ``None``."""
    wanted = obj["spec"].get("pause")
    if wanted is None or generation_of(obj) <= acted_generation(obj):
        return None
    return wanted if _differs(obj) else None


def failed_intent(obj: Object) -> bool:
    """Whether an attempt that failed still stands in the spec.

    A change of the spec for another purpose must then take ``spec.pause`` away (null) in the same patch, or
    its new generation would look like a new attempt.
    """
    return _differs(obj) and generation_of(obj) <= acted_generation(obj)


def ever_ready(obj: Object) -> bool:
    """Whether the sandbox has been up at least once since it was made."""
    return condition(obj, Condition.READY) is not None


def is_abandoned(obj: Object) -> bool:
    """Whether it was given up before it ever ran."""
    return ABANDONED_ANNOTATION in obj["metadata"].get("annotations", _NOTHING)


def replicas_of(obj: Object) -> int:
    """Pods asked for."""
    return int(obj["spec"].get("replicas", 1))


def expiry_of(obj: Object) -> datetime | None:
    """When the sandbox is removed by itself."""
    text = obj["spec"].get("expireTime")
    return None if text is None else instant(text)


def deletion_of(obj: Object) -> datetime | None:
    """When the deletion of any object was accepted, in full seconds."""
    text = obj["metadata"].get("deletionTimestamp")
    return None if text is None else instant(text)


def created_at(obj: Object) -> datetime:
    """When it was made, to the microsecond if the server noted it, else in full seconds."""
    noted = _annotation(obj, SANDBOX_ANNOTATION)
    return _instant_or(
        noted.get("createdAt") if noted is not None else None, instant(obj["metadata"]["creationTimestamp"])
    )


def snapshot_phase_of(obj: Object) -> SnapshotPhase:
    """The phase of a SandboxSnapshot; one the controller has not seen yet is Pending."""
    return SnapshotPhase(status_of(obj).get("phase", SnapshotPhase.PENDING))


def snapshot_state_of(obj: Object) -> SnapshotStatus:
    """The state of a user's SandboxSnapshot as the API shows it."""
    since = _phase_since(obj)
    if (deleted_at := deletion_of(obj)) is not None:
        return SnapshotStatus(state=SnapshotState.DELETING, last_transition_at=max(deleted_at, since + _TICK))
    phase = snapshot_phase_of(obj)
    cause = condition(obj, "Failed") if phase is SnapshotPhase.FAILED else None
    return SnapshotStatus(
        state=_SNAPSHOT_STATES[phase],
        last_transition_at=since,
        reason=None if cause is None else cause["reason"],
        message=None if cause is None else cause["message"],
    )


def pool_status_of(obj: Object) -> PoolStatus:
    """The counts of a Pool, as the controller saw them last."""
    status = status_of(obj)
    return PoolStatus(
        total=int(status.get("total", 0)),
        allocated=int(status.get("allocated", 0)),
        available=int(status.get("available", 0)),
        revision=str(status.get("revision", "")),
    )


def status_of(obj: Object) -> Mapping[str, Any]:
    """The status, empty while there is none."""
    return obj.get("status") or _NOTHING


def condition(obj: Object, kind: str) -> Mapping[str, Any] | None:
    """The condition of a type, whatever its status; ``None`` if it was never set."""
    for entry in status_of(obj).get("conditions", ()):
        if entry["type"] == kind:
            return entry  # type: ignore[no-any-return] # decoded JSON
    return None


def holds(obj: Object, kind: str) -> bool:
    """Whether the condition of a type is True."""
    entry = condition(obj, kind)
    return entry is not None and entry["status"] == "True"


def instant(text: str) -> datetime:
    """An instant from RFC 3339."""
    return datetime.fromisoformat(text).astimezone(UTC)


def rfc3339(at: datetime) -> str:
    """An instant as RFC 3339 in UTC with microseconds, which Kubernetes calls MicroTime."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _differs(obj: Object) -> bool:
    wanted = obj["spec"].get("pause")
    return wanted is not None and _ASKED_FOR.get(phase_of(obj), wanted) != wanted


def _phase_since(obj: Object) -> datetime:
    text = status_of(obj).get("phaseTransitionTime")
    return created_at(obj) if text is None else instant(text)


def _intent_since(obj: Object, since: datetime) -> datetime:
    text = obj["metadata"].get("annotations", _NOTHING).get(INTENT_ANNOTATION)
    return max(_instant_or(text, since), since + _TICK)


def _since_before_deletion(obj: Object) -> datetime:
    since = _phase_since(obj)
    if (abandoned := _annotation(obj, ABANDONED_ANNOTATION)) is not None:
        return _abandoned_since(abandoned, since)
    return since if new_intent(obj) is None else _intent_since(obj, since)


def _abandoned_since(abandoned: Mapping[str, Any], since: datetime) -> datetime:
    return max(_instant_or(abandoned.get("at"), since), since + _TICK)


def _annotation(obj: Object, name: str) -> Mapping[str, Any] | None:
    """An annotation that holds a JSON object; what people wrote there by hand counts as an empty one."""
    text = obj["metadata"].get("annotations", _NOTHING).get(name)
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING


def _instant_or(text: Any, otherwise: datetime) -> datetime:
    try:
        return instant(text)
    except (TypeError, ValueError):
        return otherwise
