from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sandkit_server.core.port_errors import Forbidden, PortError, Unavailable
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Call, Expired, Object
from sandkit_server.kubernetes.resources import PODS, Resource
from sandkit_server.kubernetes.watch import Event

from .api_server import listed, obj


class Scripted:
    """A cluster whose lists and watches are written down; the last watch stays open."""

    namespace = "boxes"

    def __init__(self, lists: list[Any], watches: list[list[Any]]) -> None:
        self._lists = lists
        self._watches = watches
        self.watched_from: list[str] = []
        self.idle = asyncio.Event()
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        self.closed = 0

    async def send(self, call: Call) -> Object:
        answer = self._lists.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)

    async def watch(
        self, resource: Resource, version: str, labels: Mapping[str, str] | None = None
    ) -> AsyncGenerator[Event, None]:
        self.watched_from.append(version)
        try:
            if self._watches:
                for step in self._watches.pop(0):
                    if isinstance(step, Exception):
                        raise step
                    yield step
                return
            yield Event("BOOKMARK", {"metadata": {"resourceVersion": version}})
            self.idle.set()
            while True:
                yield await self.told.get()
        finally:
            self.closed += 1


class Naps:
    """Sleeps not at all, and writes down for how long."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)
        await asyncio.sleep(0)


@asynccontextmanager
async def following(cluster: Scripted, naps: Naps | None = None, **more: Any) -> AsyncIterator[Cache]:
    cache = Cache(cluster, PODS, sleep=naps or Naps(), **more)
    task = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(30):
            await cluster.idle.wait()
            yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def trouble(cache: Cache) -> PortError | None:
    return cache.trouble


def names(cache: Cache) -> set[str]:
    return {item["metadata"]["name"] for item in cache.items()}


async def test_a_watch_that_ends_is_continued_where_it_was() -> None:
    bookmark = Event("BOOKMARK", {"metadata": {"resourceVersion": "17"}})
    cluster = Scripted([listed(10, obj("a", 3))], [[Event("ADDED", obj("b", 12)), bookmark], []])
    async with following(cluster) as cache:
        assert names(cache) == {"a", "b"}
        assert cluster.watched_from == ["10", "17", "17"]
        assert cache.trouble is None
    assert cluster.closed == 3


async def test_a_version_that_has_expired_means_to_list_again() -> None:
    lists = [listed(10, obj("a", 3), obj("b", 4)), listed(50, obj("a", 30))]
    cluster = Scripted(lists, [[Event("MODIFIED", obj("a", 11)), Expired("too old")]])
    seen: list[Any] = []
    cache = Cache(cluster, PODS, sleep=Naps())
    cache.subscribe(lambda before, after: seen.append((before and before["metadata"]["name"], bool(after))))
    task = asyncio.create_task(cache.run())
    await cluster.idle.wait()
    assert names(cache) == {"a"}
    assert cluster.watched_from == ["10", "50"]
    assert seen == [(None, True), (None, True), ("a", True), ("b", False), ("a", True)]
    task.cancel()


async def test_failures_wait_longer_and_longer_and_news_end_that() -> None:
    broken = [Unavailable("cut")]
    lists = [Unavailable("down"), Unavailable("down"), Forbidden("list", "pods"), listed(10)]
    naps = Naps()
    cluster = Scripted(
        lists, [broken, broken, broken, broken, broken, [Event("ADDED", obj("a", 11)), *broken], broken]
    )
    async with following(cluster, naps):
        growing = naps.taken[:8]
        ceilings = [0.05 * 2**step for step in range(8)]
        assert all(ceiling / 2 <= nap <= ceiling for nap, ceiling in zip(growing, ceilings, strict=True))
        assert 0.025 <= naps.taken[8] <= 0.05
        assert cluster.watched_from == ["10"] * 6 + ["11"] * 2


async def test_watches_that_end_at_once_are_no_hot_loop() -> None:
    naps = Naps()
    async with following(Scripted([listed(10)], [[] for _ in range(12)]), naps):
        assert naps.taken[-1] > 5.0


async def test_a_long_wait_that_was_asked_for_is_kept() -> None:
    naps = Naps()
    async with following(Scripted([Unavailable("busy", retry_after=42.0), listed(1)], []), naps):
        assert naps.taken == [42.0]


async def test_what_is_wrong_is_said_until_it_is_right_again() -> None:
    cluster = Scripted([Forbidden("list", "pods"), listed(10)], [])
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        asleep.set()
        await awake.wait()

    cache = Cache(cluster, PODS, sleep=sleep)
    task = asyncio.create_task(cache.run())
    await asleep.wait()
    assert isinstance(trouble(cache), Forbidden)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(cache.synced(), 0.01)
    awake.set()
    await cluster.idle.wait()
    assert trouble(cache) is None
    task.cancel()


async def test_synced_means_that_the_list_is_there() -> None:
    cluster = Scripted([listed(10, obj("a", 3))], [])
    cache = Cache(cluster, PODS)
    task = asyncio.create_task(cache.run())
    await cache.synced()
    assert names(cache) == {"a"}
    task.cancel()


async def test_changed_counts_from_the_call() -> None:
    cluster = Scripted([listed(10)], [])
    async with following(cluster) as cache:
        changed = cache.changed("a")
        cache.observe(obj("a", 11))
        await changed
        later, other = cache.changed("a"), asyncio.ensure_future(cache.changed("b"))
        cluster.told.put_nowait(Event("DELETED", obj("a", 12)))
        await later
        assert cache.get("a") is None
        assert not other.done()
        other.cancel()


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    async with following(Scripted([listed(10)], [])) as cache:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(cache.changed("a"), 0.01)
        assert not cache._waiting


async def test_a_listener_that_fails_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []

    def fail(before: Object | None, after: Object | None) -> None:
        raise ValueError("listener")

    async with following(Scripted([listed(10)], [])) as cache:
        cache.subscribe(fail)
        end = cache.subscribe(lambda *_: heard.append("second"))
        cache.observe(obj("a", 11))
        end()
        end()
        cache.observe(obj("a", 12))
    assert heard == ["second"]
    assert "a listener failed" in caplog.text


async def test_an_answer_that_no_longer_matches_the_selector_removes_the_object() -> None:
    cluster = Scripted([listed(10, obj("a", 3, labels={"x": "y"}))], [])
    async with following(cluster, labels={"x": "y"}, indexed=["x"]) as cache:
        cache.observe(obj("b", 11))
        assert names(cache) == {"a"}
        cache.observe(obj("a", 12, labels={"x": "z"}))
        assert names(cache) == set()
        assert cache.labelled("x", "y") == ()
        cache.observe(obj("a", 13, labels={"x": "y"}))
        assert len(cache) == len(list(cache)) == len(cache.labelled("x", "y")) == 1


def test_errors_are_port_errors() -> None:
    assert issubclass(Expired, Unavailable)
    assert issubclass(Expired, PortError)
