"""The Docker probe on a real engine: `DOCKER_HOST` names one that has the image `sandkit/busybox:1`."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.probes.docker.engine import Engine, connect
from sandkit_conformance.probes.docker.probe import DockerProbe, connect_docker
from sandkit_conformance.target import DockerAddress

IMAGE = "sandkit/busybox:1"


@pytest.fixture
def host() -> str:
    return os.environ["DOCKER_HOST"]


@pytest.fixture
async def probe(host: str) -> AsyncIterator[DockerProbe]:
    async with connect_docker(DockerAddress(host, IMAGE, "sandkit-test-snapshots")) as opened:
        yield opened


@pytest.fixture
async def engine(host: str) -> AsyncIterator[Engine]:
    async with connect(host) as opened:
        yield opened


@pytest.fixture
async def volume(engine: Engine) -> AsyncIterator[str]:
    name = f"sandkit-test-{secrets.token_hex(4)}"
    yield name
    await engine.remove(f"/volumes/{name}")


@pytest.fixture
async def sandbox(engine: Engine, volume: str) -> AsyncIterator[str]:
    name = f"sandkit-test-{secrets.token_hex(4)}"
    payload: dict[str, Any] = {
        "Image": IMAGE,
        "Cmd": ["sleep", "300"],
        "Env": ["COLOUR=blue"],
        "Labels": {"opensandbox.io/id": name},
        "HostConfig": {"Binds": [f"{volume}:/data"], "NetworkMode": "none"},
    }
    await engine.ask("POST", "/containers/create", query={"name": name}, payload=payload)
    await engine.ask("POST", f"/containers/{name}/start")
    yield name
    await engine.remove(f"/containers/{name}")


async def test_a_sandbox_is_seen_with_its_process_and_its_volume(
    probe: DockerProbe, sandbox: str, volume: str
) -> None:
    view = await probe.view()
    (workload,) = [row for row in view.kind("workloads") if row["sandboxId"] == sandbox]
    assert (workload["name"], workload["podRunning"], workload["imageRef"]) == (sandbox, True, IMAGE)
    (process,) = [row for row in view.kind("processes") if row["sandboxId"] == sandbox]
    assert (process["command"], process["state"]) == (["sleep", "300"], "running")
    (row,) = [row for row in view.kind("volumes") if row["name"] == volume]
    assert row["mountedBy"] == [sandbox]
    assert (await probe.environment(sandbox))["COLOUR"] == "blue"


async def test_a_paused_sandbox_keeps_its_process_which_stands_still(
    probe: DockerProbe, engine: Engine, sandbox: str
) -> None:
    before = [row for row in (await probe.view()).kind("processes") if row["sandboxId"] == sandbox]
    await engine.ask("POST", f"/containers/{sandbox}/pause")
    after = [row for row in (await probe.view()).kind("processes") if row["sandboxId"] == sandbox]
    assert after == [{**row, "state": "frozen"} for row in before]


@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
async def test_files_are_read_and_written_in_the_root_and_in_the_volume(
    probe: DockerProbe, engine: Engine, sandbox: str, volume: str, paused: bool
) -> None:
    if paused:
        await engine.ask("POST", f"/containers/{sandbox}/pause")
    await probe.write_file(sandbox, "/not/there/yet/notes.txt", "root")
    await probe.write_file(sandbox, "/data/deep/notes.txt", "volume")
    assert await probe.read_file("/not/there/yet/notes.txt", sandbox=sandbox) == "root"
    assert await probe.read_file("/data/deep/notes.txt", sandbox=sandbox) == "volume"
    assert await probe.read_file("/deep/notes.txt", volume=volume) == "volume"
    assert await probe.read_file("/nothing.txt", sandbox=sandbox) is None
    assert await probe.read_file("/nothing.txt", volume=volume) is None


async def test_a_seeded_volume_has_its_labels_and_files_and_can_be_removed(
    probe: DockerProbe, volume: str
) -> None:
    await probe.create_volume({"name": volume, "labels": {"team": "history"}, "files": {"/a/b.txt": "old"}})
    (row,) = [row for row in (await probe.view()).kind("volumes") if row["name"] == volume]
    assert (row["labels"], row["mountedBy"], row["owners"]) == ({"team": "history"}, [], [])
    assert await probe.read_file("/a/b.txt", volume=volume) == "old"
    assert await probe.remove("volume", volume) is True
    assert await probe.remove("volume", volume) is False
    assert await probe.read_file("/a/b.txt", volume=volume) is None


async def test_other_data_in_a_volume_is_another_digest(
    probe: DockerProbe, sandbox: str, volume: str
) -> None:
    async def digest() -> str:
        (row,) = [row for row in (await probe.view()).kind("volumes") if row["name"] == volume]
        return str(row["digest"])

    empty = await digest()
    await probe.write_file(sandbox, "/data/notes.txt", "one")
    one = await digest()
    await probe.write_file(sandbox, "/data/notes.txt", "two")
    assert len({empty, one, await digest()}) == 3


async def test_the_journal_tells_each_thing_once_and_in_order(
    probe: DockerProbe, engine: Engine, sandbox: str, volume: str
) -> None:
    rows, last = await probe.events(None)
    await engine.ask("POST", f"/containers/{sandbox}/pause")
    await engine.remove(f"/containers/{sandbox}")
    await engine.remove(f"/volumes/{volume}")
    later, newest = await probe.events(last)
    told = [(row["kind"], row["action"]) for row in rows if row["name"] in {sandbox, volume}]
    assert told == [("volume", "created"), ("workload", "created"), ("pod", "created")]
    told = [(row["kind"], row["action"]) for row in later if row["name"] in {sandbox, volume}]
    assert told[0] == ("workload", "updated")
    assert set(told[1:]) == {("pod", "deleted"), ("workload", "deleted"), ("volume", "deleted")}
    assert newest == last + len(later)


async def test_a_volume_is_created_once_however_often_it_is_mounted(probe: DockerProbe, volume: str) -> None:
    await probe.create_volume({"name": volume, "labels": {"team": "history"}})
    await probe.read_file("/nothing", volume=volume)
    rows, _ = await probe.events(None)
    created = [row for row in rows if row["name"] == volume and row["action"] == "created"]
    assert [row["object"]["labels"] for row in created] == [{"team": "history"}]


async def test_more_events_than_the_engine_remembers_are_all_there(probe: DockerProbe, volume: str) -> None:
    for _ in range(150):
        await probe.create_volume({"name": volume})
        await probe.remove("volume", volume)
    rows, _ = await probe.events(None)
    assert sum(row["name"] == volume for row in rows) == 300


async def test_nothing_of_the_probe_itself_stays(probe: DockerProbe, engine: Engine, volume: str) -> None:
    await probe.create_volume({"name": volume, "files": {"/a.txt": "a"}})
    names = [name for one in await engine.list_containers({}) for name in one["Names"]]
    assert not [name for name in names if "sandkit-probe" in name]


async def test_an_image_that_the_engine_does_not_have_is_told(host: str, volume: str) -> None:
    async with connect_docker(DockerAddress(host, "sandkit/nowhere:1")) as probe:
        with pytest.raises(SidePortError, match="no image sandkit/nowhere:1"):
            await probe.create_volume({"name": volume, "files": {"/a.txt": "a"}})


async def test_a_sandbox_that_is_not_there_is_told(probe: DockerProbe) -> None:
    assert await probe.read_file("/etc/passwd", sandbox="nobody") is None
    with pytest.raises(SidePortError, match="no container is the sandbox nobody"):
        await probe.write_file("nobody", "/a.txt", "a")
    with pytest.raises(SidePortError, match="no container is the sandbox nobody"):
        await probe.environment("nobody")


async def test_an_error_inside_comes_out_as_it_is(host: str) -> None:
    with pytest.raises(SidePortError, match="as it is"):
        async with connect_docker(DockerAddress(host, IMAGE)):
            raise SidePortError("as it is")
