from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NotFound,
    Unavailable,
    VersionConflict,
)
from sandkit_server.kubernetes.calls import (
    Misconfigured,
    Propagation,
    create,
    delete,
    get,
    list_all,
    merge,
    merge_status,
    strategic,
)
from sandkit_server.kubernetes.http_cluster import HttpCluster, Limits
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, CLAIMS, PODS, Resource
from sandkit_server.testing.control_plane.identities import Identity
from sandkit_server.testing.control_plane.plane import ControlPlane

from .objects import CONFIG_MAPS, claim, config_map, owner, pod, sandbox


async def test_every_verb(cluster: HttpCluster) -> None:
    made = await cluster.send(create(CONFIG_MAPS, config_map("a", {"kind": "x"}, colour="red")))
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
    assert made["metadata"]["managedFields"][0]["manager"] == "sandkit-tests"

    changed = await cluster.send(merge(CONFIG_MAPS, "a", {"data": {"colour": "blue"}}))
    assert changed["data"] == {"colour": "blue"}
    assert (await cluster.send(get(CONFIG_MAPS, "a")))["data"] == {"colour": "blue"}

    await cluster.send(create(CONFIG_MAPS, config_map("b", {"kind": "y"})))
    listed = await cluster.send(list_all(CONFIG_MAPS, {"kind": "x"}))
    assert [(item["metadata"]["name"], item["kind"]) for item in listed["items"]] == [("a", "ConfigMap")]

    await cluster.send(delete(CONFIG_MAPS, "a"))
    with pytest.raises(NotFound, match='configmaps "a" not found'):
        await cluster.send(get(CONFIG_MAPS, "a"))


async def test_a_list_of_many_pages_is_whole(plane: ControlPlane, namespace: str) -> None:
    limits = Limits(page=3)
    async with HttpCluster(
        plane.connection(namespace), field_manager="sandkit-tests", limits=limits
    ) as cluster:
        for number in range(8):
            await cluster.send(create(CONFIG_MAPS, config_map(f"c{number}", {"test": "pages"})))
        listed = await cluster.send(list_all(CONFIG_MAPS, {"test": "pages"}))
    assert sorted(item["metadata"]["name"] for item in listed["items"]) == [f"c{n}" for n in range(8)]
    assert "continue" not in listed["metadata"]
    assert cluster.traffic["list", "configmaps", 200] == 3


async def test_a_name_is_taken_once(cluster: HttpCluster) -> None:
    await cluster.send(create(CONFIG_MAPS, config_map("a")))
    with pytest.raises(AlreadyExists):
        await cluster.send(create(CONFIG_MAPS, config_map("a")))


async def test_of_two_changes_based_on_one_version_the_second_is_refused(cluster: HttpCluster) -> None:
    made = await cluster.send(create(BATCH_SANDBOXES, sandbox("s")))
    version = made["metadata"]["resourceVersion"]
    await cluster.send(merge(BATCH_SANDBOXES, "s", {"spec": {"pause": True}}, version=version))
    with pytest.raises(VersionConflict):
        await cluster.send(merge(BATCH_SANDBOXES, "s", {"spec": {"pause": False}}, version=version))
    with pytest.raises(VersionConflict):
        await cluster.send(merge_status(BATCH_SANDBOXES, "s", {"phase": "Pausing"}, version=version))
    with pytest.raises(VersionConflict):
        await cluster.send(delete(BATCH_SANDBOXES, "s", version=version))


async def test_the_status_is_written_apart_from_the_spec(cluster: HttpCluster) -> None:
    made = await cluster.send(create(BATCH_SANDBOXES, sandbox("s")))
    answered = await cluster.send(merge_status(BATCH_SANDBOXES, "s", {"phase": "Succeed"}))
    assert answered["status"]["phase"] == "Succeed"
    assert answered["metadata"]["generation"] == made["metadata"]["generation"]
    ignored = await cluster.send(merge(BATCH_SANDBOXES, "s", {"status": {"phase": "Failed"}}))
    assert ignored["status"]["phase"] == "Succeed"


@pytest.mark.parametrize("kind", ["patch", "delete"])
async def test_another_object_of_the_same_name_is_not_found(cluster: HttpCluster, kind: str) -> None:
    first = await cluster.send(create(CONFIG_MAPS, config_map("a")))
    await cluster.send(delete(CONFIG_MAPS, "a", uid=first["metadata"]["uid"]))
    second = await cluster.send(create(CONFIG_MAPS, config_map("a")))
    uid = first["metadata"]["uid"]
    call = (
        strategic(CONFIG_MAPS, "a", {"metadata": {"uid": uid}, "data": {"x": "y"}})
        if kind == "patch"
        else delete(CONFIG_MAPS, "a", uid=uid)
    )
    with pytest.raises(NotFound):
        await cluster.send(call)
    assert (await cluster.send(get(CONFIG_MAPS, "a")))["metadata"] == second["metadata"]


async def test_a_strategic_patch_keeps_the_owners_of_others(cluster: HttpCluster) -> None:
    mine, other = [await cluster.send(create(CONFIG_MAPS, config_map(name))) for name in ("mine", "other")]
    volume = await cluster.send(create(CLAIMS, claim("data")))
    for reference in (owner(other), owner(mine, controller=False, blockOwnerDeletion=False)):
        patch = {"metadata": {"uid": volume["metadata"]["uid"], "ownerReferences": [reference]}}
        volume = await cluster.send(strategic(CLAIMS, "data", patch))
    assert {edge["name"] for edge in volume["metadata"]["ownerReferences"]} == {"mine", "other"}


async def test_a_merge_patch_would_lose_them(cluster: HttpCluster) -> None:
    """Why the content type matters: the other one replaces the list."""
    mine, other = [await cluster.send(create(CONFIG_MAPS, config_map(name))) for name in ("mine", "other")]
    await cluster.send(create(CLAIMS, claim("data")))
    for reference in (owner(other), owner(mine)):
        await cluster.send(merge(CLAIMS, "data", {"metadata": {"ownerReferences": [reference]}}))
    volume = await cluster.send(get(CLAIMS, "data"))
    assert {edge["name"] for edge in volume["metadata"]["ownerReferences"]} == {"mine"}


async def test_an_exceeded_quota_is_exhausted(
    plane: ControlPlane, namespace: str, cluster: HttpCluster
) -> None:
    plane.administration.forbid_more(namespace, "pods")
    with pytest.raises(Exhausted, match="exceeded quota: none") as refused:
        await cluster.send(create(PODS, pod("p")))
    assert refused.value.what == "quota"


async def test_a_missing_permission_names_verb_and_resource(
    plane: ControlPlane, namespace: str, open_cluster: Callable[[Identity], HttpCluster]
) -> None:
    rules = [{"apiGroups": ["sandbox.opensandbox.io"], "resources": ["batchsandboxes"], "verbs": ["create"]}]
    reader = open_cluster(plane.administration.create_account(namespace, "reader", rules))
    await reader.send(create(BATCH_SANDBOXES, sandbox("s")))
    for call, verb, resource in (
        (list_all(CLAIMS), "list", "persistentvolumeclaims"),
        (get(CLAIMS, "x"), "get", "persistentvolumeclaims"),
        (create(CLAIMS, claim("x")), "create", "persistentvolumeclaims"),
        (delete(BATCH_SANDBOXES, "s"), "delete", "batchsandboxes.sandbox.opensandbox.io"),
        (
            merge_status(BATCH_SANDBOXES, "s", {"phase": "Paused"}),
            "patch",
            "batchsandboxes.sandbox.opensandbox.io/status",
        ),
    ):
        with pytest.raises(Forbidden) as refused:
            await reader.send(call)
        assert (refused.value.verb, refused.value.resource) == (verb, resource)


async def test_block_owner_deletion_without_the_right_to_finalize_is_forbidden(
    plane: ControlPlane, namespace: str, open_cluster: Callable[[Identity], HttpCluster]
) -> None:
    rules: list[dict[str, Any]] = [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "create"]},
    ]
    account = open_cluster(plane.administration.create_account(namespace, "some", rules))
    parent = await account.send(create(CONFIG_MAPS, config_map("parent")))
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [owner(parent, blockOwnerDeletion=True)]
    try:
        await account.send(create(CONFIG_MAPS, child))
    except Forbidden as error:
        assert error.verb == "set blockOwnerDeletion on"  # noqa: PT017 - only where that admission is on


async def test_a_missing_namespace_is_named(plane: ControlPlane) -> None:
    async with HttpCluster(plane.connection("nowhere"), field_manager="sandkit-tests") as cluster:
        with pytest.raises(Misconfigured, match="the namespace nowhere does not exist"):
            await cluster.send(create(CONFIG_MAPS, config_map("a")))


async def test_a_namespace_on_its_way_out_is_named(plane: ControlPlane) -> None:
    name = plane.administration.create_namespace("leaving")
    async with HttpCluster(plane.connection(name), field_manager="sandkit-tests") as cluster:
        body = config_map("stays")
        body["metadata"]["finalizers"] = ["example.com/wait"]
        await cluster.send(create(CONFIG_MAPS, body))
        plane.administration.delete_namespace(name)
        with pytest.raises(Misconfigured, match=f"the namespace {name} is being deleted"):
            await cluster.send(create(CONFIG_MAPS, config_map("a")))
        await cluster.send(merge(CONFIG_MAPS, "stays", {"metadata": {"finalizers": None}}))


async def test_a_kind_that_is_not_served_is_no_missing_object(cluster: HttpCluster) -> None:
    unknown = Resource(group="agents.x-k8s.io", version="v1", plural="sandboxes", kind="Sandbox")
    for call in (get(unknown, "a"), list_all(unknown), create(unknown, {"metadata": {"name": "a"}})):
        with pytest.raises(Misconfigured, match=r"does not serve sandboxes\.agents\.x-k8s\.io in version v1"):
            await cluster.send(call)
    assert not await cluster.serves(unknown)
    assert await cluster.serves(BATCH_SANDBOXES)
    assert await cluster.serves(PODS)
    assert not await cluster.serves(replace(BATCH_SANDBOXES, version="v2"))


async def test_unknown_credentials_are_said_to_be_so(plane: ControlPlane, namespace: str) -> None:
    nobody = Identity(name="nobody", token="invented")
    async with HttpCluster(plane.connection(namespace, nobody), field_manager="sandkit-tests") as cluster:
        with pytest.raises(Unavailable, match="does not accept the server's credentials"):
            await cluster.send(get(CONFIG_MAPS, "a"))


async def test_content_that_the_kind_does_not_allow_is_invalid(cluster: HttpCluster) -> None:
    body = pod("p")
    body["spec"]["containers"][0]["image"] = ""
    with pytest.raises(Invalid, match=r"spec\.containers\[0\]\.image: Required value"):
        await cluster.send(create(PODS, body))
    with pytest.raises(Invalid):
        await cluster.send(create(CLAIMS, {"metadata": {"name": "Not A Name"}, "spec": {}}))
    with pytest.raises(Invalid):
        # Only built-in kinds know how their lists merge.
        await cluster.send(strategic(BATCH_SANDBOXES, "s", {}))


async def test_a_policy_tells_why_it_refuses(
    cluster: HttpCluster, plane: ControlPlane, namespace: str
) -> None:
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    plane.administration.patch(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": label}})
    with pytest.raises(Invalid, match='violates PodSecurity "restricted:latest"'):
        await cluster.send(create(PODS, pod("p")))


async def test_a_foreground_delete_waits_for_the_dependents(cluster: HttpCluster) -> None:
    parent = await cluster.send(create(BATCH_SANDBOXES, sandbox("s")))
    child = config_map("child")
    child["metadata"]["ownerReferences"] = [owner(parent, blockOwnerDeletion=True)]
    child["metadata"]["finalizers"] = ["example.com/wait"]
    await cluster.send(create(CONFIG_MAPS, child))

    uid = parent["metadata"]["uid"]
    leaving = await cluster.send(delete(BATCH_SANDBOXES, "s", uid=uid, propagation=Propagation.FOREGROUND))
    assert leaving["metadata"]["deletionTimestamp"]
    async for event in cluster.watch(CONFIG_MAPS, leaving["metadata"]["resourceVersion"]):
        if event.object["metadata"].get("deletionTimestamp"):
            break
    assert (await cluster.send(get(BATCH_SANDBOXES, "s")))["metadata"]["uid"] == uid
    await cluster.send(merge(CONFIG_MAPS, "child", {"metadata": {"finalizers": None}}))
    async for event in cluster.watch(BATCH_SANDBOXES, leaving["metadata"]["resourceVersion"]):
        if event.type == "DELETED":
            break
    with pytest.raises(NotFound):
        await cluster.send(get(BATCH_SANDBOXES, "s"))


async def test_a_name_no_object_can_have_is_not_found_and_never_sent(cluster: HttpCluster) -> None:
    await cluster.send(create(CONFIG_MAPS, config_map("kept")))
    for name in ("", ".", "..", "a/b", "A", "kept?", "kept%2e"):
        with pytest.raises(NotFound):
            await cluster.send(delete(CONFIG_MAPS, name))
    assert await cluster.send(get(CONFIG_MAPS, "kept"))
