"""A journal of what happens in a Docker engine, kept here because the engine forgets after 256 events."""

from __future__ import annotations

import time
from typing import Any, Final

import anyio

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.docker.engine import Engine
from sandkit_conformance.probes.docker.objects import journal_entries

# Longest time in seconds that the engine may need to tell what it has done.
_LAG: Final = 5.0


class Journal:
    """Reads the engine's events as they come, numbers them, and answers what came after a number.

    It begins at `begin`, an instant of the engine's clock, which is `ahead` of ours or less, in nanoseconds.

    Labels of a volume are not in its events. They cannot be changed, so they are asked for when it is made.
    """

    def __init__(self, engine: Engine, begin: int, ahead: int) -> None:
        self._engine = engine
        self._volumes: set[str] = set()
        self._ahead = ahead
        self._entries: list[dict[str, Any]] = []
        self._newest = begin
        self._failure: str | None = None
        self._grown = anyio.Condition()

    async def follow(self) -> None:
        """Read until cancelled. That the engine has hung up is told by the next `after`."""
        try:
            self._volumes = {one["Name"] for one in await self._engine.volumes()}
            async for event in self._engine.events(self._newest):
                await self._add(event)
            failure = "the Docker engine has ended its stream of events"
        except SidePortError as error:
            failure = str(error)
        async with self._grown:
            self._failure = failure
            self._grown.notify_all()

    async def _add(self, event: Any) -> None:
        entries = [entry for entry in journal_entries(event) if await self._is_news(entry)]
        async with self._grown:
            for entry in entries:
                self._entries.append({"seq": len(self._entries) + 1, **entry})
            self._newest = max(self._newest, int(event.get("timeNano") or 0))
            self._grown.notify_all()

    async def _is_news(self, entry: dict[str, Any]) -> bool:
        """Whether it says something new: the engine tells of a volume's creation at every use of it."""
        name = entry["name"]
        if entry["kind"] != "volume":
            return True
        if entry["action"] == "deleted":
            self._volumes.discard(name)
        elif name in self._volumes:
            return False
        else:
            self._volumes.add(name)
            volume = await self._engine.ask("GET", f"/volumes/{name}")
            entry["object"]["labels"] = dict((volume or {}).get("Labels") or {})
        return True

    async def after(self, number: int | None) -> tuple[list[dict[str, Any]], int]:
        """Entries behind a number, and the newest number, once everything up to now has been read.

        Raises:
            SidePortError: the stream has ended, or lags behind the engine for too long.
        """
        newest = await self._newest_of_the_engine()
        with anyio.move_on_after(_LAG) as scope:
            async with self._grown:
                while self._newest < newest and not self._failure:
                    await self._grown.wait()
        if self._failure:
            raise SidePortError(self._failure)
        if scope.cancelled_caught:
            raise SidePortError(f"the Docker engine's events lag behind by more than {_LAG:g} s")
        return self._entries[number or 0 :], len(self._entries)

    async def _newest_of_the_engine(self) -> int:
        """When the last event happened that the engine has told, or is about to tell."""
        newest = self._newest
        until = max(newest, time.time_ns() + self._ahead)
        async for event in self._engine.events(newest, until):
            newest = max(newest, int(event.get("timeNano") or 0))
        return newest
