"""Pools as the server writes them."""

from __future__ import annotations

from sandkit_server.kubernetes.calls import Verb
from sandkit_server.kubernetes.resources import POOLS
from sandkit_server.testing.backstage import AbstractCluster

from .world import pool_request, running


async def test_a_pool_can_be_deleted_while_it_is_being_filled(cluster: AbstractCluster) -> None:
    async with running(cluster) as server:
        await server.service.create_pool(pool_request("warm"))
        await server.service.delete_pool("warm")
    (deletion,) = [call for call in cluster.sent if (call.verb, call.resource) == (Verb.DELETE, POOLS)]
    assert deletion.uid is not None, "a later pool of the name is another one"
    assert deletion.resource_version is None, "the controller's counting is no use of the pool"
