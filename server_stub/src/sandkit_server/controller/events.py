"""Kubernetes Events about what the controller did: best effort, told once and counted when repeated."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sandkit_server.controller.decision import Note
from sandkit_server.core.port_errors import NotFound, PortError
from sandkit_server.core.ports import Clock
from sandkit_server.kubernetes import standing
from sandkit_server.kubernetes.calls import Call, Cluster, Object, create, merge
from sandkit_server.kubernetes.resources import EVENTS, ID_LABEL, MANAGED_BY, SNAPSHOTS, Resource

# The API server's own bound.
_LONGEST_MESSAGE: Final = 1_024
_WINDOW: Final = timedelta(minutes=10)
_REMEMBERED: Final = 4_096
_BACKLOG: Final = 1_000

_log = logging.getLogger(__name__)


class _Same(NamedTuple):
    """What makes an event the repetition of another."""

    uid: str
    reason: str
    message: str


@dataclass(slots=True)
class _Told:
    name: str
    count: int
    at: datetime


class EventRecorder:
    """Writes events one after the other in the background.

    Attributes:
        dropped: How many were not written, because there were too many at once or the API server refused.
    """

    def __init__(self, cluster: Cluster, clock: Clock, instance: str) -> None:
        """Record as ``instance``, the name of this process."""
        self.dropped = 0
        self._cluster = cluster
        self._clock = clock
        self._instance = instance
        self._told: OrderedDict[_Same, _Told] = OrderedDict()
        self._backlog: asyncio.Queue[Call] = asyncio.Queue(_BACKLOG)

    def tell(self, resource: Resource, obj: Object, note: Note) -> None:
        """Have an event written; one more of the same within ten minutes only counts."""
        now = self._clock.now()
        message = note.message[:_LONGEST_MESSAGE]
        same = _Same(obj["metadata"]["uid"], note.reason, message)
        told = self._told.get(same)
        if told is not None and now - told.at < _WINDOW:
            told.count, told.at = told.count + 1, now
            call = merge(EVENTS, told.name, {"count": told.count, "lastTimestamp": _seconds(now)})
        else:
            name = f"{obj['metadata']['name']}.{secrets.token_hex(8)}"
            self._told[same] = _Told(name, 1, now)
            call = create(EVENTS, self._event(name, resource, obj, note, message))
        self._told.move_to_end(same)
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        try:
            self._backlog.put_nowait(call)
        except asyncio.QueueFull:
            self.dropped += 1

    async def run(self) -> None:
        """Write for ever; cancel to stop."""
        while True:
            call = await self._backlog.get()
            try:
                await self._cluster.send(call)
            except NotFound:
                pass  # the repeated one has expired meanwhile; the next repetition after ten minutes is new
            except PortError as error:
                self.dropped += 1
                _log.info("event not written: %s", error.message)

    def _event(
        self, name: str, resource: Resource, obj: Object, note: Note, message: str
    ) -> Mapping[str, Any]:
        now = self._clock.now()
        metadata = obj["metadata"]
        return {
            "metadata": {"name": name, "labels": _labels(resource, obj)},
            "involvedObject": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": metadata["name"],
                "namespace": self._cluster.namespace,
                "uid": metadata["uid"],
            },
            "type": "Warning" if note.warning else "Normal",
            "reason": note.reason,
            "message": message,
            "action": "Reconcile",
            "reportingComponent": MANAGED_BY,
            "reportingInstance": self._instance,
            "source": {"component": MANAGED_BY},
            "eventTime": standing.rfc3339(now),
            "firstTimestamp": _seconds(now),
            "lastTimestamp": _seconds(now),
            "count": 1,
        }


def _labels(resource: Resource, obj: Object) -> Mapping[str, str]:
    """Whose sandbox an event is about, so that it can be found by label."""
    if resource == SNAPSHOTS:
        return {ID_LABEL: obj["spec"]["sandboxName"]}
    return {ID_LABEL: obj["metadata"]["name"]} if resource.kind == "BatchSandbox" else {}


def _seconds(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")
