"""Any number of servers over one namespace: none undoes what another one is doing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import SandboxState
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import Forbidden
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Object, Verb
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import Server, claim_volume, eventually, running

BUSY = Policy(reconcile_interval=0.01)


@pytest.fixture
async def servers(cluster: AbstractCluster, backstage: Backstage) -> AsyncIterator[tuple[Server, Server]]:
    async with running(cluster, policy=BUSY) as one, running(cluster, policy=BUSY) as other:
        yield one, other


async def test_the_same_keyed_create_on_both_makes_one_sandbox(
    cluster: AbstractCluster, servers: tuple[Server, Server]
) -> None:
    attempts = [server.create(key="k", volumes=(claim_volume(),)) for server in servers * 3]
    answers = await asyncio.gather(*attempts)
    (only,) = {answer.id for answer in answers}
    assert [obj["metadata"]["name"] for obj in cluster.all(BATCH_SANDBOXES)] == [only]
    await servers[0].until(only, SandboxState.RUNNING)
    claim = cluster.find(CLAIMS, "data")
    assert claim is not None
    assert len(claim["metadata"]["ownerReferences"]) == 1


async def test_another_body_under_the_same_key_is_refused_on_both(servers: tuple[Server, Server]) -> None:
    one, other = servers
    await one.create(key="k")
    with pytest.raises(SandkitError) as refused:
        await other.create(key="k", metadata={"other": "body"})
    assert refused.value.code == "SANDBOX::IDEMPOTENCY_KEY_REUSED"


async def test_one_claim_name_asked_for_on_both_has_one_owner(
    cluster: AbstractCluster, servers: tuple[Server, Server]
) -> None:
    attempts = [server.create(volumes=(claim_volume(),)) for server in servers]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    (winner,) = (answer for answer in answers if not isinstance(answer, BaseException))
    (loser,) = (answer for answer in answers if isinstance(answer, SandkitError))
    assert loser.code == "VOLUME::PVC_MANAGED_BY_ANOTHER"
    claim = cluster.find(CLAIMS, "data")
    assert claim is not None
    assert claim["metadata"]["labels"]["opensandbox.io/id"] == winner.id


async def test_racing_pauses_on_both_have_one_winner(servers: tuple[Server, Server]) -> None:
    sandbox = await servers[0].create()
    for server in servers:
        await server.until(sandbox.id, SandboxState.RUNNING)
    attempts = [server.service.pause(sandbox.id) for server in servers * 4]
    answers = await asyncio.gather(*attempts, return_exceptions=True)
    assert sum(not isinstance(answer, BaseException) for answer in answers) == 1
    assert {answer.status for answer in answers if isinstance(answer, SandkitError)} == {409}


async def test_what_one_made_the_other_reads_at_once(servers: tuple[Server, Server]) -> None:
    one, other = servers
    for _ in range(20):
        sandbox = await one.create()
        assert (await other.service.get_sandbox(sandbox.id)).id == sandbox.id


async def test_metadata_patches_on_both_are_all_in_effect(servers: tuple[Server, Server]) -> None:
    sandbox = await servers[0].create()
    await servers[1].until(sandbox.id, SandboxState.RUNNING)
    patches = [
        server.service.patch_metadata(sandbox.id, {f"k{number}": "v"})
        for number, server in enumerate(servers * 2)
    ]
    await asyncio.gather(*patches)
    seen = await servers[0].service.get_sandbox(sandbox.id)
    assert sorted(seen.metadata) == ["k0", "k1", "k2", "k3"]


async def test_a_create_under_way_elsewhere_is_left_alone(
    cluster: AbstractCluster, servers: tuple[Server, Server]
) -> None:
    """Between claim and workload the other server's reconciler sees a managed claim of no sandbox."""
    held, go_on = asyncio.Event(), asyncio.Event()
    original = cluster.send

    async def send(call: calls.Call) -> Object:
        if (call.verb, call.resource) == (Verb.CREATE, BATCH_SANDBOXES):
            held.set()
            await go_on.wait()
        return await original(call)

    cluster.send = send  # type: ignore[method-assign]
    create = asyncio.create_task(servers[0].create(volumes=(claim_volume(),)))
    await held.wait()
    looks = sum(call.verb is Verb.LIST for call in cluster.sent)
    await eventually(lambda: sum(call.verb is Verb.LIST for call in cluster.sent) > looks + 10)
    claim = cluster.find(CLAIMS, "data")
    assert claim is not None
    assert "deletionTimestamp" not in claim["metadata"]
    go_on.set()
    sandbox = await create
    await servers[0].until(sandbox.id, SandboxState.RUNNING)
    assert cluster.find(CLAIMS, "data") is not None


async def test_a_workload_the_cache_has_not_seen_is_asked_for_before_its_claim_is_touched(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    """The other server's watch is silent, its grace over: the cache alone would call the claim an orphan."""
    policy = Policy(reconcile_interval=0.01, reconcile_grace=0)
    async with running(cluster) as one, running(cluster, policy=policy) as other:
        cluster.silence()
        sandbox = await one.create(volumes=(claim_volume(),))
        assert not any(each.sandbox.id == sandbox.id for each in await other.ports.workloads.list())
        await eventually(lambda: sum(call.verb is Verb.LIST for call in cluster.sent) > 20)
        claim = cluster.find(CLAIMS, "data")
        assert claim is not None
        assert "deletionTimestamp" not in claim["metadata"]


async def test_a_killed_servers_claim_is_reclaimed_by_another_after_its_grace(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    labels = {"opensandbox.io/volume-managed-by": "server", "opensandbox.io/id": "sbx-lost"}
    cluster.act(calls.create(CLAIMS, {"metadata": {"name": "data", "labels": labels}, "spec": {}}))
    patient = Policy(reconcile_interval=0.01, reconcile_grace=timedelta(hours=1).total_seconds())
    async with running(cluster, policy=patient):
        looks = len(cluster.sent)
        await eventually(lambda: len(cluster.sent) > looks + 10)
        assert cluster.find(CLAIMS, "data") is not None
    async with running(cluster, policy=Policy(reconcile_interval=0.01, reconcile_grace=0)):
        await eventually(lambda: cluster.find(CLAIMS, "data") is None)


async def test_a_sandbox_a_dead_server_left_pending_is_given_up_also_where_claims_may_not_be_listed(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    backstage.holding = True
    async with running(cluster) as doomed:
        sandbox = await doomed.create()
        await doomed.runtime.kill()
    cluster.refuse(Verb.LIST, CLAIMS, lambda: Forbidden("list", "persistentvolumeclaims"), left=None)
    async with running(cluster, policy=Policy(ready_timeout=0.1, reconcile_interval=0.01)) as heir:
        failed = await heir.until(sandbox.id, SandboxState.FAILED)
        assert failed.status.reason == "ReadyTimeout"


async def test_a_kill_between_workload_and_owner_is_mended_by_another(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    held = asyncio.Event()
    original = cluster.send

    async def send(call: calls.Call) -> Object:
        if (call.verb, call.resource) == (Verb.PATCH, CLAIMS):
            held.set()
            await asyncio.Event().wait()
        return await original(call)

    async with running(cluster, policy=BUSY) as doomed:
        cluster.send = send  # type: ignore[method-assign]
        create = asyncio.create_task(doomed.create(volumes=(claim_volume(),)))
        await held.wait()
        await doomed.runtime.kill()
        await asyncio.gather(create, return_exceptions=True)
    cluster.send = original  # type: ignore[method-assign]
    claim = cluster.find(CLAIMS, "data")
    assert claim is not None
    assert "ownerReferences" not in claim["metadata"]
    async with running(cluster, policy=BUSY):
        await eventually(lambda: "ownerReferences" in next(cluster.all(CLAIMS))["metadata"])
