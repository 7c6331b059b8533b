"""The rules of claim ownership as decisions, without any engine."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sandkit_server.core import ownership
from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import ClaimSource, HostSource, Volume
from sandkit_server.core.ownership import (
    ID_LABEL,
    MANAGED_BY_LABEL,
    ClaimPlan,
    CreateStage,
    Proceed,
    Refusal,
    Rollback,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NeverReady,
    NotFound,
    PortError,
    Unavailable,
    Unsupported,
    VersionConflict,
)
from sandkit_server.core.ports import Claim, ObjectRef, OwnerReference

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ME, OTHER = "sbx-me", "sbx-other"
POLICY = Policy(claim_storage="2Gi", claim_storage_class="fast")


def _claim(name: str = "data", manager: str | None = None, **changes: Any) -> Claim:
    labels = ownership.management_labels(manager) if manager else {}
    claim = Claim(name=name, uid=f"uid-{name}", labels=labels, owners=(), created_at=NOW, version="1")
    return replace(claim, **changes)


def _source(name: str = "data", **changes: Any) -> ClaimSource:
    return replace(ClaimSource(claim_name=name), **changes)


def _plan(source: ClaimSource, existing: Claim | None) -> ClaimPlan | Refusal:
    name = source.claim_name
    return ownership.plan_claims(ME, {name: source}, {name: existing}, POLICY)


def test_the_labels_are_the_documented_ones() -> None:
    assert ownership.management_labels(ME) == {
        "opensandbox.io/volume-managed-by": "server",
        "opensandbox.io/id": ME,
    }


@pytest.mark.parametrize(
    ("labels", "manager"),
    [
        ({}, None),
        ({ID_LABEL: ME}, None),
        ({MANAGED_BY_LABEL: "server"}, None),
        ({MANAGED_BY_LABEL: "operator", ID_LABEL: ME}, None),
        ({MANAGED_BY_LABEL: "server", ID_LABEL: ME, "team": "search"}, ME),
    ],
)
def test_both_labels_make_a_manager(labels: dict[str, str], manager: str | None) -> None:
    claim = _claim(labels=labels)
    assert ownership.manager_of(claim) == manager
    assert ownership.sweepable([claim], ME) == ([claim] if manager else [])
    assert ownership.sweepable([claim], OTHER) == []


def test_distinct_claims_in_the_order_of_the_request() -> None:
    first, second = _source("b", storage="1Gi"), _source("a")
    volumes = [
        Volume(name="one", mount_path="/one", claim=first),
        Volume(name="two", mount_path="/two", host=HostSource(path="/data")),
        Volume(name="three", mount_path="/three", claim=second),
        Volume(name="four", mount_path="/four", claim=_source("b")),
    ]
    assert list(ownership.requested_claims(volumes).items()) == [("b", first), ("a", second)]


@pytest.mark.parametrize("opt_in", [True, False])
def test_a_missing_claim_is_made_with_labels_for_the_opt_in_only(opt_in: bool) -> None:
    plan = _plan(_source(delete_on_sandbox_termination=opt_in), None)
    assert isinstance(plan, ClaimPlan)
    (template,) = plan.create
    assert template.labels == (ownership.management_labels(ME) if opt_in else {})
    assert (template.storage, template.storage_class) == ("2Gi", "fast")
    assert template.access_modes == POLICY.claim_access_modes


def test_what_the_request_says_goes_before_the_operators_defaults() -> None:
    source = _source(storage="5Gi", storage_class="slow", access_modes=("ReadOnlyMany",))
    plan = _plan(source, None)
    assert isinstance(plan, ClaimPlan)
    (template,) = plan.create
    assert (template.storage, template.storage_class, template.access_modes) == (
        "5Gi",
        "slow",
        ("ReadOnlyMany",),
    )


@pytest.mark.parametrize("create", [True, False])
@pytest.mark.parametrize("opt_in", [True, False])
def test_existing_claims(create: bool, opt_in: bool) -> None:
    source = _source(create_if_not_exists=create, delete_on_sandbox_termination=opt_in)
    assert _plan(source, _claim()) == ClaimPlan(())
    mine = _claim(manager=ME)
    assert _plan(source, mine) == ClaimPlan((), (mine,))
    theirs = _plan(source, _claim(manager=OTHER))
    assert isinstance(theirs, Refusal)
    assert theirs.code is ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER
    dying = _plan(source, _claim(terminating=True))
    assert isinstance(dying, Refusal)
    assert (dying.code, dying.retry_after) == (ErrorCode.VOLUME_PVC_INSPECT_FAILED, 1.0)


def test_a_missing_claim_that_must_not_be_made_is_refused() -> None:
    refusal = _plan(_source(create_if_not_exists=False), None)
    assert isinstance(refusal, Refusal)
    assert refusal.code is ErrorCode.VOLUME_PVC_NOT_FOUND


def test_one_conflict_refuses_all_before_anything_is_made() -> None:
    wanted = {"new": _source("new"), "theirs": _source("theirs")}
    existing = {"new": None, "theirs": _claim("theirs", OTHER)}
    assert isinstance(ownership.plan_claims(ME, wanted, existing, POLICY), Refusal)


def test_a_claim_that_goes_with_an_earlier_sandbox_of_the_same_id_is_not_taken_over() -> None:
    """Its owner is gone or going, and the garbage collector would take it from under the new sandbox."""
    edge = OwnerReference(api_version="v1", kind="BatchSandbox", name=ME, uid="uid-of-the-earlier-one")
    refusal = _plan(_source(), _claim(manager=ME, owners=(edge,)))
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after is not None
    assert isinstance(_plan(_source(), _claim(manager=ME)), ClaimPlan)
    assert isinstance(_plan(_source(), _claim(owners=(edge,))), ClaimPlan)


def test_what_is_there_does_not_keep_the_rest_from_being_made() -> None:
    wanted = {"there": _source("there"), "new": _source("new")}
    plan = ownership.plan_claims(ME, wanted, {"there": _claim("there"), "new": None}, POLICY)
    assert isinstance(plan, ClaimPlan)
    assert [template.name for template in plan.create] == ["new"]


def test_an_owner_that_cannot_be_read_names_the_missing_permission() -> None:
    refusal = ownership.after_read_error("data", Forbidden("get", "persistentvolumeclaims"))
    assert refusal.code is ErrorCode.VOLUME_PVC_INSPECT_FAILED
    assert "must grant get on persistentvolumeclaims" in refusal.message
    later = ownership.after_read_error("data", Unavailable("away", retry_after=7))
    assert later.retry_after == 7


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Invalid("no such class"), ErrorCode.VOLUME_INVALID_STORAGE),
        (Exhausted("quota", "full"), ErrorCode.SANDBOX_QUOTA_EXCEEDED),
        (Unavailable("away"), ErrorCode.REQUEST_UNAVAILABLE),
        (VersionConflict("odd"), ErrorCode.REQUEST_UNAVAILABLE),
    ],
)
def test_a_claim_that_could_not_be_made(error: PortError, code: ErrorCode) -> None:
    decision = ownership.after_create_error("data", error)
    assert isinstance(decision, Refusal)
    assert decision.code is code


def test_without_permission_to_create_the_cluster_may_hold_it() -> None:
    decision = ownership.after_create_error("data", Forbidden("create", "persistentvolumeclaims"))
    assert isinstance(decision, Proceed)
    assert decision.warning is not None


@pytest.mark.parametrize(
    ("reread", "code"),
    [
        (_claim(), None),
        (_claim(manager=ME), None),
        (_claim(manager=OTHER), ErrorCode.VOLUME_PVC_MANAGED_BY_ANOTHER),
        (_claim(terminating=True), ErrorCode.VOLUME_PVC_INSPECT_FAILED),
        (NotFound("gone"), ErrorCode.VOLUME_PVC_INSPECT_FAILED),
        (Unavailable("away"), ErrorCode.VOLUME_PVC_INSPECT_FAILED),
        (Forbidden("get", "persistentvolumeclaims"), ErrorCode.VOLUME_PVC_INSPECT_FAILED),
    ],
)
def test_a_lost_race(reread: Claim | PortError, code: ErrorCode | None) -> None:
    decision = ownership.after_lost_race(ME, "data", reread)
    if code is None:
        assert decision == Proceed()
    else:
        assert isinstance(decision, Refusal)
        assert decision.code is code


@pytest.mark.parametrize(
    ("stage", "error", "rollback"),
    [
        (CreateStage.CLAIMS, Unavailable("away"), Rollback.SWEEP),
        (CreateStage.CLAIMS, RuntimeError("bug"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, Invalid("no"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, Forbidden("create", "pods"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, Exhausted("pool", "empty"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, Unsupported("no pools"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, NotFound("no namespace"), Rollback.SWEEP),
        (CreateStage.WORKLOAD, AlreadyExists("taken"), Rollback.NOTHING),
        (CreateStage.WORKLOAD, Unavailable("away"), Rollback.DELETE_THEN_SWEEP),
        (CreateStage.WORKLOAD, RuntimeError("bug"), Rollback.DELETE_THEN_SWEEP),
        (CreateStage.READY, NeverReady("Crash", "loop"), Rollback.DELETE_THEN_SWEEP),
        (CreateStage.READY, NotFound("gone"), Rollback.DELETE_THEN_SWEEP),
    ],
)
def test_the_roll_back_table(stage: CreateStage, error: Exception, rollback: Rollback) -> None:
    assert ownership.rollback_after(stage, error, keyed=False) is rollback


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("bug"), Invalid("no")])
def test_with_a_key_no_workload_is_taken_back_that_another_server_may_be_making(error: Exception) -> None:
    assert ownership.rollback_after(CreateStage.WORKLOAD, error, keyed=True) is Rollback.SWEEP
    assert ownership.rollback_after(CreateStage.READY, error, keyed=True) is Rollback.DELETE_THEN_SWEEP


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (None, True),
        (NotFound("gone"), True),
        (Unavailable("away"), False),
        (Forbidden("delete", "pods"), False),
        (RuntimeError("bug"), False),
    ],
)
def test_a_sweep_needs_the_workload_gone(error: Exception | None, may: bool) -> None:
    assert ownership.may_sweep(error) is may


REF = ObjectRef(api_version="v1", kind="Sandbox", name=ME, uid="u-1")


def test_the_owner_edge() -> None:
    assert ownership.owner_reference(REF) == OwnerReference(
        api_version="v1", kind="Sandbox", name=ME, uid="u-1", controller=False, block_owner_deletion=False
    )


@pytest.mark.parametrize("field", ["api_version", "kind", "name", "uid"])
def test_no_owner_edge_from_incomplete_information(field: str) -> None:
    assert ownership.owner_reference(replace(REF, **{field: ""})) is None


def test_edges_go_to_managed_claims_that_lack_them() -> None:
    edge = ownership.owner_reference(REF)
    assert edge is not None
    bare, owned = _claim("bare", ME), _claim("owned", ME, owners=(edge,))
    others = [_claim("free"), _claim("theirs", OTHER), _claim("dying", ME, terminating=True)]
    assert ownership.claims_to_own([bare, owned, *others], ME, edge) == [bare]


def test_orphans() -> None:
    young = _claim("young", "sbx-young", created_at=NOW)
    lost = _claim("lost", "sbx-lost", created_at=NOW - timedelta(minutes=5))
    old = NOW - timedelta(minutes=5)
    claims = [
        young,
        lost,
        _claim("free", created_at=old),
        _claim("alive", "sbx-alive", created_at=old),
        _claim("begun", "sbx-begun", created_at=old),
        _claim("dying", "sbx-dying", created_at=old, terminating=True),
        _claim("half", labels={ID_LABEL: "sbx-half"}, created_at=old),
    ]
    born_before = ownership.oldest_possible_create(NOW, Policy(reconcile_grace=60), starting=True)
    assert ownership.orphaned(claims, {"sbx-alive"}, {"sbx-begun"}, born_before) == [lost]


@pytest.mark.parametrize(
    ("exclusive", "starting", "grace"), [(True, True, 0), (True, False, 60), (False, True, 60)]
)
def test_only_the_only_server_may_reclaim_at_once(exclusive: bool, starting: bool, grace: int) -> None:
    policy = Policy(reconcile_grace=60, exclusive=exclusive)
    found = ownership.oldest_possible_create(NOW, policy, starting=starting)
    assert NOW - found == timedelta(seconds=grace)
