"""Calls to the API server as data, and the one port that sends them.

A decision yields a :class:`Call`; carrying it out is the only side effect of a step. So decisions are tested
without a cluster, a fault or a crash can strike before or after any call, and the explorer enumerates the
orders of all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

from sandkit_server.core.port_errors import NoEffect, Unavailable
from sandkit_server.kubernetes.resources import Resource

# A Kubernetes object as decoded JSON. Never changed in place: caches share it.
Object = Mapping[str, Any]

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class Misconfigured(NoEffect):
    """The cluster lacks what every call needs: the namespace, or the kind. Somebody has to set it up."""


class Expired(Unavailable):
    """The version to watch from, or the next page of a list, is no longer kept: list again."""


class Verb(StrEnum):
    """What a call does, in the words of a role's rules."""

    GET = "get"
    LIST = "list"
    # Not sent by :meth:`Cluster.send`; in permissions, refusals and counts.
    WATCH = "watch"
    CREATE = "create"
    PATCH = "patch"
    DELETE = "delete"


class PatchType(StrEnum):
    """The content type of a patch; the API server's default is never relied on."""

    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


class Propagation(StrEnum):
    """What becomes of an object's dependents when it is deleted."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to the API server about objects of the namespace the port works in.

    Attributes:
        name: The object; empty for ``list`` and for ``create`` (which takes it from ``body``).
        body: The object to create, or the patch.
        subresource: ``status`` or empty.
        labels: Selector of a ``list``: all of them must match.
        uid: Precondition of a ``delete``. A patch has it in ``body.metadata``.
        resource_version: Likewise.
        grace_seconds: How long a pod's processes get to end; ``None`` for the pod's own setting.
    """

    verb: Verb
    resource: Resource
    name: str = ""
    body: Object | None = field(default=None, repr=False)
    subresource: str = ""
    patch_type: PatchType | None = None
    labels: Mapping[str, str] = field(default_factory=lambda: _NONE)
    uid: str | None = None
    resource_version: str | None = None
    propagation: Propagation | None = None
    grace_seconds: int | None = None


class Cluster(Protocol):
    """Sends calls, as one identity in one namespace."""

    @property
    def namespace(self) -> str:
        """Where every call goes."""
        ...

    async def send(self, call: Call) -> Object:
        """Carry out a call.

        Gives the object as it is now, a ``List`` for a list, a ``Status`` or the object for a delete. Raises
        the errors of :mod:`sandkit_server.core.port_errors`: NotFound, AlreadyExists, VersionConflict,
        Invalid, Forbidden, Exhausted (a quota), and Unavailable when there was no answer or a transient one,
        so that the effect is unknown; and, of the same kinds, Misconfigured and Expired. A uid that differs
        from the one asked for is NotFound, as if the object were gone.
        """
        ...


class PodLogs(Protocol):
    """Reads what the containers of pods wrote: text, so apart from :class:`Cluster`, which gives objects."""

    async def read_log(self, pod: str, *, container: str = "", lines: int | None = None) -> str:
        """The log of one container, as far as the node still has it.

        ``container`` may be empty for a pod of one; ``lines`` keeps the last so many. Raises NotFound (no
        such pod), Invalid (no such container, or it has not started), Forbidden, Unavailable.
        """
        ...


def get(resource: Resource, name: str) -> Call:
    """Read one object."""
    return Call(verb=Verb.GET, resource=resource, name=name)


def list_all(resource: Resource, labels: Mapping[str, str] = _NONE) -> Call:
    """Read all objects that carry all of ``labels``."""
    return Call(verb=Verb.LIST, resource=resource, labels=labels)


def create(resource: Resource, body: Object) -> Call:
    """Make an object; ``apiVersion`` and ``kind`` are filled in by the port."""
    return Call(verb=Verb.CREATE, resource=resource, name=body["metadata"].get("name", ""), body=body)


def merge(resource: Resource, name: str, patch: Object, *, version: str | None = None) -> Call:
    """Change an object by a JSON merge patch (RFC 7396), only at ``version`` if one is given."""
    return _patch(resource, name, patch, PatchType.MERGE, version)


def merge_status(resource: Resource, name: str, status: Object, *, version: str | None = None) -> Call:
    """Change the status by a JSON merge patch, only at ``version`` if one is given."""
    return replace(_patch(resource, name, {"status": status}, PatchType.MERGE, version), subresource="status")


def strategic(resource: Resource, name: str, patch: Object, *, version: str | None = None) -> Call:
    """Change an object of a built-in kind by a strategic merge patch, which merges lists by their keys."""
    return _patch(resource, name, patch, PatchType.STRATEGIC, version)


def delete(
    resource: Resource,
    name: str,
    *,
    uid: str | None = None,
    version: str | None = None,
    propagation: Propagation = Propagation.BACKGROUND,
) -> Call:
    """Delete an object, only the one of ``uid`` and at ``version`` if they are given."""
    return Call(
        verb=Verb.DELETE,
        resource=resource,
        name=name,
        uid=uid,
        resource_version=version,
        propagation=propagation,
    )


def _patch(resource: Resource, name: str, patch: Object, kind: PatchType, version: str | None) -> Call:
    body = patch
    if version is not None:
        body = {**patch, "metadata": {**patch.get("metadata", {}), "resourceVersion": version}}
    return Call(verb=Verb.PATCH, resource=resource, name=name, body=body, patch_type=kind)
