from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import (
    Expired,
    Object,
    create,
    delete,
    list_all,
    merge,
)
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, ID_LABEL
from sandkit_server.testing.control_plane.plane import ControlPlane

from .objects import CONFIG_MAPS, config_map, sandbox

_PATIENCE = 60.0


@asynccontextmanager
async def following(cache: Cache) -> AsyncIterator[Cache]:
    task = asyncio.create_task(cache.run())
    try:
        async with asyncio.timeout(_PATIENCE):
            await cache.synced()
            yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_there(cache: Cache, name: str, data: str) -> None:
    while True:
        changed = cache.changed(name)
        obj = cache.get(name)
        if obj is not None and obj["data"] == {"x": data}:
            return
        await changed


async def until_gone(cache: Cache, name: str) -> None:
    while True:
        changed = cache.changed(name)
        if cache.get(name) is None:
            return
        await changed


async def test_it_holds_what_is_there_and_follows_what_happens(cluster: HttpCluster) -> None:
    await cluster.send(create(CONFIG_MAPS, config_map("a", {ID_LABEL: "one"}, x="1")))
    async with following(Cache(cluster, CONFIG_MAPS, indexed=[ID_LABEL])) as cache:
        held = cache.get("a")
        assert held is not None
        assert held["data"] == {"x": "1"}
        assert held["kind"] == "ConfigMap"
        assert "managedFields" not in held["metadata"]

        await cluster.send(merge(CONFIG_MAPS, "a", {"data": {"x": "2"}}))
        await until_there(cache, "a", "2")
        assert "managedFields" not in (cache.get("a") or {})["metadata"]
        await cluster.send(create(CONFIG_MAPS, config_map("b", {ID_LABEL: "two"}, x="1")))
        await until_there(cache, "b", "1")
        assert [item["metadata"]["name"] for item in cache.labelled(ID_LABEL, "two")] == ["b"]
        await cluster.send(delete(CONFIG_MAPS, "b"))
        await until_gone(cache, "b")
        assert cache.labelled(ID_LABEL, "two") == ()


async def test_it_knows_at_once_what_an_answer_told(cluster: HttpCluster) -> None:
    seen: list[tuple[str | None, str | None]] = []
    async with following(Cache(cluster, CONFIG_MAPS, {"test": "mine"})) as cache:
        cache.subscribe(lambda before, after: seen.append((_data(before), _data(after))))
        made = await cluster.send(create(CONFIG_MAPS, config_map("a", {"test": "mine"}, x="1")))
        cache.observe(made)
        assert _data(cache.get("a")) == "1"
        changed = await cluster.send(merge(CONFIG_MAPS, "a", {"data": {"x": "2"}}))
        cache.observe(changed)
        cache.observe(made)
        assert _data(cache.get("a")) == "2"
        await cluster.send(delete(CONFIG_MAPS, "a"))
        cache.forget("a", made["metadata"]["uid"])
        cache.observe(changed)
        assert cache.get("a") is None
        # The watch tells the same again; nobody hears it twice.
        await cluster.send(create(CONFIG_MAPS, config_map("end", {"test": "mine"}, x="3")))
        await until_there(cache, "end", "3")
    assert seen == [(None, "1"), ("1", "2"), ("2", None), (None, "3")]


async def test_an_object_that_leaves_the_selector_leaves_the_cache_and_may_come_back(
    cluster: HttpCluster,
) -> None:
    async with following(Cache(cluster, CONFIG_MAPS, {"test": "mine"})) as cache:
        await cluster.send(create(CONFIG_MAPS, config_map("a", {"test": "mine"}, x="1")))
        await until_there(cache, "a", "1")
        await cluster.send(merge(CONFIG_MAPS, "a", {"metadata": {"labels": {"test": None}}}))
        await until_gone(cache, "a")
        await cluster.send(merge(CONFIG_MAPS, "a", {"metadata": {"labels": {"test": "mine"}}}))
        await until_there(cache, "a", "1")


async def test_watches_that_end_lose_nothing(plane: ControlPlane, namespace: str) -> None:
    limits = Limits(watch=1.0)
    async with (
        HttpCluster(plane.connection(namespace), field_manager="sandkit-tests", limits=limits) as cluster,
        following(Cache(cluster, CONFIG_MAPS, {"test": "mine"})) as cache,
    ):
        number = 0
        while cluster.traffic["watch", "configmaps", 200] < 3:
            number += 1
            await cluster.send(create(CONFIG_MAPS, config_map(f"c{number}", {"test": "mine"}, x="1")))
            await asyncio.sleep(0.02)
        await until_there(cache, f"c{number}", "1")
        assert {item["metadata"]["name"] for item in cache} == {f"c{n + 1}" for n in range(number)}
        assert cluster.traffic["list", "configmaps", 200] == 1


async def test_an_old_version_has_expired_after_a_compaction(own_plane: ControlPlane) -> None:
    namespace = own_plane.administration.create_namespace()
    async with HttpCluster(own_plane.connection(namespace), field_manager="sandkit-tests") as cluster:
        old = (await cluster.send(list_all(BATCH_SANDBOXES)))["metadata"]["resourceVersion"]
        await cluster.send(create(BATCH_SANDBOXES, sandbox("s")))
        own_plane.compact()
        await asyncio.to_thread(own_plane.restart_api_server)
        with pytest.raises(Expired):
            async for _ in cluster.watch(BATCH_SANDBOXES, old):
                pass


async def test_a_restarted_api_server_that_forgot_the_past_is_listed_again(own_plane: ControlPlane) -> None:
    namespace = own_plane.administration.create_namespace()
    async with (
        HttpCluster(own_plane.connection(namespace), field_manager="sandkit-tests") as cluster,
        HttpCluster(own_plane.connection(namespace), field_manager="sandkit-tests") as other,
    ):
        for name in ("kept", "deleted"):
            await cluster.send(create(BATCH_SANDBOXES, sandbox(name)))
        asleep = asyncio.Event()
        awake = asyncio.Event()

        async def sleep(seconds: float) -> None:
            asleep.set()
            await awake.wait()
            await asyncio.sleep(seconds)

        async with following(Cache(cluster, BATCH_SANDBOXES, sleep=sleep)) as cache:
            await asyncio.to_thread(own_plane.stop_api_server)
            await asleep.wait()  # it noticed, and is kept from coming back until the past is gone
            assert cache.trouble is not None
            await asyncio.to_thread(own_plane.restart_api_server)
            await other.send(delete(BATCH_SANDBOXES, "deleted"))
            await other.send(create(BATCH_SANDBOXES, sandbox("new")))
            own_plane.compact()
            await asyncio.to_thread(own_plane.restart_api_server)
            awake.set()
            while cache.get("new") is None:
                await asyncio.wait_for(asyncio.shield(cache.changed("new")), _PATIENCE)
            assert {item["metadata"]["name"] for item in cache} == {"kept", "new"}
            assert cluster.traffic["list", "batchsandboxes.sandbox.opensandbox.io", 200] == 2


def _data(obj: Object | None) -> str | None:
    return None if obj is None else obj["data"]["x"]
