"""BatchSandbox objects as the server writes and reads them, and what it does when that fails."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import ImageSource, RegistryAuth, SandboxState
from sandkit_server.core.port_errors import AlreadyExists, Forbidden, Unavailable, VersionConflict
from sandkit_server.core.ports import WorkloadSpec
from sandkit_server.kubernetes import calls, standing
from sandkit_server.kubernetes.calls import PatchType, Propagation, Verb
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, ID_LABEL, SECRETS
from sandkit_server.runtimes.kubernetes.pull_secret import registry_of
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import Server, claim_volume, create_request, running


@pytest.fixture
async def server(cluster: AbstractCluster, backstage: Backstage) -> AsyncIterator[Server]:
    async with running(cluster) as started:
        yield started


def _sent(cluster: AbstractCluster, verb: Verb) -> list[calls.Call]:
    return [call for call in cluster.sent if (call.verb, call.resource) == (verb, BATCH_SANDBOXES)]


async def _patch_behind(cluster: AbstractCluster, name: str, patch: dict[str, object]) -> None:
    cluster.act(calls.merge(BATCH_SANDBOXES, name, patch))


async def test_a_create_is_one_object_named_by_its_id(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create(
        metadata={"team": "search"}, timeout_seconds=600, env={"TOKEN": "s3cret", "UNSET": None}
    )
    obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
    assert obj is not None
    assert obj["metadata"]["labels"] == {"team": "search", ID_LABEL: sandbox.id}
    assert "s3cret" not in json.dumps(obj["metadata"])
    assert obj["spec"]["replicas"] == 1
    (container,) = obj["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "TOKEN", "value": "s3cret"}]
    assert standing.expiry_of(obj) == sandbox.expires_at
    assert standing.created_at(obj) == sandbox.created_at
    assert "metadata" not in obj["spec"]["template"], "a user's label must match nobody's Service"


async def test_a_read_costs_no_call(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    before = len(cluster.sent)
    for _ in range(10):
        await server.ports.workloads.get(sandbox.id)
        await server.ports.workloads.list()
    assert len(cluster.sent) == before


async def test_what_was_written_is_read_although_the_watch_is_silent(
    server: Server, cluster: AbstractCluster, backstage: Backstage
) -> None:
    await backstage.stop()
    cluster.silence()
    sandbox = await server.create()
    assert [each.sandbox.id for each in await server.ports.workloads.list()] == [sandbox.id]
    await server.service.patch_metadata(sandbox.id, {"team": "ranking"})
    assert (await server.service.get_sandbox(sandbox.id)).metadata == {"team": "ranking"}
    await server.service.delete_sandbox(sandbox.id)
    assert (await server.service.get_sandbox(sandbox.id)).status.state is SandboxState.STOPPING


async def test_a_change_on_old_state_reads_afresh_and_is_made(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    # So that only the refused patch can tell that somebody else has labelled the sandbox.
    cluster.silence()
    await asyncio.sleep(0.01)
    await _patch_behind(cluster, sandbox.id, {"metadata": {"labels": {"by": "kubectl"}}})
    changed = await server.service.patch_metadata(sandbox.id, {"team": "ranking"})
    assert changed.metadata == {"by": "kubectl", "team": "ranking"}


async def test_intents_are_merge_patches_at_a_version(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    assert (await server.service.pause(sandbox.id)).status.state is SandboxState.PAUSING
    await server.until(sandbox.id, SandboxState.PAUSED)
    assert (await server.service.resume(sandbox.id)).status.state is SandboxState.RESUMING
    await server.until(sandbox.id, SandboxState.RUNNING)
    pause, resume = _sent(cluster, Verb.PATCH)
    assert pause.body is not None
    assert resume.body is not None
    assert (pause.body["spec"], resume.body["spec"]) == ({"pause": True}, {"pause": False})
    for call in (pause, resume):
        assert call.patch_type is PatchType.MERGE
        assert call.body is not None
        assert call.body["metadata"]["resourceVersion"]


async def test_a_failed_pause_is_asked_for_anew_and_a_renewal_asks_for_none(
    server: Server, cluster: AbstractCluster, backstage: Backstage
) -> None:
    sandbox = await server.create(timeout_seconds=600)
    await server.until(sandbox.id, SandboxState.RUNNING)
    backstage.failing = True
    await server.service.pause(sandbox.id)
    failed = await server.until(sandbox.id, SandboxState.RUNNING)
    assert (failed.status.reason, failed.status.message) == ("CommitFailed", "disk full")

    await server.service.renew(sandbox.id, datetime.now(UTC) + timedelta(hours=1))
    seen = await server.service.get_sandbox(sandbox.id)
    assert seen.status.state is SandboxState.RUNNING, "a renewal is no new attempt"

    backstage.failing = False
    await server.service.pause(sandbox.id)
    await server.until(sandbox.id, SandboxState.PAUSED)


async def test_an_identical_retry_is_a_new_generation(
    server: Server, cluster: AbstractCluster, backstage: Backstage
) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    backstage.failing = True
    await server.service.pause(sandbox.id)
    await server.until(sandbox.id, SandboxState.RUNNING)
    backstage.failing = False
    assert (await server.service.pause(sandbox.id)).status.state is SandboxState.PAUSING
    await server.until(sandbox.id, SandboxState.PAUSED)
    asked = [call.body["spec"]["pause"] for call in _sent(cluster, Verb.PATCH) if call.body]
    assert asked == [True, None, True]


async def test_a_failed_resume_stays_paused_and_says_why(server: Server, backstage: Backstage) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    await server.service.pause(sandbox.id)
    await server.until(sandbox.id, SandboxState.PAUSED)
    backstage.failing = True
    await server.service.resume(sandbox.id)
    assert (await server.until(sandbox.id, SandboxState.PAUSED)).status.reason == "ImagePullFailed"


async def test_a_delete_is_foreground_and_shows(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    await server.service.delete_sandbox(sandbox.id)
    (call,) = _sent(cluster, Verb.DELETE)
    assert call.propagation is Propagation.FOREGROUND


async def test_a_create_of_unknown_effect_is_taken_back(server: Server, cluster: AbstractCluster) -> None:
    cluster.refuse(Verb.CREATE, BATCH_SANDBOXES, lambda: Unavailable("the connection broke"), after=True)
    with pytest.raises(SandkitError) as refused:
        await server.create(volumes=(claim_volume(),))
    assert refused.value.status == 503
    cluster.settle()
    assert list(cluster.all(BATCH_SANDBOXES)) == []
    assert list(cluster.all(CLAIMS)) == []


async def test_a_create_of_unknown_effect_is_not_taken_for_anothers(
    server: Server, cluster: AbstractCluster
) -> None:
    """Another server made the sandbox of this key; nobody knows what became of our own create."""
    other = await server.ports.workloads.create(_spec())
    await asyncio.sleep(0.001)
    cluster.refuse(Verb.CREATE, BATCH_SANDBOXES, lambda: Unavailable("the connection broke"))
    with pytest.raises(AlreadyExists):
        await server.ports.workloads.create(_spec())
    assert (await server.ports.workloads.get("sbx-1")).ref == other.ref


@pytest.mark.parametrize("after", [False, True])
async def test_what_became_of_our_own_create_stays_unknown(
    server: Server, cluster: AbstractCluster, after: bool
) -> None:
    cluster.refuse(Verb.CREATE, BATCH_SANDBOXES, lambda: Unavailable("the connection broke"), after=after)
    with pytest.raises(Unavailable):
        await server.ports.workloads.create(_spec())


def _spec() -> WorkloadSpec:
    request = create_request()
    return WorkloadSpec(
        sandbox_id="sbx-1", request=request, entrypoint=("sleep",), request_digest="digest", env={}
    )


# --- the credentials of one request ---


PRIVATE = ImageSource(uri="registry.test:5000/a/b:1", auth=RegistryAuth(username="me", password="s3cret"))


async def test_pull_credentials_become_a_secret_of_the_workload(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create(image=PRIVATE)
    obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
    (secret,) = cluster.all(SECRETS)
    assert obj is not None
    assert obj["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": secret["metadata"]["name"]}]
    assert "s3cret" not in json.dumps(obj)
    config = json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))
    assert config["auths"]["registry.test:5000"]["password"] == "s3cret"
    (owner,) = secret["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("BatchSandbox", obj["metadata"]["uid"])
    await server.service.delete_sandbox(sandbox.id)
    cluster.settle()
    assert list(cluster.all(SECRETS)) == []


async def test_a_secret_that_cannot_be_stored_takes_the_workload_back(
    server: Server, cluster: AbstractCluster, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.refuse(Verb.CREATE, SECRETS, lambda: Forbidden("create", "secrets"))
    with pytest.raises(SandkitError) as refused:
        await server.create(image=PRIVATE)
    assert "the server may not create secrets" in refused.value.message
    assert "s3cret" not in refused.value.message + caplog.text
    cluster.settle()
    assert list(cluster.all(BATCH_SANDBOXES)) == []


@pytest.mark.parametrize(
    ("image", "registry"),
    [
        ("busybox", "https://index.docker.io/v1/"),
        ("library/busybox:1", "https://index.docker.io/v1/"),
        ("docker.io/library/busybox", "https://index.docker.io/v1/"),
        ("localhost/x", "localhost"),
        ("registry.test/x@sha256:1", "registry.test"),
        ("registry:5000/x", "registry:5000"),
    ],
)
def test_credentials_are_for_the_images_registry(image: str, registry: str) -> None:
    assert registry_of(image) == registry


# --- objects made by other hands ---


@pytest.mark.parametrize("annotation", [None, "{", "[]", "{}"])
async def test_an_object_made_by_hand_is_a_sandbox(
    server: Server, cluster: AbstractCluster, annotation: str | None
) -> None:
    template = {"spec": {"containers": [{"name": "x", "image": "a:1", "command": ["run"], "args": ["it"]}]}}
    metadata: dict[str, object] = {"name": "by-hand", "labels": {"team": "search"}}
    if annotation is not None:
        metadata["annotations"] = {"sandbox.opensandbox.io/sandbox": annotation}
    cluster.act(calls.create(BATCH_SANDBOXES, {"metadata": metadata, "spec": {"template": template}}))
    seen = await server.until("by-hand", SandboxState.RUNNING)
    assert (seen.image_uri, seen.entrypoint, seen.metadata) == ("a:1", ("run", "it"), {"team": "search"})


async def test_more_than_one_replica_refuses_to_pause(server: Server, cluster: AbstractCluster) -> None:
    template = {"spec": {"containers": [{"name": "x", "image": "a:1"}]}}
    body = {"metadata": {"name": "many"}, "spec": {"replicas": 2, "template": template}}
    cluster.act(calls.create(BATCH_SANDBOXES, body))
    await server.until("many", SandboxState.RUNNING)
    with pytest.raises(SandkitError) as refused:
        await server.service.pause("many")
    assert refused.value.status == 409


async def test_reserved_labels_survive_a_metadata_patch(server: Server, cluster: AbstractCluster) -> None:
    sandbox = await server.create(metadata={"a": "1", "b": "2"})
    await server.service.patch_metadata(sandbox.id, {"a": None, "c": "3"})
    obj = cluster.find(BATCH_SANDBOXES, sandbox.id)
    assert obj is not None
    assert obj["metadata"]["labels"] == {"b": "2", "c": "3", ID_LABEL: sandbox.id}


async def test_a_lost_race_is_told_and_the_next_turn_sees_the_winner(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create()
    await server.until(sandbox.id, SandboxState.RUNNING)
    version = (await server.ports.workloads.get(sandbox.id)).version
    cluster.silence()
    await asyncio.sleep(0.01)
    await _patch_behind(cluster, sandbox.id, {"spec": {"pause": True}})
    with pytest.raises(VersionConflict):
        await server.ports.workloads.request_pause(sandbox.id, version)
    assert (await server.service.get_sandbox(sandbox.id)).status.state is SandboxState.PAUSING
