"""The journal of a cluster: complete up to the moment, in the order in which things happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

import anyio
import pytest

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.kubernetes import journal as module
from sandkit_conformance.probes.kubernetes.api import Api
from sandkit_conformance.probes.kubernetes.journal import Journal, Subject
from sandkit_conformance.probes.kubernetes.objects import PODS, SNAPSHOTS, pod_row, snapshot_row

from .cluster import TalkingApi, pod, snapshot

DIGEST = f"sha256:{'0' * 64}"
COMMITTED = {"containerName": "main", "imageUri": "r.test/box:one", "imageDigest": DIGEST}


@asynccontextmanager
async def following(api: TalkingApi) -> AsyncIterator[Journal]:
    subjects = (Subject(PODS, "pod", pod_row), Subject(SNAPSHOTS, "snapshot", snapshot_row))
    journal = Journal(cast("Api", api), subjects)
    async with anyio.create_task_group() as group:
        group.start_soon(journal.run)
        await journal.after(None)
        yield journal
        group.cancel_scope.cancel()


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["action"], one["name"]) for one in entries]


async def test_what_was_there_before_is_not_told_and_what_changes_is() -> None:
    api = TalkingApi()
    api.happen(PODS, "ADDED", pod("old", 1))
    async with following(api) as journal:
        await api.say(PODS, "ADDED", pod("box", 2))
        await api.say(PODS, "MODIFIED", pod("box", 3))
        await api.say(PODS, "DELETED", pod("box", 4))
        entries, last = await journal.after(None)
    assert told(entries) == [("pod", "created", "box"), ("pod", "updated", "box"), ("pod", "deleted", "box")]
    assert last == 4


async def test_changes_of_several_kinds_are_told_in_the_order_of_the_store() -> None:
    api = TalkingApi()
    async with following(api) as journal:
        _, mark = await journal.after(None)
        await api.say(SNAPSHOTS, "ADDED", snapshot("one", 2))
        await api.say(PODS, "DELETED", pod("box", 4))
        await api.say(SNAPSHOTS, "MODIFIED", snapshot("one", 3, phase="Succeed", containers=[COMMITTED]))
        entries, _ = await journal.after(mark)
    assert told(entries) == [
        ("snapshot", "created", "one"),
        ("image", "created", f"r.test/box:one@{DIGEST}"),
        ("snapshot", "updated", "one"),
        ("pod", "deleted", "box"),
    ]


async def test_an_answer_waits_for_what_the_watch_has_not_told_yet() -> None:
    api = TalkingApi()
    async with following(api) as journal, anyio.create_task_group() as group:
        api.happen(PODS, "ADDED", pod("box", 2))
        found: list[Any] = []
        answered = anyio.Event()

        async def ask() -> None:
            found.append(await journal.after(None))
            answered.set()

        group.start_soon(ask)
        await anyio.sleep(0.02)
        assert not found
        await api.watches["pods"].send(("ADDED", pod("box", 2)))
        with anyio.fail_after(5):
            await answered.wait()
    assert told(found[0][0]) == [("pod", "created", "box")]


async def test_a_watch_that_was_too_old_loses_no_change() -> None:
    api = TalkingApi()
    api.stale.add("pods")
    api.happen(PODS, "ADDED", pod("kept", 1))
    async with following(api) as journal:
        await api.say(PODS, "ADDED", pod("box", 2))
        entries, _ = await journal.after(None)
    assert told(entries) == [("pod", "created", "box")]


async def test_a_watch_that_does_not_keep_up_is_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.02)
    api = TalkingApi()
    async with following(api) as journal:
        api.happen(PODS, "ADDED", pod("box", 2))
        with pytest.raises(SidePortError, match="does not keep up"):
            await journal.after(None)
