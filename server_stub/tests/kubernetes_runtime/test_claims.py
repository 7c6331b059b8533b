"""Claims of a sandbox on a cluster: labels, owners, the sweep, and creates that fail half way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import (
    SandboxState,
)
from sandkit_server.core.ownership import management_labels
from sandkit_server.core.port_errors import (
    Exhausted,
    Forbidden,
    Invalid,
    PortError,
    Unavailable,
)
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Misconfigured, Object, PatchType, Verb
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, JOBS
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import Server, claim_volume, eventually, running


@pytest.fixture
async def server(cluster: AbstractCluster, backstage: Backstage) -> AsyncIterator[Server]:
    async with running(cluster) as started:
        yield started


def _claim(cluster: AbstractCluster, name: str = "data") -> Object:
    found = cluster.find(CLAIMS, name)
    assert found is not None
    return found


async def test_a_managed_claim_is_labelled_from_birth_and_owned(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create(volumes=(claim_volume(),))
    made = next(call for call in cluster.sent if (call.verb, call.resource) == (Verb.CREATE, CLAIMS))
    assert made.body is not None
    assert made.body["metadata"]["labels"] == management_labels(sandbox.id)
    workload = cluster.find(BATCH_SANDBOXES, sandbox.id)
    assert workload is not None
    (owner,) = _claim(cluster)["metadata"]["ownerReferences"]
    assert owner == {
        "apiVersion": "sandbox.opensandbox.io/v1alpha1",
        "kind": "BatchSandbox",
        "name": sandbox.id,
        "uid": workload["metadata"]["uid"],
        "controller": False,
        "blockOwnerDeletion": False,
    }
    (patch,) = [call for call in cluster.sent if (call.verb, call.resource) == (Verb.PATCH, CLAIMS)]
    assert patch.patch_type is PatchType.STRATEGIC


async def test_a_claim_that_was_there_is_left_alone(server: Server, cluster: AbstractCluster) -> None:
    cluster.act(calls.create(CLAIMS, {"metadata": {"name": "data"}, "spec": {}}))
    before = _claim(cluster)
    sandbox = await server.create(volumes=(claim_volume(),))
    await server.until(sandbox.id, SandboxState.RUNNING)
    await server.service.delete_sandbox(sandbox.id)
    await eventually(lambda: cluster.find(BATCH_SANDBOXES, sandbox.id) is None)
    after = _claim(cluster)
    assert (after["metadata"], after["spec"]) == (
        {**before["metadata"], "resourceVersion": after["metadata"]["resourceVersion"]},
        {},
    )


async def test_owners_set_by_others_survive(server: Server, cluster: AbstractCluster) -> None:
    job = cluster.act(calls.create(JOBS, {"metadata": {"name": "job"}, "spec": {}}))
    edge = {"apiVersion": "batch/v1", "kind": "Job", "name": "job", "uid": job["metadata"]["uid"]}

    def taken(call: calls.Call) -> None:
        cluster.act(calls.strategic(CLAIMS, "data", {"metadata": {"ownerReferences": [edge]}}))

    original = cluster.send

    async def send(call: calls.Call) -> Object:
        if (call.verb, call.resource) == (Verb.PATCH, CLAIMS):
            taken(call)
        return await original(call)

    cluster.send = send  # type: ignore[method-assign]
    await server.create(volumes=(claim_volume(),))
    owners = _claim(cluster)["metadata"]["ownerReferences"]
    assert sorted(owner["kind"] for owner in owners) == ["BatchSandbox", "Job"]


async def test_a_delete_of_the_object_behind_the_server_collects_the_claim(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create(volumes=(claim_volume(), claim_volume("kept", delete=False, path="/kept")))
    await server.until(sandbox.id, SandboxState.RUNNING)
    cluster.act(calls.delete(BATCH_SANDBOXES, sandbox.id))
    await eventually(lambda: cluster.find(CLAIMS, "data") is None)
    assert cluster.find(CLAIMS, "kept") is not None


async def test_a_refused_owner_patch_is_no_failure_and_the_sweep_remains(
    server: Server, cluster: AbstractCluster
) -> None:
    cluster.refuse(Verb.PATCH, CLAIMS, lambda: Forbidden("patch", "persistentvolumeclaims"))
    sandbox = await server.create(volumes=(claim_volume(),))
    assert "ownerReferences" not in _claim(cluster)["metadata"]
    await server.service.delete_sandbox(sandbox.id)
    await eventually(lambda: cluster.find(CLAIMS, "data") is None)


@pytest.mark.parametrize(
    ("verb", "error", "status", "told"),
    [
        (
            Verb.GET,
            lambda: Forbidden("get", "persistentvolumeclaims"),
            503,
            "grant get on persistentvolumeclaims",
        ),
        (Verb.GET, lambda: Unavailable("reset"), 503, "reset"),
        (Verb.CREATE, lambda: Invalid("spec.accessModes: Unsupported value"), 400, "accessModes"),
        (Verb.CREATE, lambda: Exhausted("quota", "exceeded quota: disks"), 403, "exceeded quota"),
        (Verb.CREATE, lambda: Unavailable("overloaded"), 503, "overloaded"),
    ],
)
async def test_trouble_with_claims_is_told_and_leaves_nothing(
    server: Server,
    cluster: AbstractCluster,
    verb: Verb,
    error: Callable[[], PortError],
    status: int,
    told: str,
) -> None:
    cluster.refuse(verb, CLAIMS, error, name="second" if verb is Verb.CREATE else None)
    volumes = (claim_volume("first", path="/1"), claim_volume("second", path="/2"))
    with pytest.raises(SandkitError) as refused:
        await server.create(volumes=volumes)
    assert (refused.value.status, told in refused.value.message) == (status, True)
    await eventually(lambda: not list(cluster.all(CLAIMS)))
    assert list(cluster.all(BATCH_SANDBOXES)) == []


async def test_a_claim_that_may_not_be_made_is_mounted_all_the_same(
    server: Server, cluster: AbstractCluster
) -> None:
    cluster.refuse(Verb.CREATE, CLAIMS, lambda: Forbidden("create", "persistentvolumeclaims"))
    sandbox = await server.create(volumes=(claim_volume(),))
    assert cluster.find(BATCH_SANDBOXES, sandbox.id) is not None


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (lambda: Invalid("spec: refused by a policy"), 400),
        (lambda: Exhausted("quota", "exceeded quota: objects"), 403),
        (lambda: Forbidden("create", "batchsandboxes.sandbox.opensandbox.io"), 500),
        (lambda: Misconfigured("the namespace default does not exist"), 500),
        (lambda: Unavailable("the API server is starting"), 503),
    ],
)
async def test_a_workload_that_cannot_be_made_leaves_no_claim(
    server: Server, cluster: AbstractCluster, error: Callable[[], PortError], status: int
) -> None:
    cluster.refuse(Verb.CREATE, BATCH_SANDBOXES, error)
    with pytest.raises(SandkitError) as refused:
        await server.create(volumes=(claim_volume(),))
    assert refused.value.status == status
    assert error().message in refused.value.message
    await eventually(lambda: not list(cluster.all(CLAIMS)))


async def test_a_workload_that_cannot_be_deleted_keeps_its_claims(
    server: Server, cluster: AbstractCluster
) -> None:
    sandbox = await server.create(volumes=(claim_volume(),))
    cluster.refuse(Verb.DELETE, BATCH_SANDBOXES, lambda: Unavailable("reset"))
    with pytest.raises(SandkitError):
        await server.service.delete_sandbox(sandbox.id)
    assert "deletionTimestamp" not in _claim(cluster)["metadata"]
    await server.service.delete_sandbox(sandbox.id)
    await eventually(lambda: not list(cluster.all(CLAIMS)))
