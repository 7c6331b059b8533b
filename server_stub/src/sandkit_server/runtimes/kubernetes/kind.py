"""What sets the kinds of object apart that a sandbox can run as: pure, without a call to anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sandkit_server.core.ports import Capabilities, Workload, WorkloadSpec
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.runtimes.kubernetes.details import Details

Patch = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """The pod of a sandbox: its name as far as known, and its addresses while it has some."""

    pod: str
    addresses: tuple[str, ...] = ()


class WorkloadKind(Protocol):
    """One kind of object. Patches are merge patches (RFC 7396), sent in order, each at the version before."""

    @property
    def resource(self) -> Resource:
        """The kind as the API server knows it."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What sandboxes of this kind can do."""
        ...

    def is_ours(self, obj: Object) -> bool:
        """Whether an object is a sandbox of the API."""
        ...

    def check(self, spec: WorkloadSpec) -> None:
        """Raise Invalid for what this kind could not run as asked."""
        ...

    def manifest(self, spec: WorkloadSpec, now: datetime, pull_secret: str | None) -> dict[str, Any]:
        """The object to create."""
        ...

    def workload(self, obj: Object) -> Workload:
        """What an object stands for; a pure function of it."""
        ...

    def details(self, obj: Object) -> Details:
        """What the API keeps of the request."""
        ...

    def placement(self, obj: Object) -> Placement:
        """Where it runs."""
        ...

    def pause(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Ask for a pause: a new attempt, whatever was asked for before."""
        ...

    def resume(self, obj: Object, now: datetime) -> Sequence[Patch]:
        """Likewise for a resume."""
        ...

    def expire(self, obj: Object, expires_at: datetime) -> Patch:
        """Move the expiry."""
        ...

    def abandon(self, obj: Object, reason: str, message: str, now: datetime) -> Patch:
        """Give it up: no pod, and Failed from now on."""
        ...
