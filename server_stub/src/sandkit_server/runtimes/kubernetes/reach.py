"""Reaching a sandbox from outside: its addresses, what it printed, and what happened to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, Protocol

from sandkit_server.core.access import AccessTokens
from sandkit_server.core.model import Endpoint, EndpointQuery
from sandkit_server.core.port_errors import Invalid, NotFound
from sandkit_server.core.ports import DiagnosticsScope
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Cluster, Object, PodLogs
from sandkit_server.kubernetes.resources import EVENTS, PODS
from sandkit_server.kubernetes.standing import created_at, deletion_of, instant, status_of
from sandkit_server.runtimes.kubernetes.details import Details
from sandkit_server.runtimes.kubernetes.kind import Placement

# As much of a log as a person reads; the rest is the cluster's log collection's.
_LINES: Final = 10_000


class LoggingCluster(Cluster, PodLogs, Protocol):
    """A cluster whose pods' logs can be read."""


class _Line(NamedTuple):
    at: datetime
    text: str


class Reach:
    """Endpoints, logs and events of any kind of workload."""

    def __init__(
        self, cluster: LoggingCluster, base: Callable[[], str], secret: bytes, *, through_server: bool
    ) -> None:
        """Take note.

        Args:
            cluster: Where the pods are.
            base: Host and port under which clients reach this server.
            secret: What access tokens are signed with.
            through_server: Whether clients are told addresses on this server even where a pod has its own.
        """
        self._cluster = cluster
        self._base = base
        self._tokens = AccessTokens(secret)
        self._through_server = through_server

    def endpoint(
        self, sandbox_id: str, details: Details, placement: Placement, query: EndpointQuery
    ) -> Endpoint:
        """The pod's own address where it will do, else one that leads there through this server.

        Only this server checks tokens, and it can be asked before the pod has an address (API-154).
        """
        signed = details.secure_access or query.expires is not None
        if placement.addresses and not (signed or query.use_server_proxy or self._through_server):
            return Endpoint(endpoint=authority(placement.addresses[0], query.port))
        address = f"{self._base()}/v1/sandboxes/{sandbox_id}/proxy/{query.port}"
        if not signed:
            return Endpoint(endpoint=address)
        return Endpoint(
            endpoint=address, headers=self._tokens.headers(sandbox_id, query.port, query.expires or 0)
        )

    async def logs(self, placement: Placement) -> str:
        """The log of the sandbox's own container; nothing while there is none."""
        try:
            pod = await self._cluster.send(calls.get(PODS, placement.pod))
            container = pod["spec"]["containers"][0]["name"]
            return await self._cluster.read_log(placement.pod, container=container, lines=_LINES)
        except (NotFound, Invalid):
            return ""

    async def events(self, obj: Object, placement: Placement, scope: DiagnosticsScope) -> str:
        """Conditions of the workload and Events about it (lifecycle), and about its pod (container)."""
        name = obj["metadata"]["name"]
        listed = (await self._cluster.send(calls.list_all(EVENTS)))["items"]
        lines: list[_Line] = []
        if scope is not DiagnosticsScope.CONTAINER:
            lines += [*_history(obj), *_told(listed, obj["kind"], name)]
        if scope is not DiagnosticsScope.LIFECYCLE:
            lines += _told(listed, PODS.kind, placement.pod)
        return "".join(f"{line.at.isoformat()} {line.text}\n" for line in sorted(lines))


def authority(address: str, port: int) -> str:
    """Host and port as in a URL."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _history(obj: Object) -> Iterator[_Line]:
    yield _Line(created_at(obj), "Created: The sandbox was accepted.")
    for condition in status_of(obj).get("conditions") or ():
        at = condition.get("lastTransitionTime")
        if at is not None:
            what = f"{condition['type']} {condition['status']}"
            yield _line(at, what, condition.get("reason"), condition.get("message"))
    if (deleted_at := deletion_of(obj)) is not None:
        yield _Line(deleted_at, "Deleted: The sandbox is being taken down.")


def _told(events: list[Mapping[str, Any]], kind: str, name: str) -> Iterator[_Line]:
    for event in events:
        about = event.get("involvedObject") or {}
        at = (
            event.get("lastTimestamp")
            or event.get("eventTime")
            or event.get("firstTimestamp")
            or event["metadata"].get("creationTimestamp")
        )
        if (about.get("kind"), about.get("name")) == (kind, name) and at is not None:
            yield _line(at, event.get("type") or "Normal", event.get("reason"), event.get("message"))


def _line(at: str, what: str, reason: str | None, message: str | None) -> _Line:
    told = ": ".join(part for part in (reason, " ".join((message or "").split())) if part)
    return _Line(instant(at), f"{what}: {told}" if told else what)
