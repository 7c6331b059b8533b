"""The journal: what came, changed and went in the cluster, also what was there only for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import anyio
from attrs import define, field, frozen

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.kubernetes.api import Api, Kind, Object, StaleWatchError
from sandkit_conformance.probes.kubernetes.objects import image_rows, metadata, version

Picture = Callable[[Object], dict[str, Any]]

_ACTIONS: Final = {"ADDED": "created", "MODIFIED": "updated", "DELETED": "deleted"}
_MOST_ENTRIES: Final = 50_000
_PATIENCE: Final = 10.0
_RETRY_SECONDS: Final = 0.2


@frozen
class Subject:
    """A kind of object the journal is about: its noun in the view's words, and how a row of it is made."""

    kind: Kind
    noun: str
    picture: Picture


@define
class _Followed:
    """What is known of one kind, as of `at`. `trouble` says why its watch does not work at the moment."""

    subject: Subject
    objects: dict[str, Object] = field(factory=dict)
    listed: bool = False
    at: int = 0
    trouble: str | None = None

    def behind(self, now: Mapping[str, Object], at: int) -> bool:
        """Whether something is missing of what a list at version `at` shows."""
        if not self.listed or self.at >= at:
            return not self.listed
        for name, obj in now.items():
            known = self.objects.get(name)
            if known is None or version(known) < version(obj):
                return True
        return any(version(obj) <= at for name, obj in self.objects.items() if name not in now)


@define
class Journal:
    """Follows several kinds by watches.

    Sequence numbers are the versions of the objects. The API server takes them from one store, so that they
    order the changes of all kinds, which the arrival of watch events does not.
    """

    api: Api
    subjects: tuple[Subject, ...]
    entries: list[dict[str, Any]] = field(factory=list)
    _followed: list[_Followed] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._followed = [_Followed(subject) for subject in self.subjects]

    async def run(self) -> None:
        """Follow everything until cancelled."""
        async with anyio.create_task_group() as group:
            for followed in self._followed:
                group.start_soon(self._follow, followed)

    async def after(self, seq: int | None) -> tuple[list[dict[str, Any]], int]:
        """The entries behind `seq`, complete up to this moment, and the number of this moment.

        Raises:
            SidePortError: a watch does not keep up, or does not work.
        """
        newest = 0
        for followed in self._followed:
            newest = max(newest, await self._caught_up(followed))
        wanted = [entry for entry in self.entries if seq is None or entry["seq"] > seq]
        return sorted(wanted, key=lambda entry: int(entry["seq"])), newest

    async def _caught_up(self, followed: _Followed) -> int:
        listed, at = await self.api.list(followed.subject.kind)
        now = {str(metadata(obj)["name"]): obj for obj in listed}
        deadline = time.monotonic() + _PATIENCE
        while followed.behind(now, at):
            if time.monotonic() > deadline:
                why = followed.trouble or "it is behind"
                raise SidePortError(f"the watch of {followed.subject.kind.plural} does not keep up: {why}")
            await anyio.sleep(0.005)
        return at

    async def _follow(self, followed: _Followed) -> None:
        while True:
            try:
                await self._list(followed)
                while True:
                    await self._watch(followed)
            except StaleWatchError:
                continue
            except SidePortError as error:
                followed.trouble = str(error)
                await anyio.sleep(_RETRY_SECONDS)

    async def _list(self, followed: _Followed) -> None:
        """Look at everything; what changed in a gap between watches is noted as one change each."""
        listed, at = await self.api.list(followed.subject.kind)
        before, followed.objects = followed.objects, {str(metadata(one)["name"]): one for one in listed}
        if followed.listed:
            for name, obj in followed.objects.items():
                if name not in before or version(before[name]) < version(obj):
                    self._note(followed, "updated" if name in before else "created", obj, before.get(name))
            for name in before.keys() - followed.objects.keys():
                self._note(followed, "deleted", before[name], before[name], at)
        followed.at, followed.listed, followed.trouble = at, True, None

    async def _watch(self, followed: _Followed) -> None:
        async for change, obj in self.api.watch(followed.subject.kind, followed.at):
            action = _ACTIONS.get(change)
            if action is not None:
                name = str(metadata(obj)["name"])
                before = followed.objects.pop(name, None)
                if action != "deleted":
                    followed.objects[name] = obj
                self._note(followed, action, obj, before)
            followed.at = version(obj)

    def _note(
        self, followed: _Followed, action: str, obj: Object, before: Object | None, seq: int | None = None
    ) -> None:
        noun, name = followed.subject.noun, str(metadata(obj)["name"])
        seq = seq if seq is not None else version(obj)
        if noun == "snapshot" and action != "deleted":
            # An image is there when the object that stands for it says so; the registry is not looked into.
            known = image_rows(before) if before else []
            for image in image_rows(obj):
                if image not in known:
                    self._append("image", "created", image["ref"], image, seq)
        row = followed.subject.picture(obj)
        # The whole of an object is in the view; in the journal it would be there once for every change.
        row.pop("told", None)
        self._append(noun, action, name, row, seq)

    def _append(self, noun: str, action: str, name: str, row: dict[str, Any], seq: int) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        entry = {"seq": seq, "at": at, "action": action, "kind": noun, "name": name, "object": row}
        self.entries.append(entry)
        del self.entries[:-_MOST_ENTRIES]
