"""Writing a status: one merge patch of what differs, only at the version that was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Call, Object, merge_status
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, SNAPSHOTS, Resource

_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A condition as it should be: ``kind`` holds or not, because of ``reason``."""

    kind: str
    holds: bool
    reason: str
    message: str = ""


def write_status(
    resource: Resource, obj: Object, now: datetime, verdicts: Iterable[Verdict] = (), **fields: Any
) -> Call | None:
    """The call that makes the status so; ``None`` if it is so already.

    A field that is ``None`` is removed. ``phaseTransitionTime`` follows by itself from a change of the state
    that the API shows, strictly forward (PAU-18); so acting on an intent, which shows already, leaves it.
    """
    old = standing.status_of(obj)
    new = {**old, **fields}
    conditions = _conditions(obj, verdicts, now)
    if conditions:
        new["conditions"] = conditions
    new = {key: value for key, value in new.items() if value is not None}
    after: Object = {**obj, "status": new}
    if resource in (BATCH_SANDBOXES, SNAPSHOTS) and old.get("phase") != new.get("phase"):
        new["phaseTransitionTime"] = standing.rfc3339(_state_since(resource, obj, after, now))
    gone = dict.fromkeys(old.keys() - new.keys())
    patch = {key: value for key, value in new.items() if old.get(key) != value} | gone
    if not patch:
        return None
    metadata = obj["metadata"]
    return merge_status(resource, metadata["name"], patch, version=metadata["resourceVersion"])


def closing(sandbox: Object, *, wanted: bool) -> Mapping[str, Any]:
    """The fields that end an attempt to pause (``wanted``) or to resume.

    Every generation up to now counts as acted on, so that a renewal meanwhile starts no second attempt;
    unless the opposite was asked for meanwhile, which is still to be done.
    """
    if sandbox["spec"].get("pause") is (not wanted):
        return {}
    return {"pauseObservedGeneration": standing.generation_of(sandbox)}


def _state_since(resource: Resource, before: Object, after: Object, now: datetime) -> datetime:
    if resource == SNAPSHOTS:
        told, telling = standing.snapshot_state_of(before), standing.snapshot_state_of(after)
        same, since = told.state is telling.state, told.last_transition_at
    else:
        shown, showing = standing.state_of(before), standing.state_of(after)
        same, since = shown.state is showing.state, shown.last_transition_at
    return since if same else max(now, since + _TICK)


def _conditions(obj: Object, verdicts: Iterable[Verdict], now: datetime) -> list[Mapping[str, Any]]:
    entries: dict[str, Mapping[str, Any]] = {
        entry["type"]: entry for entry in standing.status_of(obj).get("conditions", ())
    }
    for verdict in verdicts:
        entry = {
            "type": str(verdict.kind),
            "status": "True" if verdict.holds else "False",
            "reason": verdict.reason,
            "message": verdict.message,
        }
        old = entries.get(verdict.kind)
        if old is not None and all(old.get(key) == value for key, value in entry.items()):
            continue
        kept = old is not None and old["status"] == entry["status"]
        entry["lastTransitionTime"] = old["lastTransitionTime"] if old is not None and kept else _seconds(now)
        entries[verdict.kind] = {**entry, "observedGeneration": standing.generation_of(obj)}
    return list(entries.values())


def _seconds(now: datetime) -> str:
    """RFC 3339 in full seconds, as conditions have it."""
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
