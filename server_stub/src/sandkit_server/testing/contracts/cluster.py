"""What a cluster does. One suite for the abstract cluster and the real API server: the same assertions.

A test class names two fixtures: ``cluster``, and ``eventually``, which lets the controllers act until what it
is given holds. Names are new in every test, so that all can share one namespace.
"""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest

from sandkit_server.core.port_errors import AlreadyExists, Invalid, NotFound, PortError, VersionConflict
from sandkit_server.kubernetes.calls import (
    Call,
    Object,
    Propagation,
    Verb,
    create,
    delete,
    get,
    list_all,
    merge,
    merge_status,
    strategic,
)
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, PODS, SNAPSHOTS, Resource
from sandkit_server.kubernetes.watch import Change, WatchedCluster

Eventually = Callable[[Callable[[], Awaitable[bool]]], Awaitable[None]]

_TEMPLATE = {"spec": {"containers": [{"name": "main", "image": "example.test/app:1"}]}}


def _sandbox(name: str, **spec: Any) -> Object:
    return {"metadata": {"name": name, "labels": {"test": name}}, "spec": {"template": _TEMPLATE, **spec}}


def _claim(name: str, **labels: str) -> Object:
    storage = {"resources": {"requests": {"storage": "1Gi"}}, "accessModes": ["ReadWriteOnce"]}
    return {"metadata": {"name": name, "labels": labels}, "spec": storage}


def _pod(name: str, *, node: str = "", claim: str = "", owner: Object | None = None) -> Object:
    spec: dict[str, Any] = {**_TEMPLATE["spec"], "automountServiceAccountToken": False}
    if node:
        spec["nodeName"] = node
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
    metadata: dict[str, Any] = {"name": name, "labels": {"test": name}}
    if owner is not None:
        metadata["ownerReferences"] = [_edge(owner, block=True)]
    return {"metadata": metadata, "spec": spec}


def _edge(owner: Object, *, block: bool = False) -> dict[str, Any]:
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": False,
        "blockOwnerDeletion": block,
    }


def _kill(name: str) -> Call:
    return Call(verb=Verb.DELETE, resource=PODS, name=name, grace_seconds=0)


def _meta(found: Object, field: str) -> Any:
    return found["metadata"].get(field)


class ClusterContract:
    """The contract of :class:`~sandkit_server.kubernetes.watch.WatchedCluster`."""

    @pytest.fixture
    def name(self) -> str:
        return f"t-{uuid4().hex[:12]}"

    @staticmethod
    async def _gone(cluster: WatchedCluster, resource: Resource, name: str) -> bool:
        try:
            await cluster.send(get(resource, name))
        except NotFound:
            return True
        return False

    # --- names, versions, generations

    async def test_an_object_is_read_as_it_was_made(self, cluster: WatchedCluster, name: str) -> None:
        made = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        assert await cluster.send(get(BATCH_SANDBOXES, name)) == made
        assert (made["kind"], made["apiVersion"]) == ("BatchSandbox", BATCH_SANDBOXES.api_version)
        assert made["spec"]["replicas"] == 1
        assert (_meta(made, "name"), _meta(made, "namespace")) == (name, cluster.namespace)
        assert _meta(made, "generation") == 1
        assert all(_meta(made, field) for field in ("uid", "resourceVersion", "creationTimestamp"))

    async def test_a_name_is_taken_once(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(CLAIMS, _claim(name)))
        with pytest.raises(AlreadyExists):
            await cluster.send(create(CLAIMS, _claim(name, other="yes")))
        assert _meta(await cluster.send(get(CLAIMS, name)), "labels") is None

    async def test_what_is_not_there_is_not_found(self, cluster: WatchedCluster, name: str) -> None:
        for call in (
            get(PODS, name),
            merge(PODS, name, {"metadata": {"labels": {"a": "b"}}}),
            merge_status(BATCH_SANDBOXES, name, {"replicas": 1}),
            delete(CLAIMS, name),
        ):
            with pytest.raises(NotFound):
                await cluster.send(call)

    async def test_a_status_given_at_birth_is_dropped(self, cluster: WatchedCluster, name: str) -> None:
        made = await cluster.send(create(BATCH_SANDBOXES, {**_sandbox(name), "status": {"phase": "Succeed"}}))
        assert "status" not in made

    async def test_a_list_asks_for_all_labels(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(CLAIMS, _claim(f"{name}-1", a=name, b="1")))
        await cluster.send(create(CLAIMS, _claim(f"{name}-2", a=name)))

        async def names(**labels: str) -> list[str]:
            listed = await cluster.send(list_all(CLAIMS, labels))
            assert listed["metadata"]["resourceVersion"]
            return [_meta(item, "name") for item in listed["items"]]

        assert await names(a=name) == [f"{name}-1", f"{name}-2"]
        assert await names(a=name, b="1") == [f"{name}-1"]
        assert await names(a=name, b="2") == []

    async def test_versions_move_forward_and_generations_only_with_the_spec(
        self, cluster: WatchedCluster, name: str
    ) -> None:
        calls = (
            create(BATCH_SANDBOXES, _sandbox(name)),
            merge(BATCH_SANDBOXES, name, {"metadata": {"annotations": {"a": "b"}}}),
            merge_status(BATCH_SANDBOXES, name, {"phase": "Succeed"}),
            merge(BATCH_SANDBOXES, name, {"spec": {"pause": True}}),
            merge(BATCH_SANDBOXES, name, {"spec": {"pause": None}}),
        )
        seen = [await cluster.send(call) for call in calls]
        assert [_meta(each, "generation") for each in seen] == [1, 1, 1, 2, 3]
        versions = [int(_meta(each, "resourceVersion")) for each in seen]
        assert all(before < after for before, after in itertools.pairwise(versions))
        assert "pause" not in seen[-1]["spec"]

    async def test_a_patch_that_changes_nothing_is_no_write(self, cluster: WatchedCluster, name: str) -> None:
        made = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name, pause=True)))
        assert await cluster.send(merge(BATCH_SANDBOXES, name, {"spec": {"pause": True}})) == made

    # --- the status subresource

    async def test_status_and_the_rest_are_written_apart(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        both = {"spec": {"pause": True}, "status": {"phase": "Succeed"}}
        by_spec = await cluster.send(merge(BATCH_SANDBOXES, name, both))
        assert (by_spec["spec"]["pause"], by_spec.get("status")) == (True, None)
        status = merge_status(BATCH_SANDBOXES, name, {"phase": "Paused"})
        assert status.body is not None
        body = {**status.body, "spec": {"pause": False}}
        by_status = await cluster.send(
            Call(
                verb=Verb.PATCH,
                resource=BATCH_SANDBOXES,
                name=name,
                body=body,
                subresource="status",
                patch_type=status.patch_type,
            )
        )
        assert (by_status["spec"]["pause"], by_status["status"]) == (True, {"phase": "Paused"})

    # --- preconditions

    async def test_a_write_at_an_old_version_is_a_conflict(self, cluster: WatchedCluster, name: str) -> None:
        made = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        old = _meta(made, "resourceVersion")
        await cluster.send(merge(BATCH_SANDBOXES, name, {"spec": {"pause": True}}, version=old))
        for call in (
            merge(BATCH_SANDBOXES, name, {"spec": {"pause": False}}, version=old),
            merge_status(BATCH_SANDBOXES, name, {"phase": "Paused"}, version=old),
            delete(BATCH_SANDBOXES, name, version=old),
        ):
            with pytest.raises(VersionConflict):
                await cluster.send(call)
        assert (await cluster.send(get(BATCH_SANDBOXES, name)))["spec"]["pause"] is True

    async def test_another_uid_is_another_object(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(CLAIMS, _claim(name)))
        other = str(uuid4())
        with pytest.raises(NotFound):
            await cluster.send(delete(CLAIMS, name, uid=other))
        with pytest.raises(NotFound):
            await cluster.send(strategic(CLAIMS, name, {"metadata": {"uid": other, "labels": {"a": "b"}}}))
        assert _meta(await cluster.send(get(CLAIMS, name)), "labels") is None

    # --- patches

    async def test_a_merge_patch_replaces_lists_and_removes_by_null(
        self, cluster: WatchedCluster, name: str
    ) -> None:
        labels = {"labels": {"a": "1", "b": "2"}}
        await cluster.send(create(CLAIMS, _claim(name)))
        await cluster.send(merge(CLAIMS, name, {"metadata": labels}))
        changed = await cluster.send(merge(CLAIMS, name, {"metadata": {"labels": {"a": None, "c": "3"}}}))
        assert _meta(changed, "labels") == {"b": "2", "c": "3"}

    async def test_a_strategic_merge_adds_an_owner_and_keeps_the_others(
        self, cluster: WatchedCluster, name: str
    ) -> None:
        owners = [await cluster.send(create(BATCH_SANDBOXES, _sandbox(f"{name}-{i}"))) for i in range(2)]
        claim = await cluster.send(create(CLAIMS, _claim(name)))
        for owner in (*owners, owners[0]):
            patch = {"metadata": {"uid": _meta(claim, "uid"), "ownerReferences": [_edge(owner)]}}
            await cluster.send(strategic(CLAIMS, name, patch))
        references = _meta(await cluster.send(get(CLAIMS, name)), "ownerReferences")
        assert {each["uid"] for each in references} == {_meta(owner, "uid") for owner in owners}
        assert len(references) == 2

    async def test_custom_kinds_have_no_strategic_merge(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        with pytest.raises(Invalid):
            await cluster.send(strategic(BATCH_SANDBOXES, name, {"spec": {"pause": True}}))

    async def test_nobody_writes_what_belongs_to_the_server(self, cluster: WatchedCluster, name: str) -> None:
        made = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        fields = ("creationTimestamp", "generation")
        patch = {"creationTimestamp": "2001-01-01T00:00:00Z", "generation": 77, "labels": {"new": "yes"}}
        changed = await cluster.send(merge(BATCH_SANDBOXES, name, {"metadata": patch}))
        assert [_meta(changed, field) for field in fields] == [_meta(made, field) for field in fields]
        assert _meta(changed, "labels")["new"] == "yes"

    # --- deletion

    async def test_a_plain_delete_is_at_once_and_the_name_is_free(
        self, cluster: WatchedCluster, name: str
    ) -> None:
        first = await cluster.send(create(SNAPSHOTS, _snapshot(name)))
        await cluster.send(delete(SNAPSHOTS, name))
        assert await self._gone(cluster, SNAPSHOTS, name)
        second = await cluster.send(create(SNAPSHOTS, _snapshot(name)))
        assert _meta(first, "uid") != _meta(second, "uid")

    async def test_a_finalizer_holds_a_deleted_object(self, cluster: WatchedCluster, name: str) -> None:
        body = _sandbox(name)
        finalizers = ["example.test/hold"]
        held = {**body, "metadata": {**body["metadata"], "finalizers": finalizers}}
        made = await cluster.send(create(BATCH_SANDBOXES, held))
        assert "deletionTimestamp" not in made["metadata"]
        deleted = await cluster.send(delete(BATCH_SANDBOXES, name))
        assert _meta(deleted, "deletionTimestamp")
        assert _meta(deleted, "generation") == 2
        with pytest.raises(AlreadyExists):
            await cluster.send(create(BATCH_SANDBOXES, body))
        await cluster.send(merge(BATCH_SANDBOXES, name, {"metadata": {"finalizers": []}}))
        assert await self._gone(cluster, BATCH_SANDBOXES, name)

    async def test_a_pod_on_a_node_waits_for_its_agent(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(PODS, _pod(name, node="no-such-node")))
        await cluster.send(merge_status(PODS, name, {"phase": "Running"}))
        deleted = await cluster.send(delete(PODS, name))
        assert _meta(deleted, "deletionGracePeriodSeconds") == 30
        assert not await self._gone(cluster, PODS, name)
        await cluster.send(_kill(name))
        assert await self._gone(cluster, PODS, name)

    async def test_a_pod_that_has_ended_goes_at_once(self, cluster: WatchedCluster, name: str) -> None:
        await cluster.send(create(PODS, _pod(name, node="no-such-node")))
        await cluster.send(merge_status(PODS, name, {"phase": "Failed"}))
        await cluster.send(delete(PODS, name))
        assert await self._gone(cluster, PODS, name)

    # --- the garbage collector

    async def test_dependents_follow_their_last_owner(
        self, cluster: WatchedCluster, eventually: Eventually, name: str
    ) -> None:
        owners = [await cluster.send(create(BATCH_SANDBOXES, _sandbox(f"{name}-{i}"))) for i in range(2)]
        claim = await cluster.send(create(CLAIMS, _claim(name)))
        metadata = {"uid": _meta(claim, "uid"), "ownerReferences": [_edge(owner) for owner in owners]}
        await cluster.send(strategic(CLAIMS, name, {"metadata": metadata}))
        await cluster.send(delete(BATCH_SANDBOXES, f"{name}-0"))

        async def one_owner_left() -> bool:
            return len(_meta(await cluster.send(get(CLAIMS, name)), "ownerReferences")) == 1

        await eventually(one_owner_left)
        await cluster.send(delete(BATCH_SANDBOXES, f"{name}-1"))
        await eventually(lambda: self._gone(cluster, CLAIMS, name))

    async def test_a_foreground_delete_waits_for_what_blocks_it(
        self, cluster: WatchedCluster, eventually: Eventually, name: str
    ) -> None:
        owner = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        await cluster.send(create(PODS, _pod(name, node="no-such-node", owner=owner)))
        await cluster.send(merge_status(PODS, name, {"phase": "Running"}))
        claim = await cluster.send(create(CLAIMS, _claim(name)))
        metadata = {"uid": _meta(claim, "uid"), "ownerReferences": [_edge(owner)]}
        await cluster.send(strategic(CLAIMS, name, {"metadata": metadata}))
        answer = await cluster.send(delete(BATCH_SANDBOXES, name, propagation=Propagation.FOREGROUND))
        assert _meta(answer, "finalizers") == ["foregroundDeletion"]

        async def pod_is_asked_to_end() -> bool:
            return _meta(await cluster.send(get(PODS, name)), "deletionTimestamp") is not None

        await eventually(pod_is_asked_to_end)
        await eventually(lambda: self._gone(cluster, CLAIMS, name))
        assert not await self._gone(cluster, BATCH_SANDBOXES, name)
        await cluster.send(_kill(name))
        await eventually(lambda: self._gone(cluster, BATCH_SANDBOXES, name))

    async def test_a_dependent_of_nobody_is_collected(
        self, cluster: WatchedCluster, eventually: Eventually, name: str
    ) -> None:
        owner = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        await cluster.send(delete(BATCH_SANDBOXES, name))
        await cluster.send(create(PODS, _pod(name, owner=owner)))
        await eventually(lambda: self._gone(cluster, PODS, name))

    async def test_a_claim_in_use_goes_when_its_pod_has_gone(
        self, cluster: WatchedCluster, eventually: Eventually, name: str
    ) -> None:
        await cluster.send(create(CLAIMS, _claim(name)))
        await cluster.send(create(PODS, _pod(name, node="no-such-node", claim=name)))
        await cluster.send(merge_status(PODS, name, {"phase": "Running"}))
        deleted = await cluster.send(delete(CLAIMS, name))
        assert _meta(deleted, "deletionTimestamp")
        assert _meta(await cluster.send(get(CLAIMS, name)), "finalizers") == ["kubernetes.io/pvc-protection"]
        await cluster.send(_kill(name))
        await eventually(lambda: self._gone(cluster, CLAIMS, name))

    # --- watches

    async def test_a_watch_tells_what_enters_changes_and_leaves(
        self, cluster: WatchedCluster, name: str
    ) -> None:
        labels = {"test": name}
        version = (await cluster.send(list_all(BATCH_SANDBOXES, labels)))["metadata"]["resourceVersion"]
        await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        await cluster.send(merge_status(BATCH_SANDBOXES, name, {"phase": "Succeed"}))
        await cluster.send(merge(BATCH_SANDBOXES, name, {"metadata": {"labels": {"test": "other"}}}))
        await cluster.send(merge(BATCH_SANDBOXES, name, {"metadata": {"labels": labels}}))
        await cluster.send(delete(BATCH_SANDBOXES, name))
        seen = []
        async for event in cluster.watch(BATCH_SANDBOXES, version, labels):
            if event.type != Change.BOOKMARK:
                seen.append(event)
            if len(seen) == 5:
                break
        assert [event.type for event in seen] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
        versions = [int(_meta(event.object, "resourceVersion")) for event in seen]
        assert versions == sorted(set(versions))

    async def test_a_refusal_changes_nothing(self, cluster: WatchedCluster, name: str) -> None:
        before = await cluster.send(create(BATCH_SANDBOXES, _sandbox(name)))
        for call in (
            create(BATCH_SANDBOXES, _sandbox(name)),
            merge(BATCH_SANDBOXES, name, {"spec": {"pause": True}}, version="999999999"),
            delete(BATCH_SANDBOXES, name, uid=str(uuid4())),
        ):
            with pytest.raises(PortError):
                await cluster.send(call)
        assert await cluster.send(get(BATCH_SANDBOXES, name)) == before


def _snapshot(name: str) -> Object:
    return {"metadata": {"name": name}, "spec": {"sandboxName": name}}
