"""Sandboxes of the agent-sandbox kind, with a stand-in for that project's controller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import EndpointQuery, SandboxState, SandboxStatus
from sandkit_server.core.policy import Policy
from sandkit_server.kubernetes import calls, standing
from sandkit_server.kubernetes.calls import Object
from sandkit_server.kubernetes.resources import CLAIMS, PODS
from sandkit_server.runtimes.kubernetes import PodSettings
from sandkit_server.runtimes.kubernetes.providers.agent_sandbox import VERSIONS, AgentSandboxes
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import CALLER, PATIENCE, Server, claim_volume, eventually, pool_request, running

BETA, ALPHA = VERSIONS


@pytest.fixture(params=["v1beta1", "v1alpha1"])
def version(request: pytest.FixtureRequest) -> str:
    served: str = request.param
    return served


@pytest.fixture
async def server(cluster: AbstractCluster, backstage: Backstage, version: str) -> AsyncIterator[Server]:
    cluster.served = frozenset({version})
    async with running(cluster, workload_provider="agent-sandbox") as started:
        yield started


def _object(cluster: AbstractCluster, name: str, version: str) -> Object:
    found = cluster.find(BETA if version == "v1beta1" else ALPHA, name)
    assert found is not None
    return found


async def test_it_runs_and_is_deleted_at_its_expiry(
    server: Server, cluster: AbstractCluster, version: str
) -> None:
    sandbox = await server.create(timeout_seconds=600, volumes=(claim_volume(),))
    running_ = await server.until(sandbox.id, SandboxState.RUNNING)
    obj = _object(cluster, sandbox.id, version)
    assert obj["spec"]["shutdownPolicy"] == "Delete"
    assert running_.expires_at == sandbox.expires_at == standing.instant(obj["spec"]["shutdownTime"])
    assert running_.status.last_transition_at > sandbox.status.last_transition_at
    claim = cluster.find(CLAIMS, "data")
    assert claim is not None
    (owner,) = claim["metadata"]["ownerReferences"]
    assert (owner["apiVersion"], owner["kind"]) == (f"agents.x-k8s.io/{version}", "Sandbox")


async def test_a_pause_is_cold_and_the_claim_survives_it(
    server: Server, cluster: AbstractCluster, version: str
) -> None:
    sandbox = await server.create(volumes=(claim_volume(),))
    seen = [sandbox.status, (await server.until(sandbox.id, SandboxState.RUNNING)).status]
    claim = cluster.find(CLAIMS, "data")
    seen.append((await server.service.pause(sandbox.id)).status)
    seen.append((await server.until(sandbox.id, SandboxState.PAUSED)).status)
    assert cluster.find(PODS, sandbox.id) is None
    assert server.service.capabilities.pause == "cold"
    seen.append((await server.service.resume(sandbox.id)).status)
    seen.append((await server.until(sandbox.id, SandboxState.RUNNING)).status)
    assert [status.state for status in seen] == [
        "Pending", "Running", "Pausing", "Paused", "Resuming", "Running",
    ]  # fmt: skip
    instants = [status.last_transition_at for status in seen]
    assert all(earlier < later for earlier, later in pairwise(instants))
    after = cluster.find(CLAIMS, "data")
    assert claim is not None
    assert after is not None
    assert after["metadata"]["uid"] == claim["metadata"]["uid"]


async def test_one_that_is_not_ready_for_a_moment_still_runs(
    server: Server, cluster: AbstractCluster, backstage: Backstage, version: str
) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    await eventually(
        lambda: (
            "sandbox.opensandbox.io/ready-at"
            in _object(cluster, sandbox.id, version)["metadata"]["annotations"]
        )
    )
    noted = (await server.service.get_sandbox(sandbox.id)).status.last_transition_at
    await backstage.stop()
    _say(cluster, sandbox.id, version, "False", "ContainersNotReady")
    flapping = await _until_reason(server, sandbox.id, "ContainersNotReady")
    assert (flapping.state, flapping.last_transition_at) == ("Running", noted)


async def _until_reason(server: Server, sandbox_id: str, reason: str) -> SandboxStatus:
    async with asyncio.timeout(PATIENCE):
        while True:
            status: SandboxStatus = (await server.service.get_sandbox(sandbox_id)).status
            if status.reason == reason:
                return status
            await asyncio.sleep(0.002)


def _say(cluster: AbstractCluster, name: str, version: str, truth: str, reason: str) -> None:
    resource = BETA if version == "v1beta1" else ALPHA
    at = standing.rfc3339(datetime.now(UTC))
    ready = {"type": "Ready", "status": truth, "reason": reason, "message": "", "lastTransitionTime": at}
    cluster.act(calls.merge_status(resource, name, {"conditions": [ready]}))


async def test_a_renewal_moves_the_shutdown(server: Server, cluster: AbstractCluster, version: str) -> None:
    sandbox = await server.create(timeout_seconds=600)
    await server.until(sandbox.id, SandboxState.RUNNING)
    later = datetime.now(UTC) + timedelta(hours=2)
    assert await server.service.renew(sandbox.id, later) == later
    assert standing.instant(_object(cluster, sandbox.id, version)["spec"]["shutdownTime"]) == later


async def test_one_that_never_gets_ready_holds_nothing(
    cluster: AbstractCluster, backstage: Backstage, version: str
) -> None:
    cluster.served = frozenset({version})
    backstage.holding = True
    policy = Policy(ready_timeout=0.3)
    async with running(cluster, policy=policy, workload_provider="agent-sandbox") as server:
        sandbox = await server.create(volumes=(claim_volume(),))
        failed = await server.until(sandbox.id, SandboxState.FAILED)
        assert failed.status.reason == "ReadyTimeout"
        await eventually(lambda: not [*cluster.all(CLAIMS), *cluster.all(PODS)])
        with pytest.raises(SandkitError):
            await server.service.resume(sandbox.id)


async def test_what_it_cannot_do_is_told(server: Server) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    codes = []
    for attempt in (
        server.service.create_snapshot(sandbox.id, None, CALLER),
        server.service.create_pool(pool_request()),
        server.service.list_pools(),
        server.service.get_pool("warm"),
        server.service.delete_pool("warm"),
        server.create(extensions={"poolRef": "warm"}),
    ):
        with pytest.raises(SandkitError) as refused:
            await attempt
        codes.append((refused.value.status, refused.value.code.partition("::")[0]))
    assert codes == [(501, "SNAPSHOT"), *[(501, "POOL")] * 5]


async def test_sandboxes_of_others_are_not_ours(
    server: Server, cluster: AbstractCluster, version: str
) -> None:
    resource = BETA if version == "v1beta1" else ALPHA
    body = {
        "metadata": {"name": "theirs"},
        "spec": {"podTemplate": {"spec": {"containers": [{"name": "x", "image": "a:1"}]}}},
    }
    cluster.act(calls.create(resource, body))
    with pytest.raises(SandkitError) as refused:
        await server.service.get_sandbox("theirs")
    assert refused.value.status == 404
    with pytest.raises(SandkitError):
        await server.service.delete_sandbox("theirs")
    assert cluster.find(resource, "theirs") is not None
    assert list(await server.ports.workloads.list()) == []


async def test_the_endpoint_is_the_pods(server: Server) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    assert (await server.service.endpoint(sandbox.id, EndpointQuery(port=80))).endpoint == "10.0.0.1:80"


def test_a_note_nobody_can_read_is_passed_over() -> None:
    kind = AgentSandboxes(PodSettings())
    obj = {
        "apiVersion": "agents.x-k8s.io/v1beta1",
        "kind": "Sandbox",
        "metadata": {
            "name": "x",
            "uid": "1",
            "resourceVersion": "1",
            "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {
                "sandbox.opensandbox.io/abandoned": "{",
                "sandbox.opensandbox.io/ready-at": "yesterday",
            },
        },
        "spec": {"podTemplate": {}},
    }
    assert kind.workload(obj).sandbox.status.state is SandboxState.FAILED
