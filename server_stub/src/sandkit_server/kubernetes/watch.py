"""Watches: the changes of a kind of object as the API server tells them, one JSON object per line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

import msgspec

from sandkit_server.core.port_errors import Unavailable
from sandkit_server.kubernetes.calls import Cluster, Object
from sandkit_server.kubernetes.resources import Resource

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})


class Change(StrEnum):
    """What happened to an object."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    # Nothing happened up to the version the (otherwise empty) object carries.
    BOOKMARK = "BOOKMARK"


class Event(msgspec.Struct, frozen=True):
    """One line of a watch."""

    type: str
    object: dict[str, Any]


class WatchedCluster(Cluster, Protocol):
    """A cluster that also tells what changes."""

    def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] = _NO_LABELS
    ) -> AsyncGenerator[Event, None]:
        """The changes after ``version`` to objects that carry all of ``labels``; close it when done.

        A bookmark at ``version`` comes first, as soon as the API server has accepted the watch. It ends when
        the API server ends it, after some minutes. Only events of :class:`Change` are given. Raises Expired
        when ``version`` is too old, and otherwise as :meth:`Cluster.send` does; Unavailable when the
        connection breaks or falls silent.
        """
        ...


def version_of(obj: Object) -> str:
    """The version an object is at, of a ``List`` the version of the whole."""
    version: str = obj["metadata"]["resourceVersion"]
    return version


async def decode(chunks: AsyncIterable[bytes]) -> AsyncGenerator[Event, None]:
    """The events in a body that arrives in pieces. Raises Unavailable for what is no event."""
    decoder = msgspec.json.Decoder(Event)
    rest: list[bytes] = []
    async for chunk in chunks:
        *lines, last = chunk.split(b"\n")
        for line in lines:
            rest.append(line)
            text = b"".join(rest)
            rest.clear()
            if text:
                yield _event(decoder, text)
        if last:
            rest.append(last)
    # What is left was cut in the middle; the next watch tells it again.


def _event(decoder: msgspec.json.Decoder[Event], line: bytes) -> Event:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable("the watch tells something that is no event") from error
