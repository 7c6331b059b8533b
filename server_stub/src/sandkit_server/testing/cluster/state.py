"""The abstract cluster: an immutable state, and one pure function that applies a call to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from sandkit_server.core.port_errors import PortError
from sandkit_server.kubernetes.calls import Call, Object, Verb
from sandkit_server.kubernetes.resources import Resource
from sandkit_server.testing.cluster.storage import Stamp, not_found, write

_NOTHING: Mapping[Key, Object] = MappingProxyType({})
_ZERO: Mapping[Key, int] = MappingProxyType({})


class Key(NamedTuple):
    """Where an object is stored."""

    resource: Resource
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Everything the API server stores, and the time.

    Attributes:
        version: The last resource version given out; every write takes the next, as etcd's revision does.
        births: How often each name was taken; makes uids that do not depend on what else happened.
    """

    now: datetime
    namespace: str = "default"
    objects: Mapping[Key, Object] = field(default_factory=lambda: _NOTHING)
    version: int = 0
    births: Mapping[Key, int] = field(default_factory=lambda: _ZERO)

    def find(self, resource: Resource, name: str) -> Object | None:
        """One object, or ``None``."""
        return self.objects.get(Key(resource, name))

    def all(self, resource: Resource, labels: Mapping[str, str] | None = None) -> Iterator[Object]:
        """The objects of one kind that carry all of ``labels``, by name."""
        wanted = (labels or {}).items()
        for key in sorted(key for key in self.objects if key.resource == resource):
            found = self.objects[key]
            if wanted <= found["metadata"].get("labels", {}).items():
                yield found

    def taken(self) -> list[Key]:
        """Where something is stored, in a stable order."""
        return sorted(self.objects, key=lambda key: (key.resource.full_name, key.name))


class Applied(NamedTuple):
    """The state afterwards, and the answer or the refusal."""

    state: State
    answer: Object | PortError


def apply(state: State, call: Call) -> Applied:
    """Carry out one call as the API server does; a refusal leaves the state as it was."""
    try:
        if call.verb is Verb.GET:
            return Applied(state, _get(state, call))
        if call.verb is Verb.LIST:
            return Applied(state, _list(state, call))
        return _write(state, _named(state, call))
    except PortError as error:
        return Applied(state, error)


def _get(state: State, call: Call) -> Object:
    found = state.find(call.resource, call.name)
    if found is None:
        raise not_found(call.resource, call.name)
    return found


def _list(state: State, call: Call) -> Object:
    return {
        "apiVersion": call.resource.api_version,
        "kind": f"{call.resource.kind}List",
        "metadata": {"resourceVersion": str(state.version)},
        "items": list(state.all(call.resource, call.labels)),
    }


def _named(state: State, call: Call) -> Call:
    """A create by ``generateName`` gets its name here; the next number is as good as random letters."""
    if call.verb is not Verb.CREATE or call.name:
        return call
    assert call.body is not None
    return replace(call, name=f"{call.body['metadata'].get('generateName', '')}{state.version + 1}")


def _write(state: State, call: Call) -> Applied:
    key = Key(call.resource, call.name)
    birth = state.births.get(key, 0) + 1
    stamp = Stamp(
        now=state.now,
        version=str(state.version + 1),
        uid=f"uid-{call.resource.plural}-{call.name}-{birth}",
        namespace=state.namespace,
    )
    before = state.objects.get(key)
    stored, answer = write(call, before, stamp)
    if stored is before:
        return Applied(state, answer)
    objects = {other: each for other, each in state.objects.items() if other != key}
    births = state.births
    if stored is not None:
        objects[key] = stored
        if before is None:
            births = {**births, key: birth}
    after = replace(state, objects=objects, version=state.version + 1, births=births)
    return Applied(after, answer)
