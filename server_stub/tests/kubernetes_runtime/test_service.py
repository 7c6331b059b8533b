"""The whole service over the runtime: refusals, readiness, pools, snapshots, and reaching a sandbox."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import (
    CreatePool,
    EndpointQuery,
    NetworkPolicy,
    OssfsSource,
    SandboxState,
    SnapshotState,
    Volume,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import (
    NotFound,
    VersionConflict,
)
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Verb
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, EVENTS, PODS, SNAPSHOTS
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import CALLER, Server, claim_volume, eventually, pool_request, running


@pytest.fixture
async def server(cluster: AbstractCluster, backstage: Backstage) -> AsyncIterator[Server]:
    async with running(cluster) as started:
        yield started


# --- before anything is made ---


async def test_what_cannot_be_enforced_is_refused_before_any_effect(
    server: Server, cluster: AbstractCluster
) -> None:
    before = len(cluster.sent)
    with pytest.raises(SandkitError) as refused:
        await server.create(
            network_policy=NetworkPolicy(default_action="deny"), volumes=(claim_volume(delete=False),)
        )
    assert (refused.value.status, refused.value.code) == (400, "SANDBOX::WORKLOAD_REJECTED")
    assert "networkPolicy" in refused.value.message
    assert len(cluster.sent) == before


async def test_ossfs_is_refused_by_its_field(server: Server) -> None:
    source = OssfsSource(
        bucket="bucket", endpoint="oss.example.test", access_key_id="a", access_key_secret="b"
    )
    bucket = Volume(name="b", mount_path="/b", ossfs=source)
    with pytest.raises(SandkitError) as refused:
        await server.create(volumes=(bucket,))
    assert "VOLUME::UNSUPPORTED_BACKEND" in {fault.code for fault in refused.value.details}


# --- getting ready ---


async def test_readiness_is_seen_when_the_cluster_tells(
    server: Server, cluster: AbstractCluster, backstage: Backstage
) -> None:
    backstage.holding = True
    sandbox = await server.create()
    seen = await server.until(sandbox.id, SandboxState.PENDING)
    backstage.holding = False
    backstage.look()
    running = await server.until(sandbox.id, SandboxState.RUNNING)
    assert running.status.last_transition_at > seen.status.last_transition_at


async def test_one_that_never_gets_ready_is_given_up_with_the_clusters_reason(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    backstage.holding = True
    async with running(cluster, policy=Policy(ready_timeout=0.3)) as server:
        sandbox = await server.create(volumes=(claim_volume(),))
        failed = await server.until(sandbox.id, SandboxState.FAILED)
        assert failed.status.reason == "ReadyTimeout"
        assert "Unschedulable: no node has room" in (failed.status.message or "")
        obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
        assert obj is not None
        assert obj["spec"]["replicas"] == 0
        await eventually(lambda: not list(cluster.all(CLAIMS)))
        await server.service.delete_sandbox(sandbox.id)
        await eventually(lambda: cluster.find(BATCH_SANDBOXES, sandbox.id) is None)


async def test_with_wait_ready_a_create_answers_running_or_leaves_nothing(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    async with running(cluster, policy=Policy(ready_timeout=2.0, wait_ready=True)) as server:
        assert (await server.create()).status.state is SandboxState.RUNNING
        backstage.holding = True
        with pytest.raises(SandkitError) as refused:
            await server.create(volumes=(claim_volume(),))
        assert (refused.value.status, refused.value.retry_after) == (503, 1.0)
        await eventually(lambda: not list(cluster.all(CLAIMS)))
        assert len(list(cluster.all(BATCH_SANDBOXES))) == 1


# --- pools ---


async def test_a_pool_gives_until_it_has_nothing_left(server: Server, cluster: AbstractCluster) -> None:
    await server.service.create_pool(pool_request(pool_max=1))
    sandbox = await server.create(extensions={"poolRef": "warm"})
    assert (sandbox.entrypoint, sandbox.image_uri) == (("sleep", "3600"), None)
    obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
    assert obj is not None
    assert (obj["spec"].get("poolRef"), obj["spec"].get("template")) == ("warm", None)
    with pytest.raises(SandkitError) as refused:
        await server.create(extensions={"poolRef": "warm"})
    assert (refused.value.status, refused.value.retry_after) == (429, 1.0)
    assert len(list(cluster.all(BATCH_SANDBOXES))) == 1
    with pytest.raises(SandkitError) as kept:
        await server.service.delete_pool("warm")
    assert kept.value.code == "POOL::POOL_IN_USE"


async def test_an_unknown_pool_is_not_found(server: Server) -> None:
    with pytest.raises(SandkitError) as refused:
        await server.create(extensions={"poolRef": "cold"})
    assert refused.value.code == "POOL::POOL_NOT_FOUND"


async def test_a_pool_of_several_containers_names_them(server: Server, cluster: AbstractCluster) -> None:
    pool: CreatePool = pool_request()
    plain = replace(pool.template.containers[0], name=None)
    template = replace(pool.template, containers=(plain, plain), labels={"tier": "warm"})
    made = await server.service.create_pool(replace(pool, template=template))
    assert [container.name for container in made.template.containers] == ["sandbox", "container-1"]
    assert made.template.labels == {"tier": "warm"}


# --- snapshots ---


async def test_a_sandbox_starts_from_the_digest_of_a_snapshot(
    server: Server, cluster: AbstractCluster
) -> None:
    source = await server.create()
    await server.until(source.id, SandboxState.RUNNING)
    begun = await server.service.create_snapshot(source.id, "before", CALLER)
    assert begun.status.state is SnapshotState.CREATING
    with pytest.raises(SandkitError) as early:
        await server.create(image=None, entrypoint=None, snapshot_id=begun.id)
    assert early.value.code == "SNAPSHOT::NOT_READY"
    await eventually(lambda: bool((cluster.find(SNAPSHOTS, begun.id) or {}).get("status")))
    started = await server.create(image=None, entrypoint=None, snapshot_id=begun.id)
    obj = cluster.find(BATCH_SANDBOXES, started.id)
    assert obj is not None
    image = obj["spec"]["template"]["spec"]["containers"][0]["image"]
    assert image.startswith("registry/x:1@sha256:")
    assert (started.snapshot_id, started.image_uri) == (begun.id, None)


async def test_a_pauses_own_snapshot_is_no_users(server: Server, cluster: AbstractCluster) -> None:
    labels = {"sandbox.opensandbox.io/purpose": "pause"}
    body = {"metadata": {"name": "own", "labels": labels}, "spec": {"sandboxName": "sbx"}}
    cluster.act(calls.create(SNAPSHOTS, body))
    with pytest.raises(NotFound):
        await server.ports.snapshots.get("own")
    with pytest.raises(NotFound):
        await server.ports.snapshots.delete("own", "1")
    assert list(await server.ports.snapshots.list()) == []


# --- reaching a sandbox ---


async def test_endpoints_lead_to_the_pod_or_through_the_server(
    cluster: AbstractCluster, backstage: Backstage
) -> None:
    backstage.holding = True
    async with running(cluster) as server, running(cluster, through_server=True) as outside:
        sandbox = await server.create()
        through = f"api.test:80/v1/sandboxes/{sandbox.id}/proxy/8000"
        pending = await server.service.endpoint(sandbox.id, EndpointQuery(port=8000))
        assert pending.endpoint == through, "asked for right after the create (API-154)"
        backstage.holding = False
        backstage.look()
        await server.until(sandbox.id, SandboxState.RUNNING)
        await outside.until(sandbox.id, SandboxState.RUNNING)

        direct = await server.service.endpoint(sandbox.id, EndpointQuery(port=8000))
        assert (direct.endpoint, direct.headers) == ("10.1.2.3:8000", {})
        proxied = await server.service.endpoint(sandbox.id, EndpointQuery(port=8000, use_server_proxy=True))
        assert (proxied.endpoint, proxied.headers) == (through, {})
        signed = await server.service.endpoint(sandbox.id, EndpointQuery(port=8000, expires=4_000_000_000))
        assert signed.endpoint == through
        assert signed.headers
        assert (await outside.service.endpoint(sandbox.id, EndpointQuery(port=8000))).endpoint == through


async def test_an_address_of_six_is_bracketed(server: Server, backstage: Backstage) -> None:
    backstage.address = "fd00::1"
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    endpoint = await server.service.endpoint(sandbox.id, EndpointQuery(port=80))
    assert endpoint.endpoint == "[fd00::1]:80"


async def test_events_tell_of_workload_and_pod(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    for kind, name, reason, at in (
        ("Pod", "pod-x", "Pulled", "lastTimestamp"),
        ("BatchSandbox", sandbox.id, "Started", "eventTime"),
        ("Pod", "another", "Foreign", "lastTimestamp"),
    ):
        event = {
            "metadata": {"name": f"event-{reason.lower()}"},
            "involvedObject": {"kind": kind, "name": name},
            "reason": reason,
            "message": "line one\nline two",
            "type": "Normal",
            at: "2026-01-01T00:00:00Z",
        }
        cluster.act(calls.create(EVENTS, event))
    whole = await server.service.events(sandbox.id)
    container = await server.service.events(sandbox.id, "container")
    lifecycle = await server.service.events(sandbox.id, "lifecycle")
    assert container == "2026-01-01T00:00:00+00:00 Normal: Pulled: line one line two\n"
    assert "Started" in lifecycle
    assert "Ready True: Up" in lifecycle
    assert "Pulled" not in lifecycle
    assert "Foreign" not in whole
    assert sorted(whole.splitlines()) == whole.splitlines()


async def test_logs_are_the_first_containers(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    assert await server.service.logs(sandbox.id) == "", "no pod, no log"
    spec = {"containers": [{"name": "main", "image": "a"}, {"name": "side", "image": "b"}]}
    cluster.act(calls.create(PODS, {"metadata": {"name": "pod-x"}, "spec": spec}))
    cluster.say("pod-x", "hello\n", container="main")
    assert await server.service.logs(sandbox.id) == "hello\n"
    assert await server.service.logs(sandbox.id, "lifecycle") == ""


async def test_nothing_secret_is_in_what_the_api_shows(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create(env={"TOKEN": "s3cret"})
    assert "s3cret" not in repr(await server.service.get_sandbox(sandbox.id))
    obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
    assert obj is not None
    assert "s3cret" not in json.dumps(obj["metadata"])


async def test_conflicts_without_end_are_told_as_busy(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    fault = cluster.refuse(Verb.PATCH, BATCH_SANDBOXES, lambda: VersionConflict("changed"), left=None)
    with pytest.raises(SandkitError) as refused:
        await server.service.pause(sandbox.id)
    assert refused.value.status == 503
    assert fault.hits == Policy().contention_attempts


async def test_an_id_that_is_no_label_value_reaches_no_selector(
    server: Server, cluster: AbstractCluster
) -> None:
    with pytest.raises(SandkitError) as refused:
        await server.service.delete_sandbox("x,opensandbox.io/id=sbx-1")
    assert refused.value.status == 404
    assert not [call for call in cluster.sent if call.resource == CLAIMS and "x," in str(call.labels)]
