"""How calls fare when something goes wrong on the way; `cluster` shows what really happened."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from sandkit_server.core.port_errors import NotFound, Unavailable, VersionConflict
from sandkit_server.kubernetes.calls import Call, Expired, create, delete, get, list_all, merge
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES
from sandkit_server.testing.control_plane import chart
from sandkit_server.testing.control_plane.fault_proxy import FaultProxy
from sandkit_server.testing.control_plane.faults import (
    BUSY,
    CONFLICT,
    DOWN,
    GONE,
    LOST,
    Delay,
    Fault,
    Gate,
    Match,
    Refuse,
    Reset,
)
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

from .objects import CONFIG_MAPS, config_map


async def exists(cluster: HttpCluster, name: str) -> bool:
    try:
        await cluster.send(get(CONFIG_MAPS, name))
    except NotFound:
        return False
    return True


async def test_without_a_fault_the_proxy_changes_nothing(through: HttpCluster, proxy: FaultProxy) -> None:
    made = await through.send(create(CONFIG_MAPS, config_map("a", x="1")))
    assert await through.send(get(CONFIG_MAPS, "a")) == made
    assert len((await through.send(list_all(CONFIG_MAPS)))["items"]) >= 1
    await through.send(merge(CONFIG_MAPS, "a", {"data": {"x": "2"}}))
    await through.send(delete(CONFIG_MAPS, "a"))
    assert not await exists(through, "a")
    assert [(request.client, request.verb, request.name) for request in proxy.requests] == [
        ("through", "create", ""),
        ("through", "get", "a"),
        ("through", "list", ""),
        ("through", "patch", "a"),
        ("through", "delete", "a"),
        ("through", "get", "a"),
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [(CONFLICT, VersionConflict), (GONE, Expired), (BUSY, Unavailable), (DOWN, Unavailable)],
    ids=["409", "410", "429", "503"],
)
async def test_a_refused_write_did_not_happen_and_is_not_repeated(
    through: HttpCluster,
    cluster: HttpCluster,
    proxy: FaultProxy,
    fault: Refuse,
    error: type[Exception],
) -> None:
    proxy.inject(fault, Match(verbs=frozenset({"create"})))
    with pytest.raises(error) as caught:
        await through.send(create(CONFIG_MAPS, config_map("a")))
    assert type(caught.value) is error
    assert len(proxy.requests) == 1
    assert not await exists(cluster, "a")


async def test_the_wait_the_api_server_asks_for_reaches_the_caller(
    through: HttpCluster, proxy: FaultProxy
) -> None:
    proxy.inject(BUSY)
    with pytest.raises(Unavailable) as caught:
        await through.send(create(CONFIG_MAPS, config_map("a")))
    assert caught.value.retry_after == 1.0


@pytest.mark.parametrize(
    "fault",
    [LOST, Refuse(status=500, reached=True), Refuse(status=504, reason="Timeout", reached=True)],
    ids=["reset", "500", "504"],
)
@pytest.mark.parametrize("verb", ["create", "patch", "delete"])
async def test_a_write_whose_answer_was_lost_is_unknown_and_happened_once(
    through: HttpCluster, cluster: HttpCluster, proxy: FaultProxy, fault: Fault, verb: str
) -> None:
    if verb != "create":
        await cluster.send(create(CONFIG_MAPS, config_map("a", x="1")))
    calls: dict[str, Call] = {
        "create": create(CONFIG_MAPS, config_map("a", x="2")),
        "patch": merge(CONFIG_MAPS, "a", {"data": {"x": "2"}}),
        "delete": delete(CONFIG_MAPS, "a"),
    }
    injection = proxy.inject(fault)
    with pytest.raises(Unavailable):
        await through.send(calls[verb])
    assert [request.verb for request in injection.hits] == [verb]
    assert len(proxy.requests) == 1
    assert await exists(cluster, "a") is (verb != "delete")
    if verb != "delete":
        assert (await cluster.send(get(CONFIG_MAPS, "a")))["data"] == {"x": "2"}


async def test_a_write_whose_connection_broke_on_the_way_is_unknown_and_did_not_happen(
    through: HttpCluster, cluster: HttpCluster, proxy: FaultProxy
) -> None:
    proxy.inject(Reset())
    with pytest.raises(Unavailable):
        await through.send(create(CONFIG_MAPS, config_map("a")))
    assert not await exists(cluster, "a")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("fault", [Reset(), LOST], ids=["before", "after"])
async def test_a_read_is_repeated_once_over_a_new_connection(
    through: HttpCluster, cluster: HttpCluster, proxy: FaultProxy, fault: Fault
) -> None:
    await cluster.send(create(CONFIG_MAPS, config_map("a")))
    proxy.inject(fault)
    assert (await through.send(list_all(CONFIG_MAPS)))["items"]
    proxy.inject(fault, times=2)
    with pytest.raises(Unavailable):
        await through.send(list_all(CONFIG_MAPS))
    assert len(proxy.requests) == 4


async def test_a_slow_answer_is_waited_for_up_to_the_limit(
    proxy: FaultProxy, plane: ControlPlane, namespace: str
) -> None:
    connection = proxy.address.connection(plane.admin, namespace)
    async with HttpCluster(connection, field_manager="t", limits=Limits(answer=0.5)) as cluster:
        proxy.inject(Delay(seconds=0.05))
        await cluster.send(list_all(CONFIG_MAPS))
        proxy.inject(Gate())
        with pytest.raises(Unavailable, match="did not answer in time"):
            await cluster.send(list_all(CONFIG_MAPS))
        # The connection it waited on is not used again.
        await cluster.send(list_all(CONFIG_MAPS))


async def test_only_the_requests_that_match_are_struck(
    through: HttpCluster, cluster: HttpCluster, proxy: FaultProxy
) -> None:
    proxy.inject(DOWN, Match(client="somebody-else"))
    injection = proxy.inject(DOWN, Match(verbs=frozenset({"create"}), resource="configmaps"), skipped=1)
    await through.send(create(CONFIG_MAPS, config_map("first")))
    with pytest.raises(Unavailable):
        await through.send(create(CONFIG_MAPS, config_map("second")))
    await through.send(create(CONFIG_MAPS, config_map("third")))
    assert injection.spent
    proxy.clear()


@pytest.mark.parametrize("reached", [False, True])
async def test_a_client_that_ends_at_a_gate_has_written_or_not(
    through: HttpCluster, cluster: HttpCluster, proxy: FaultProxy, reached: bool
) -> None:
    gate = Gate(reached=reached)
    proxy.inject(gate)
    writing = asyncio.create_task(through.send(create(CONFIG_MAPS, config_map("a"))))
    await gate.kept.wait()
    writing.cancel()
    await gate.abandoned.wait()
    gate.opened.set()
    assert await exists(cluster, "a") is reached


async def test_a_gate_that_opens_lets_the_request_through(through: HttpCluster, proxy: FaultProxy) -> None:
    injection = proxy.inject(Gate())
    writing = asyncio.create_task(through.send(create(CONFIG_MAPS, config_map("a"))))
    await injection.struck()
    assert not writing.done()
    proxy.clear()
    assert (await writing)["metadata"]["name"] == "a"


async def test_an_api_server_that_is_not_there_is_unavailable(own_plane: ControlPlane) -> None:
    async with FaultProxy(own_plane.address) as proxy:
        connection = proxy.address.connection(own_plane.admin, "default")
        async with HttpCluster(connection, field_manager="t") as cluster:
            await cluster.send(list_all(CONFIG_MAPS))
            await asyncio.to_thread(own_plane.stop_api_server)
            for call in (list_all(CONFIG_MAPS), create(CONFIG_MAPS, config_map("a"))):
                with pytest.raises(Unavailable):
                    await cluster.send(call)
            await asyncio.to_thread(own_plane.restart_api_server)
            assert (await cluster.send(list_all(CONFIG_MAPS)))["items"]


async def test_what_an_api_server_forbids_while_it_starts_counts_as_no_answer(
    own_plane: ControlPlane, programs: Programs
) -> None:
    namespace = own_plane.administration.create_namespace()
    account = chart.grant(own_plane.administration, programs, namespace)["server"]
    async with HttpCluster(
        own_plane.connection(namespace, account), field_manager="sandkit-tests"
    ) as cluster:
        await cluster.send(list_all(BATCH_SANDBOXES))
        restarting = asyncio.ensure_future(asyncio.to_thread(own_plane.restart_api_server))
        while not restarting.done():
            with suppress(Unavailable):
                await cluster.send(list_all(BATCH_SANDBOXES))
            await asyncio.sleep(0.005)
        await restarting
