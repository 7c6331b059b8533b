"""Following a collection: what is there, then every change, for ever."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any, Final

from sandkit_server.core.port_errors import Unavailable
from sandkit_server.testing.control_plane.node.api import NodeApi, Refused

# Told ADDED, MODIFIED or DELETED, and the object.
Follower = Callable[[str, Mapping[str, Any]], Awaitable[None]]

_RETRY_SECONDS: Final = 0.2

_log = logging.getLogger(__name__)


async def follow(
    api: NodeApi, path: str, follower: Follower, parameters: Mapping[str, str] | None = None
) -> None:
    """Tell ``follower`` of every object and every change, one after the other; cancel to stop.

    What was deleted while there was no watch is told when it is noticed.
    """
    known: dict[str, Mapping[str, Any]] = {}
    while True:
        try:
            objects, version = await api.list(path, parameters)
            there = {str(obj["metadata"]["uid"]) for obj in objects}
            for uid in known.keys() - there:
                await follower("DELETED", known.pop(uid))
            for obj in objects:
                await _tell(known, "MODIFIED" if obj["metadata"]["uid"] in known else "ADDED", obj, follower)
            while True:
                version = await _watch(api, path, version, parameters, known, follower)
        except (Refused, Unavailable) as error:
            _log.info("%s is listed again: %s", path, error)
            await asyncio.sleep(_RETRY_SECONDS)


async def _watch(
    api: NodeApi,
    path: str,
    version: str,
    parameters: Mapping[str, str] | None,
    known: dict[str, Mapping[str, Any]],
    follower: Follower,
) -> str:
    async with aclosing(api.watch(path, version, parameters)) as events:  # type: ignore[type-var]
        async for event in events:
            version = event.object["metadata"]["resourceVersion"]
            if event.type != "BOOKMARK":
                await _tell(known, event.type, event.object, follower)
    return version


async def _tell(
    known: dict[str, Mapping[str, Any]], change: str, obj: Mapping[str, Any], follower: Follower
) -> None:
    uid = str(obj["metadata"]["uid"])
    if change == "DELETED":
        known.pop(uid, None)
    else:
        known[uid] = obj
    await follower(change, obj)
