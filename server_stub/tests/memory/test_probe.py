"""The probe shows what is, and seeds what others might have made."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandkit_server.core.model import HostSource, ImageSource, OssfsSource, RegistryAuth, SandboxState, Volume
from sandkit_server.core.policy import Policy

from .conftest import MakeWorld
from .world import QUICK, World, claim, refused


async def test_the_view_has_the_shape_of_the_protocol(world: World) -> None:
    sandbox_id = await world.running(claim("mine"), metadata={"team": "search"})
    view = await world.probe.view()
    assert set(view) == {
        "time", "workloads", "volumes", "snapshots", "images", "jobs", "processes", "pools", "secrets",
    }  # fmt: skip
    (workload,) = view["workloads"]
    pod = world.engine.pods.of(sandbox_id)
    assert pod is not None
    assert workload == {
        "name": sandbox_id,
        "sandboxId": sandbox_id,
        "uid": workload["uid"],
        "apiVersion": "sandbox.opensandbox.io/v1alpha1",
        "kind": "BatchSandbox",
        "phase": "Running",
        "replicas": 1,
        "poolRef": None,
        "labels": {"team": "search"},
        "podRunning": True,
        "podUid": pod.uid,
        "imageRef": "python:3.12-slim",
    }
    (volume,) = view["volumes"]
    assert set(volume) == {"name", "uid", "labels", "owners", "phase", "mountedBy", "digest"}
    (process,) = view["processes"]
    assert (process["sandboxId"], process["state"]) == (sandbox_id, "running")
    assert process["command"] == ["python", "-m", "http.server"]
    json.dumps(view)


async def test_the_view_never_shows_a_secret(world: World) -> None:
    image = ImageSource(uri="private/image", auth=RegistryAuth(username="user", password="s3cret"))
    sandbox_id = await world.running(image=image, env={"TOKEN": "s3cret"})
    await world.pause(sandbox_id)
    await world.fault("image.pull", times=1)
    await world.service.resume(sandbox_id)
    await world.until(sandbox_id, SandboxState.PAUSED)
    shown = [await world.probe.view(), await world.probe.events(0), await world.service.events(sandbox_id)]
    shown.append(await world.service.logs(sandbox_id))
    assert "s3cret" not in json.dumps(shown) + repr(await world.service.get_sandbox(sandbox_id))
    secrets = {row["name"]: row["referencedBy"] for row in (await world.probe.view())["secrets"]}
    assert secrets[f"{sandbox_id}-image-pull"] == [sandbox_id]
    assert secrets.keys() > {"registry-push", "registry-pull"}


async def test_events_are_numbered_and_miss_nothing(world: World) -> None:
    start = (await world.probe.events(0))["last"]
    sandbox_id = await world.paused(claim("mine"))
    answer = await world.probe.events(start)
    numbers = [event["seq"] for event in answer["events"]]
    assert numbers == list(range(start + 1, answer["last"] + 1))
    kinds = {event["kind"] for event in answer["events"]}
    assert kinds == {"volume", "workload", "pod", "process", "snapshot", "job", "image"}
    for event in answer["events"]:
        if event["kind"] in ("pod", "snapshot", "job", "process"):
            assert event["object"]["sandboxId"] == sandbox_id
    assert (await world.probe.events(answer["last"])) == {"events": [], "last": answer["last"]}


async def test_files_go_where_the_sandbox_would_put_them(make_world: MakeWorld) -> None:
    world = await make_world(QUICK, Policy(host_path_prefixes=("/data",)))
    mounts = (
        claim("deep", path="/mnt/deep"),
        claim("outer", path="/mnt"),
        Volume(name="host", mount_path="/host", host=HostSource(path="/data/x")),
        Volume(name="oss", mount_path="/oss", ossfs=OssfsSource(bucket="bucket", endpoint="oss.test")),
        Volume(name="sub", mount_path="/sub", sub_path="a/b", claim=claim("outer").claim),
        Volume(name="locked", mount_path="/locked", read_only=True, claim=claim("outer").claim),
    )
    sandbox_id = await world.running(*mounts)
    for path in ("/root.txt", "/mnt/o.txt", "/mnt/deep/d.txt", "/host/h.txt", "/oss/s.txt", "/sub/c.txt"):
        await world.probe.write_file(sandbox_id, path, path.encode())
        assert await world.probe.read_file(sandbox_id, path) == path.encode()
    assert await world.probe.read_volume_file("deep", "/d.txt") == b"/mnt/deep/d.txt"
    assert await world.probe.read_volume_file("outer", "a/b/c.txt") == b"/sub/c.txt"
    await world.probe.write_volume_file("deep", "/e.txt", b"from outside")
    assert await world.probe.read_file(sandbox_id, "/mnt/deep/e.txt") == b"from outside"
    assert await world.probe.read_file(sandbox_id, "/locked/o.txt") == b"/mnt/o.txt"
    assert (await refused(world.probe.write_file(sandbox_id, "/locked/x", b""))).status == 400
    assert (await refused(world.probe.write_file(sandbox_id, "relative", b""))).status == 400
    for call in (
        world.probe.read_file(sandbox_id, "/absent"),
        world.probe.read_file("sbx-none", "/root.txt"),
        world.probe.read_volume_file("deep", "absent"),
        world.probe.read_volume_file("none", "d.txt"),
        world.probe.environment("sbx-none"),
    ):
        assert (await refused(call)).status == 404
    assert list(world.engine.pods.of(sandbox_id).rootfs) == ["/root.txt"]  # type: ignore[union-attr]


async def test_the_digest_covers_names_and_contents(world: World) -> None:
    digests = []
    for name, files in (
        ("a", {}), ("b", {"x": ""}), ("c", {"x": "1"}), ("d", {"x1": ""}), ("e", {"x": "1", "y": "1"}),
        ("f", {"/x": "1"}),
    ):  # fmt: skip
        digests.append((await world.probe.seed_volume({"name": name, "files": files}))["digest"])
    assert len(set(digests)) == 5
    assert digests[2] == digests[5]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/name"),
        ({"name": 1}, "/name"),
        ({"name": "Upper"}, "/name"),
        ({"name": "a", "label": {}}, "/label"),
        ({"name": "a", "labels": {"x": 1}}, "/labels"),
        ({"name": "a", "files": []}, "/files"),
        ({"name": "a", "files": [1]}, "/files"),
        ({"name": "a", "owners": [{"kind": "x"}]}, "/owners/apiVersion"),
        ({"name": "a", "owners": "x"}, "/owners"),
        ({"name": "taken"}, "/name"),
    ],
)
async def test_seeds_are_checked(world: World, body: dict[str, Any], pointer: str) -> None:
    await world.probe.seed_volume({"name": "taken"})
    if body == {"name": "a", "files": []}:
        assert (await world.probe.seed_volume(body))["name"] == "a"
        return
    error = await refused(world.probe.seed_volume(body))
    assert [detail.pointer for detail in error.details] == [pointer]
    assert world.census()["volumes"] == ["taken"]


async def test_seeded_workloads_are_sandboxes_to_the_api(world: World) -> None:
    row = await world.probe.seed_workload({"sandboxId": "sbx-x", "replicas": 2, "metadata": {"a": "b"}})
    assert (row["replicas"], row["phase"], row["podRunning"]) == (2, "Running", True)
    assert (await world.service.get_sandbox("sbx-x")).metadata == {"a": "b"}
    assert (await refused(world.probe.seed_workload({"sandboxId": "sbx-x"}))).status == 400
    await world.delete("sbx-x")
    await world.require_empty()


async def test_removals_behind_the_servers_back(world: World) -> None:
    await world.probe.seed_volume({"name": "a"})
    await world.probe.delete_volume("a")
    sandbox_id = await world.paused(claim("mine"))
    await world.probe.delete_workload(sandbox_id)
    await world.require_empty()
    for call in (
        world.probe.delete_volume("a"),
        world.probe.edit_volume("a", {}),
        world.probe.delete_workload(sandbox_id),
        world.probe.delete_snapshot("snap"),
    ):
        assert (await refused(call)).status == 404


async def test_info(world: World) -> None:
    info = world.probe.info()
    assert info["protocol"] == "sandkit-probe/1"
    assert set(info["capabilities"]) >= {"view", "files", "events", "seed"}
