"""Objects of a cluster in the terms of the view."""

from __future__ import annotations

import json
from typing import Any

from sandkit_conformance.probes.kubernetes import objects

from .cluster import pod, snapshot

WORKLOAD: dict[str, Any] = {
    "apiVersion": "sandbox.opensandbox.io/v1alpha1",
    "kind": "BatchSandbox",
    "metadata": {
        "name": "box",
        "uid": "uid-of-workload",
        "resourceVersion": "7",
        "labels": {"team": "blue"},
        "annotations": {"note": "n"},
    },
    "spec": {
        "replicas": 1,
        "template": {"spec": {"containers": [{"name": "main", "env": [{"name": "KEY", "value": "hush"}]}]}},
    },
    "status": {"phase": "Succeed"},
}
OWNED: dict[str, Any] = {
    "ownerReferences": [{"kind": "BatchSandbox", "name": "box", "uid": "uid-of-workload"}]
}


def test_a_workload_is_told_with_its_pod_and_without_its_environment() -> None:
    row = objects.workload_row(WORKLOAD, [pod("other"), pod("box", **OWNED)])
    assert (row["sandboxId"], row["phase"], row["replicas"]) == ("box", "Succeed", 1)
    assert (row["podRunning"], row["podUid"], row["imageRef"]) == (True, "uid-of-box", "busybox:1.36")
    assert "hush" not in json.dumps(row)
    assert "KEY" in json.dumps(row)
    assert row["told"]["metadata"]["annotations"] == {"note": "n"}


def test_a_pod_that_has_ended_does_not_run_and_one_that_is_being_deleted_does() -> None:
    ended = pod("box", **OWNED) | {"status": {"phase": "Failed"}}
    assert objects.workload_row(WORKLOAD, [ended])["podRunning"] is False
    leaving = pod("box", deletionTimestamp="2030-01-01T00:00:00Z", **OWNED)
    assert objects.workload_row(WORKLOAD, [leaving])["podRunning"] is True


def test_a_suspended_foreign_workload_has_no_replicas() -> None:
    foreign = {**WORKLOAD, "kind": "Sandbox", "spec": {"operatingMode": "Suspended"}, "status": {}}
    assert objects.workload_row(foreign, [])["replicas"] == 0
    running = {**foreign, "spec": {"operatingMode": "Running"}}
    assert objects.workload_row(running, [])["replicas"] == 1


def test_a_pod_without_our_label_belongs_to_the_sandbox_that_owns_it() -> None:
    owner: dict[str, Any] = {
        "ownerReferences": [{"kind": "Sandbox", "name": "box", "uid": "u"}],
        "labels": {},
    }
    assert objects.sandbox_of(pod("any", **owner)) == "box"
    assert objects.sandbox_of(pod("any", labels={})) is None


def test_a_claim_is_told_with_its_owners_and_whoever_mounts_it() -> None:
    owner = {"apiVersion": "v1", "kind": "Pod", "name": "box", "uid": "u", "controller": True}
    claim: dict[str, Any] = {
        "metadata": {"name": "data", "uid": "c", "labels": {"a": "b"}, "ownerReferences": [owner]},
        "status": {"phase": "Bound"},
    }
    row = objects.volume_row(claim, [pod("box", claim="data"), pod("other", claim="else")])
    assert row["mountedBy"] == ["box"]
    assert row["owners"] == [{**owner, "blockOwnerDeletion": False}]
    assert row["phase"] == "Bound"
    leaving = {**claim, "metadata": {**claim["metadata"], "deletionTimestamp": "2030-01-01T00:00:00Z"}}
    assert objects.volume_row(leaving)["phase"] == "Terminating"


def test_a_snapshot_is_ready_with_its_image_by_digest() -> None:
    digest = f"sha256:{'0' * 64}"
    planned = {"containerName": "main", "imageUri": "r.test/box:one"}
    assert (
        objects.snapshot_row(snapshot("one", phase="Committing", containers=[planned]))["phase"] == "Creating"
    )
    done = snapshot("one", phase="Succeed", containers=[{**planned, "imageDigest": digest}])
    row = objects.snapshot_row(done)
    assert (row["phase"], row["purpose"], row["imageRef"]) == ("Ready", "pause", f"r.test/box:one@{digest}")
    assert objects.image_rows(done) == [{"ref": f"r.test/box:one@{digest}", "digest": digest}]


def test_jobs_processes_and_secrets() -> None:
    job = {"metadata": {"name": "j", "labels": {"opensandbox.io/id": "box"}}, "status": {}}
    assert objects.job_row(job)["phase"] == "Running"
    ended = {**job, "status": {"conditions": [{"type": "Failed", "status": "True"}]}}
    assert objects.job_row(ended)["phase"] == "Failed"
    (process,) = objects.process_rows(pod("box"))
    assert (process["sandboxId"], process["command"], process["state"]) == ("box", ["sleep", "60"], "running")
    user = pod("box")
    user["spec"]["imagePullSecrets"] = [{"name": "pull"}]
    users = objects.secret_users([user])
    row = objects.secret_row({"metadata": {"name": "pull"}}, users)
    assert row == {"name": "pull", "referencedBy": ["box"]}
