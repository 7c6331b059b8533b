"""What a test can do with the fake: arm faults, cut watches, let controllers and nodes act."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from sandkit_server.core.port_errors import Exhausted, Forbidden, NotFound, Unavailable
from sandkit_server.kubernetes.cache import Cache
from sandkit_server.kubernetes.calls import Expired, Object, Verb, create, delete, get, list_all, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, JOBS, PODS
from sandkit_server.testing.cluster import FakeCluster
from sandkit_server.testing.cluster.node import end


def claim(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": {}}


def pod(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"containers": [{"name": "main", "image": "app"}], **spec}}


def job(name: str, **spec: object) -> Object:
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod(name)["spec"]}, **spec}}


@pytest.fixture
def cluster() -> FakeCluster:
    return FakeCluster()


@asynccontextmanager
async def following(cluster: FakeCluster) -> AsyncIterator[Cache]:
    cache = Cache(cluster, CLAIMS, sleep=lambda _: asyncio.sleep(0))
    task = asyncio.create_task(cache.run())
    await cache.synced()
    yield cache
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_cache_follows_it(cluster: FakeCluster) -> None:
    await cluster.send(create(CLAIMS, claim("early")))
    async with following(cluster) as cache:
        await cluster.send(create(CLAIMS, claim("late")))
        await turns()
        assert {each["metadata"]["name"] for each in cache} == {"early", "late"}
        cluster.break_watches()
        await cluster.send(delete(CLAIMS, "early"))
        cluster.settle()
        cluster.compact()
        await turns()
        assert [each["metadata"]["name"] for each in cache] == ["late"]


async def test_a_watch_from_before_the_history_is_refused(cluster: FakeCluster) -> None:
    await cluster.send(create(CLAIMS, claim("one")))
    cluster.compact()
    with pytest.raises(Expired):
        await anext(cluster.watch(CLAIMS, "0"))


async def test_a_fault_before_a_call_leaves_no_trace(cluster: FakeCluster) -> None:
    fault = cluster.refuse(Verb.CREATE, CLAIMS, lambda: Exhausted("quota", "exceeded quota"))
    with pytest.raises(Exhausted):
        await cluster.send(create(CLAIMS, claim("one")))
    assert cluster.find(CLAIMS, "one") is None
    await cluster.send(create(CLAIMS, claim("one")))
    assert fault.hits == 1


async def test_a_fault_after_a_call_hides_its_effect(cluster: FakeCluster) -> None:
    cluster.refuse(Verb.CREATE, CLAIMS, lambda: Unavailable("reset"), after=True, name="one")
    await cluster.send(create(CLAIMS, claim("other")))
    with pytest.raises(Unavailable):
        await cluster.send(create(CLAIMS, claim("one")))
    assert cluster.find(CLAIMS, "one") is not None


async def test_a_permission_can_be_missing_for_good(cluster: FakeCluster) -> None:
    cluster.refuse(Verb.LIST, CLAIMS, lambda: Forbidden("list", CLAIMS.full_name), left=None)
    for _ in range(3):
        with pytest.raises(Forbidden):
            await cluster.send(list_all(CLAIMS))
    cluster.faults.clear()
    assert (await cluster.send(list_all(CLAIMS)))["items"] == []


async def test_a_node_runs_pods_when_it_is_let(cluster: FakeCluster) -> None:
    await cluster.send(create(PODS, pod("one")))
    cluster.settle()
    assert (await cluster.send(get(PODS, "one")))["status"] == {"phase": "Pending"}
    cluster.play()
    status = (await cluster.send(get(PODS, "one")))["status"]
    assert status["phase"] == "Running"
    assert status["containerStatuses"][0]["ready"] is True
    await cluster.send(delete(PODS, "one"))
    assert cluster.find(PODS, "one") is not None
    cluster.settle()
    assert cluster.find(PODS, "one") is None


async def test_a_job_ends_as_its_pod_does(cluster: FakeCluster) -> None:
    await cluster.send(create(JOBS, job("work", backoffLimit=1)))
    cluster.play()
    cluster.act(end(next(cluster.all(PODS)), cluster.state.now, code=1, message="no"))
    cluster.play()
    first, second = cluster.all(PODS)
    assert (first["status"]["phase"], second["status"]["phase"]) == ("Failed", "Running")
    cluster.act(end(second, cluster.state.now, message='{"done": true}'))
    cluster.play()
    status = (await cluster.send(get(JOBS, "work")))["status"]
    assert [each["type"] for each in status["conditions"]] == ["Complete"]


@pytest.mark.parametrize(
    ("limit", "reason"),
    [({"activeDeadlineSeconds": 60}, "DeadlineExceeded"), ({"backoffLimit": 0}, "BackoffLimitExceeded")],
)
async def test_a_job_fails_when_it_may_not_go_on(
    cluster: FakeCluster, limit: dict[str, int], reason: str
) -> None:
    await cluster.send(create(JOBS, job("work", ttlSecondsAfterFinished=30, **limit)))
    cluster.play()
    if "backoffLimit" in limit:
        cluster.act(end(next(cluster.all(PODS)), cluster.state.now, code=137))
    cluster.advance(61)
    cluster.play()
    (condition,) = (await cluster.send(get(JOBS, "work")))["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("Failed", reason)
    cluster.advance(31)
    cluster.play()
    assert list(cluster.all(JOBS)) == list(cluster.all(PODS)) == []


async def test_everything_asked_is_kept(cluster: FakeCluster) -> None:
    with pytest.raises(NotFound):
        await cluster.send(merge(BATCH_SANDBOXES, "none", {"spec": {"pause": True}}))
    (sent,) = cluster.sent
    assert (sent.verb, sent.name) == (Verb.PATCH, "none")


async def test_logs_are_what_was_said(cluster: FakeCluster) -> None:
    await cluster.send(create(PODS, pod("one")))
    cluster.say("one", "a\nb\n")
    assert await cluster.read_log("one", lines=1) == "b\n"
    with pytest.raises(NotFound):
        await cluster.read_log("two")
