"""Who owns a claim, from creation to deletion (requirements VOL-*)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import SandboxState
from sandkit_server.core.ownership import ID_LABEL, MANAGED_BY_LABEL

from .world import CALLER, IMAGE, World, claim, refused

FOREIGN = {"apiVersion": "v1", "kind": "ConfigMap", "name": "someone", "uid": "11111111-foreign"}


async def test_labels_and_owner_only_with_the_opt_in(world: World) -> None:
    sandbox_id = await world.running(claim("mine"), claim("kept", opt_in=False))
    mine, kept = world.volume("mine"), world.volume("kept")
    assert mine is not None
    assert kept is not None
    (workload,) = (await world.probe.view())["workloads"]
    assert mine["labels"] == {MANAGED_BY_LABEL: "server", ID_LABEL: sandbox_id}
    assert mine["owners"] == [
        {
            "apiVersion": workload["apiVersion"],
            "kind": workload["kind"],
            "name": workload["name"],
            "uid": workload["uid"],
            "controller": False,
            "blockOwnerDeletion": False,
        }
    ]
    assert (kept["labels"], kept["owners"]) == ({}, [])
    assert mine["mountedBy"] == kept["mountedBy"] == [sandbox_id]
    await world.delete(sandbox_id)
    await world.require_empty(volumes=["kept"])


@pytest.mark.parametrize("create", [True, False])
async def test_a_claim_that_was_there_is_untouched_even_with_the_opt_in(world: World, create: bool) -> None:
    before = await world.probe.seed_volume({"name": "theirs", "files": {"a": "1"}, "owners": [FOREIGN]})
    sandbox_id = await world.running(claim("theirs", create=create))
    assert {**before, "mountedBy": [sandbox_id]} == world.volume("theirs")
    await world.delete(sandbox_id)
    assert world.volume("theirs") == before


async def test_a_sweep_needs_both_labels(world: World) -> None:
    sandbox_id = await world.running(claim("mine"))
    await world.probe.seed_volume({"name": "only-id", "labels": {ID_LABEL: sandbox_id}})
    await world.probe.seed_volume({"name": "only-managed", "labels": {MANAGED_BY_LABEL: "server"}})
    await world.probe.seed_volume(
        {"name": "managed-otherwise", "labels": {MANAGED_BY_LABEL: "operator", ID_LABEL: sandbox_id}}
    )
    await world.delete(sandbox_id)
    await world.require_empty(volumes=["managed-otherwise", "only-id", "only-managed"])


async def test_foreign_owners_survive_the_patch_and_keep_the_claim_from_collection(world: World) -> None:
    gate = await world.gate("claim.patch")
    creating = asyncio.ensure_future(world.create(claim("mine")))
    await world.held(gate)
    await world.probe.edit_volume("mine", {"owners": [FOREIGN]})
    await world.control.remove_gate(gate)
    sandbox = await creating
    await world.until(sandbox.id, SandboxState.RUNNING)
    volume = world.volume("mine")
    assert volume is not None
    assert [edge["kind"] for edge in volume["owners"]] == ["ConfigMap", "BatchSandbox"]
    # Somebody removes the object directly: the claim has another owner, so it stays, without the dead edge.
    await world.probe.delete_workload(sandbox.id)
    volume = world.volume("mine")
    assert volume is not None
    assert [edge["kind"] for edge in volume["owners"]] == ["ConfigMap"]


@pytest.mark.parametrize("end", ["direct", "expiry", "expiry-while-paused"])
async def test_owner_edges_collect_the_claim_with_the_sweep_disabled(world: World, end: str) -> None:
    make = world.paused if end == "expiry-while-paused" else world.running
    sandbox_id = await make(claim("mine"), claim("kept", opt_in=False), timeout_seconds=60)
    await world.fault("claim.list")
    await world.fault("claim.delete")
    if end == "direct":
        await world.probe.delete_workload(sandbox_id)
    else:
        await world.engine.clock.advance(61)
    await world.require_empty(volumes=["kept"])


async def test_deleting_an_unknown_id_still_sweeps(world: World) -> None:
    sandbox_id = "sbx-long-gone"
    labels = {MANAGED_BY_LABEL: "server", ID_LABEL: sandbox_id}
    await world.probe.seed_volume({"name": "left-behind", "labels": labels})
    error = await refused(world.service.delete_sandbox(sandbox_id))
    assert error.code is ErrorCode.SANDBOX_SANDBOX_NOT_FOUND
    await world.require_empty()


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, ErrorCode.REQUEST_UNAVAILABLE), (403, ErrorCode.SANDBOX_DELETE_FAILED)],
)
async def test_no_sweep_when_the_workload_cannot_be_deleted(
    world: World, status: int, code: ErrorCode
) -> None:
    sandbox_id = await world.running(claim("mine"))
    before = world.volume("mine")
    await world.fault("workload.delete", status=status, times=1)
    error = await refused(world.service.delete_sandbox(sandbox_id))
    assert error.code is code
    assert world.volume("mine") == before
    assert (await world.service.get_sandbox(sandbox_id)).status.state is SandboxState.RUNNING
    await world.delete(sandbox_id)
    await world.require_empty()


@pytest.mark.parametrize("point", ["claim.list", "claim.delete", "claim.patch"])
@pytest.mark.parametrize("fault", [{"status": 403}, {"status": 500}, {"action": "crash"}])
async def test_claim_failures_never_fail_the_call(
    world: World, point: str, fault: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    await world.fault(point, **fault)
    sandbox_id = await world.running(claim("mine"))
    await world.service.delete_sandbox(sandbox_id)
    await world.gone(sandbox_id)
    assert "claim" in caplog.text
    await world.control.remove_fault(None)
    await world.engine.clock.advance(120)
    await world.require_empty()


@pytest.mark.parametrize("create", [True, False])
async def test_a_claim_managed_by_another_is_refused(world: World, create: bool) -> None:
    other = await world.running(claim("theirs"))
    before = (world.census(), world.volume("theirs"))
    error = await refused(world.create(claim("new"), claim("theirs", create=create)))
    assert (error.status, error.code) == (409, ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER)
    assert (world.census(), world.volume("theirs")) == before
    await world.delete(other)


async def test_a_missing_claim_is_the_callers_error_and_nothing_is_made(world: World) -> None:
    error = await refused(world.create(claim("new"), claim("absent", create=False)))
    assert (error.status, error.code) == (400, ErrorCode.VOLUME_PVC_NOT_FOUND)
    await world.require_empty()


@pytest.mark.parametrize(
    ("owner", "code"),
    [(None, ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER), ("unlabelled", None)],
)
async def test_the_race_for_a_claim(world: World, owner: str | None, code: ErrorCode | None) -> None:
    await world.fault("claim.create", "steal", code=owner, match={"name": "raced"}, times=1)
    if code is not None:
        error = await refused(world.create(claim("first"), claim("raced")))
        assert error.code is code
        await world.require_empty(volumes=["raced"])
        return
    sandbox_id = await world.running(claim("first"), claim("raced"))
    raced = world.volume("raced")
    assert raced is not None
    assert (raced["labels"], raced["owners"]) == ({}, [])
    await world.delete(sandbox_id)
    await world.require_empty(volumes=["raced"])


@pytest.mark.parametrize("trouble", ["vanish", "error"])
async def test_the_winner_of_the_race_cannot_be_read(world: World, trouble: str) -> None:
    await world.fault("claim.create", "steal", code="unlabelled", match={"name": "raced"}, times=1)
    await world.fault("claim.get", trouble, match={"name": "raced", "index": 1}, times=1)
    error = await refused(world.create(claim("raced")))
    assert (error.status, error.code) == (503, ErrorCode.VOLUME_PVC_INSPECT_FAILED)
    assert error.retry_after is not None
    sandbox_id = await world.running(claim("raced"))
    await world.delete(sandbox_id)
    await world.require_empty(volumes=[] if trouble == "vanish" else ["raced"])


@pytest.mark.parametrize("verb", ["get", "create"])
async def test_missing_permissions(world: World, verb: str, caplog: pytest.LogCaptureFixture) -> None:
    await world.fault(f"claim.{verb}", status=403)
    if verb == "get":
        error = await refused(world.create(claim("mine")))
        assert error.status == 503
        assert "get" in error.message
        assert "persistentvolumeclaims" in error.message
        await world.require_empty()
        return
    # The cluster may hold the claim already; here it does not, so the workload never gets ready.
    sandbox = await world.create(claim("mine"))
    failed = await world.until(sandbox.id, SandboxState.FAILED)
    assert failed.status.reason == "VolumeMissing"
    assert "may hold it already" in caplog.text


async def test_a_claim_in_use_terminates_when_its_pod_has_gone(world: World) -> None:
    sandbox_id = await world.running(claim("mine"))
    gate = await world.gate("pod.delete")
    await world.service.delete_sandbox(sandbox_id)
    await world.held(gate)
    volume = world.volume("mine")
    assert volume is not None
    assert volume["phase"] == "Terminating"
    # Meanwhile nobody can mount it.
    error = await refused(world.create(claim("mine", opt_in=False), metadata={"second": "true"}))
    assert error.status == 409
    await world.control.remove_gate(gate)
    await world.require_empty()


@pytest.mark.parametrize("step", ["paused", "resumed"])
async def test_delete_after_a_pause_takes_the_claim_along(world: World, step: str) -> None:
    sandbox_id = await world.paused(claim("mine"), claim("kept", opt_in=False))
    if step == "resumed":
        await world.resume(sandbox_id)
    await world.delete(sandbox_id)
    await world.require_empty(volumes=["kept"])


async def test_the_same_claim_at_two_paths_is_one_claim(world: World) -> None:
    sandbox_id = await world.running(claim("mine", path="/a"), claim("mine", path="/b"))
    await world.probe.write_file(sandbox_id, "/a/file", b"1")
    assert await world.probe.read_file(sandbox_id, "/b/file") == b"1"
    await world.delete(sandbox_id)
    await world.require_empty()


async def test_sizes_and_modes_default_to_the_operators_choice(world: World) -> None:
    await world.running(claim("mine", storage=None, access_modes=None), claim("big", storage="10Gi"))
    sizes = {volume.name: volume.storage for volume in world.engine.volumes}
    assert sizes == {"mine": world.policy.claim_storage, "big": "10Gi"}


async def test_conflicting_flags_and_pools_are_refused_before_any_effect(world: World) -> None:
    last = world.engine.journal.last
    error = await refused(world.create(claim("mine", path="/a"), claim("mine", path="/b", opt_in=False)))
    assert (error.status, error.code) == (400, ErrorCode.VOLUME_CONFLICTING_FLAGS)
    pooled = replace(
        IMAGE, image=None, entrypoint=None, extensions={"poolRef": "warm"}, volumes=(claim("mine"),)
    )
    error = await refused(world.service.create_sandbox(pooled, CALLER))
    assert [detail.pointer for detail in error.details] == ["/volumes"]
    assert world.engine.journal.last == last


@pytest.mark.parametrize("status", [400, 422])
async def test_an_engine_that_refuses_the_size_is_the_callers_error(world: World, status: int) -> None:
    await world.fault("claim.create", status=status)
    error = await refused(world.create(claim("mine")))
    assert error.code is ErrorCode.VOLUME_INVALID_STORAGE
    await world.require_empty()
