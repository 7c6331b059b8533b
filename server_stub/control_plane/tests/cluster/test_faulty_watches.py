"""How a cache fares when its lists and watches go wrong; `cluster` writes past the proxy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import create, delete, merge
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits
from sandkit_server.testing.control_plane.fault_proxy import FaultProxy
from sandkit_server.testing.control_plane.faults import BUSY, DOWN, GONE, Delay, Fault, Match, Reset
from sandkit_server.testing.control_plane.plane import ControlPlane

from .objects import CONFIG_MAPS, config_map

MINE = {"test": "mine"}
WATCHES = Match(verbs=frozenset({"watch"}))
LISTS = Match(verbs=frozenset({"list"}))


@pytest.fixture
async def cache(through: HttpCluster) -> AsyncIterator[Cache]:
    """Follows the config maps that carry the label of the test, through the proxy."""
    followed = Cache(through, CONFIG_MAPS, MINE)
    task = asyncio.create_task(followed.run())
    async with asyncio.timeout(60):
        await followed.synced()
        yield followed
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(cache: Cache, name: str, data: str | None) -> None:
    """Wait until the cache holds ``data`` for the object, or no object."""
    while True:
        changed = cache.changed(name)
        obj = cache.get(name)
        if (None if obj is None else obj["data"]["x"]) == data:
            return
        await changed


async def write(cluster: HttpCluster, name: str, data: str) -> None:
    await cluster.send(create(CONFIG_MAPS, config_map(name, MINE, x=data)))


def verbs(proxy: FaultProxy) -> list[str]:
    return [request.verb for request in proxy.requests]


async def test_what_happens_while_a_watch_is_cut_is_not_lost(
    cache: Cache, cluster: HttpCluster, proxy: FaultProxy
) -> None:
    for number in range(5):
        await write(cluster, f"c{number}", "1")
        await until(cache, f"c{number}", "1")
        await cluster.send(merge(CONFIG_MAPS, f"c{number}", {"data": {"x": "2"}}))
        proxy.cut_watches()
        await cluster.send(merge(CONFIG_MAPS, f"c{number}", {"data": {"x": "3"}}))
        await until(cache, f"c{number}", "3")
    assert verbs(proxy).count("list") == 1
    assert verbs(proxy).count("watch") >= 6


@pytest.mark.parametrize("fault", [BUSY, DOWN, GONE, Reset()], ids=["429", "503", "410 Gone", "reset"])
async def test_a_watch_that_cannot_begin_begins_later(
    cache: Cache, cluster: HttpCluster, proxy: FaultProxy, fault: Fault
) -> None:
    await write(cluster, "old", "1")
    await until(cache, "old", "1")
    injection = proxy.inject(fault, WATCHES, times=2)
    proxy.cut_watches()
    await injection.struck()
    await cluster.send(delete(CONFIG_MAPS, "old"))
    await write(cluster, "new", "1")
    await until(cache, "new", "1")
    await until(cache, "old", None)
    assert injection.spent or fault == GONE
    assert (verbs(proxy).count("list") > 1) is (fault == GONE)


async def test_a_list_that_fails_is_tried_again_and_the_old_content_stays_meanwhile(
    cache: Cache, cluster: HttpCluster, proxy: FaultProxy
) -> None:
    await write(cluster, "kept", "1")
    await until(cache, "kept", "1")
    proxy.inject(GONE, WATCHES)
    failing = proxy.inject(DOWN, LISTS, times=2)
    proxy.cut_watches()
    await failing.struck()
    assert cache.get("kept") is not None
    assert cache.trouble is not None
    await write(cluster, "new", "1")
    await until(cache, "new", "1")
    await cluster.send(merge(CONFIG_MAPS, "new", {"data": {"x": "2"}}))
    await until(cache, "new", "2")
    assert failing.spent
    assert cache.trouble is None


async def test_a_stale_watch_shows_the_past_but_never_overrides_what_an_answer_told(
    cache: Cache, cluster: HttpCluster, proxy: FaultProxy
) -> None:
    await write(cluster, "a", "1")
    await until(cache, "a", "1")
    with proxy.stale_watches():
        await cluster.send(merge(CONFIG_MAPS, "a", {"data": {"x": "2"}}))
        await write(cluster, "b", "1")
        third = await cluster.send(merge(CONFIG_MAPS, "a", {"data": {"x": "3"}}))
        held = cache.get("a")
        assert held is not None
        assert held["data"]["x"] == "1"
        assert cache.get("b") is None
        cache.observe(third)
        seen: list[str | None] = []
        cache.subscribe(lambda _, after: seen.append(after["data"]["x"] if after else None))
        await cluster.send(delete(CONFIG_MAPS, "a"))
        cache.forget("a", third["metadata"]["uid"])
    await until(cache, "b", "1")
    await write(cluster, "end", "9")
    await until(cache, "end", "9")
    assert seen == [None, "1", "9"]
    assert cache.get("a") is None


async def test_a_watch_that_fell_silent_is_replaced(
    proxy: FaultProxy, plane: ControlPlane, namespace: str, cluster: HttpCluster
) -> None:
    connection = proxy.address.connection(plane.admin, namespace)
    limits = Limits(silence=0.5)
    async with HttpCluster(connection, field_manager="impatient", limits=limits) as impatient:
        cache = Cache(impatient, CONFIG_MAPS, MINE)
        task = asyncio.create_task(cache.run())
        async with asyncio.timeout(60):
            await cache.synced()
            with proxy.stale_watches():
                await write(cluster, "a", "1")
                await proxy.inject(Delay(seconds=0), WATCHES, skipped=1).struck()
            await until(cache, "a", "1")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert verbs(proxy).count("list") == 1
