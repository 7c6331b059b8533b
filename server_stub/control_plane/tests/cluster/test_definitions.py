"""The rules of our own kinds, as the API server enforces them."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.core.port_errors import Invalid
from sandkit_server.kubernetes.calls import create, merge, merge_status
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, POOLS, SNAPSHOTS

from .objects import sandbox


def snapshot(sandbox_name: str) -> dict[str, Any]:
    return {"metadata": {"name": "snap"}, "spec": {"sandboxName": sandbox_name}}


def pool(**capacity: int) -> dict[str, Any]:
    sizes = {"bufferMin": 1, "bufferMax": 2, "poolMin": 1, "poolMax": 3, **capacity}
    return {"metadata": {"name": "pool"}, "spec": {"template": {}, "capacitySpec": sizes}}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"template": None}, "give a template or a poolRef"),
        ({"pause": True, "replicas": 2}, "only a workload of exactly one replica can be paused"),
        ({"replicas": -1}, "should be greater than or equal to 0"),
        ({"expireTime": "tomorrow"}, "must be of type date-time"),
        ({"poolRef": ""}, "should be at least 1 chars long"),
    ],
)
async def test_a_sandbox_that_makes_no_sense_is_refused(
    cluster: HttpCluster, spec: dict[str, Any], message: str
) -> None:
    body = sandbox("s")
    body["spec"] = {key: value for key, value in {**body["spec"], **spec}.items() if value is not None}
    with pytest.raises(Invalid, match=message):
        await cluster.send(create(BATCH_SANDBOXES, body))


async def test_a_pool_can_be_left_but_not_joined(cluster: HttpCluster) -> None:
    await cluster.send(create(BATCH_SANDBOXES, sandbox("own")))
    with pytest.raises(Invalid, match="poolRef can be removed, but neither added nor changed"):
        await cluster.send(merge(BATCH_SANDBOXES, "own", {"spec": {"poolRef": "p"}}))
    await cluster.send(create(BATCH_SANDBOXES, sandbox("pooled", template=None, poolRef="p")))
    with pytest.raises(Invalid, match="poolRef can be removed, but neither added nor changed"):
        await cluster.send(merge(BATCH_SANDBOXES, "pooled", {"spec": {"poolRef": "q"}}))
    detach = {"spec": {"poolRef": None, "template": sandbox("x")["spec"]["template"]}}
    detached = await cluster.send(merge(BATCH_SANDBOXES, "pooled", detach))
    assert "poolRef" not in detached["spec"]


async def test_the_template_stays(cluster: HttpCluster) -> None:
    await cluster.send(create(BATCH_SANDBOXES, sandbox("s", poolRef="p")))
    with pytest.raises(Invalid, match="the template cannot be removed"):
        await cluster.send(merge(BATCH_SANDBOXES, "s", {"spec": {"template": None}}))


async def test_a_phase_is_one_of_the_known(cluster: HttpCluster) -> None:
    await cluster.send(create(BATCH_SANDBOXES, sandbox("s")))
    with pytest.raises(Invalid, match="Unsupported value"):
        await cluster.send(merge_status(BATCH_SANDBOXES, "s", {"phase": "Sleeping"}))


async def test_a_snapshot_is_of_one_sandbox_for_ever(cluster: HttpCluster) -> None:
    await cluster.send(create(SNAPSHOTS, snapshot("a")))
    with pytest.raises(Invalid, match="make another snapshot instead"):
        await cluster.send(merge(SNAPSHOTS, "snap", {"spec": {"sandboxName": "b"}}))
    with pytest.raises(Invalid, match="spec"):
        await cluster.send(create(SNAPSHOTS, {"metadata": {"name": "none"}}))


@pytest.mark.parametrize(
    ("capacity", "message"),
    [
        ({"bufferMin": 3}, "bufferMin must not be above bufferMax"),
        ({"poolMin": 4}, "poolMin must not be above poolMax"),
        ({"poolMax": -1}, "should be greater than or equal to 0"),
    ],
)
async def test_a_pool_of_an_impossible_size_is_refused(
    cluster: HttpCluster, capacity: dict[str, int], message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        await cluster.send(create(POOLS, pool(**capacity)))


async def test_a_possible_one_is_taken(cluster: HttpCluster) -> None:
    made = await cluster.send(create(POOLS, pool()))
    assert made["spec"]["capacitySpec"]["poolMax"] == 3
