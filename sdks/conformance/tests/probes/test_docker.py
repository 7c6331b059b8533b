"""The Docker probe without an engine: what it makes of the engine's words, and of one that misbehaves."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.failures import BadFileError, SuiteError
from sandkit_conformance.probes.docker import objects
from sandkit_conformance.probes.docker.engine import Engine, connect
from sandkit_conformance.target import DEFAULT_DOCKER_HOST, DockerAddress, TargetOptions, load_target

RUNNING: dict[str, Any] = {
    "Id": "c0ffee",
    "Name": "/sandbox-one",
    "Path": "/opt/start",
    "Args": ["sleep", "60"],
    "State": {
        "Status": "running",
        "Running": True,
        "Paused": False,
        "Pid": 41,
        "StartedAt": "2026-01-01T00:00:00Z",
    },
    "Config": {"Image": "base:1", "Labels": {"opensandbox.io/id": "one", "team": "blue"}},
    "Mounts": [
        {"Type": "volume", "Name": "data", "Source": "/volumes/data/_data"},
        {"Type": "bind", "Source": "/volumes/shared/_data/below"},
        {"Type": "bind", "Source": "/volumes/shared-not/_data"},
    ],
}
PAUSED = {**RUNNING, "State": {**RUNNING["State"], "Status": "paused", "Paused": True}}
EXITED = {**RUNNING, "State": {"Status": "exited", "Running": False, "Paused": False, "Pid": 0}}


def test_a_container_is_a_workload_and_its_pod() -> None:
    row = objects.workload_row(RUNNING)
    assert (row["name"], row["sandboxId"], row["phase"]) == ("sandbox-one", "one", "running")
    assert (row["podRunning"], row["podUid"], row["imageRef"]) == (True, "c0ffee", "base:1")
    assert row["labels"]["team"] == "blue"


def test_a_container_that_has_ended_is_a_workload_without_a_pod() -> None:
    row = objects.workload_row(EXITED)
    assert (row["podRunning"], row["podUid"]) == (False, None)
    assert objects.process_row(EXITED) is None


@pytest.mark.parametrize(("container", "state"), [(RUNNING, "running"), (PAUSED, "frozen")])
def test_a_process_stands_still_while_its_container_is_paused(container: Any, state: str) -> None:
    row = objects.process_row(container)
    assert row is not None
    assert (row["state"], row["pid"], row["command"]) == (state, 41, ["/opt/start", "sleep", "60"])


@pytest.mark.parametrize(
    ("name", "users"),
    [("data", ["one"]), ("shared", ["one"]), ("shared-no", []), ("other", [])],
    ids=["by-name", "a-folder-inside", "a-name-that-begins-alike", "not-at-all"],
)
def test_a_volume_knows_the_sandboxes_it_is_mounted_in(name: str, users: list[str]) -> None:
    volume = {"Name": name, "Mountpoint": f"/volumes/{name}/_data", "Labels": None}
    row = objects.volume_row(volume, [RUNNING])
    assert (row["mountedBy"], row["labels"], row["owners"]) == (users, {}, [])


def test_images_of_the_repository_of_snapshots_are_snapshots() -> None:
    images: list[dict[str, Any]] = [
        {"Id": "sha256:1", "RepoTags": ["snaps:s-1", "base:1"], "Labels": {"opensandbox.io/id": "one"}},
        {"Id": "sha256:2", "RepoTags": ["snaps-of-others:x", "<none>:<none>"], "Labels": None},
        {"Id": "sha256:3", "RepoTags": None},
    ]
    assert [(row["id"], row["sandboxId"]) for row in objects.snapshot_rows(images, "snaps")] == [
        ("s-1", "one")
    ]
    assert objects.snapshot_rows(images, None) == []
    refs = [row["ref"] for row in objects.image_rows(images)]
    assert refs == ["snaps:s-1", "base:1", "snaps-of-others:x"]


def _event(kind: str, action: str, **attributes: str) -> dict[str, Any]:
    return {"Type": kind, "Action": action, "Actor": {"ID": "an-id", "Attributes": attributes}}


def test_the_journal_speaks_of_workloads_pods_and_volumes() -> None:
    label = {"opensandbox.io/id": "one", "name": "sandbox-one"}
    told = [
        (entry["kind"], entry["action"], entry["name"])
        for event in (
            _event("container", "create", **label),
            _event("container", "start", **label),
            _event("container", "exec_create: ls", **label),
            _event("container", "die", **label),
            _event("container", "destroy", **label),
            _event("container", "destroy", name="somebody-elses"),
            _event("volume", "create", driver="local"),
            _event("volume", "mount", driver="local"),
            _event("volume", "destroy", driver="local"),
            _event("network", "connect"),
        )
        for entry in objects.journal_entries(event)
    ]
    assert told == [
        ("workload", "created", "sandbox-one"),
        ("pod", "created", "sandbox-one"),
        ("pod", "deleted", "sandbox-one"),
        ("workload", "deleted", "sandbox-one"),
        ("volume", "created", "an-id"),
        ("volume", "deleted", "an-id"),
    ]


def _engine(answer: Callable[[httpx.Request], httpx.Response]) -> Engine:
    return Engine("http://docker", httpx.MockTransport(answer))


async def test_an_engine_that_is_not_there_is_told_by_its_name() -> None:
    async with connect("unix:///nonexistent/docker.sock") as engine:
        with pytest.raises(SidePortError, match="the Docker engine: GET /info"):
            await engine.now()


@pytest.mark.parametrize("content", [b"<html>hello</html>", b'{"SystemTime": "noon"}', b"{}", b"[]", b""])
async def test_something_else_than_an_engine_is_told(content: bytes) -> None:
    async with _engine(lambda _: httpx.Response(200, content=content)) as engine:
        with pytest.raises(SidePortError, match="the Docker engine: GET /info"):
            await engine.now()


async def test_the_clock_is_read_with_nanoseconds_and_an_offset() -> None:
    info = {"SystemTime": "1970-01-01T02:00:01.123456789+02:00"}
    async with _engine(lambda _: httpx.Response(200, json=info)) as engine:
        assert await engine.now() == 1_123_456_000


async def test_a_refusal_of_the_engine_is_told_with_its_words() -> None:
    async with _engine(lambda _: httpx.Response(409, json={"message": "volume is in use"})) as engine:
        with pytest.raises(SidePortError, match=r"409 .*volume is in use"):
            await engine.remove("/volumes/data")


async def test_what_is_not_there_is_not_removed_and_not_read() -> None:
    async with _engine(lambda _: httpx.Response(404, json={"message": "no such thing"})) as engine:
        assert await engine.remove("/volumes/data") is False
        assert await engine.read_file("one", "/etc/motd") is None
        with pytest.raises(SidePortError, match="no container one"):
            await engine.write_files("one", {"/etc/motd": "hello"})


async def test_a_file_goes_in_and_comes_out_as_an_archive() -> None:
    kept: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            assert request.url.params["path"] == "/"
            kept.append(request.content)
            return httpx.Response(200)
        return httpx.Response(200, content=kept[0])

    async with _engine(answer) as engine:
        await engine.write_files("one", {"/home/notes.txt": "grüße"})
        with tarfile.open(fileobj=io.BytesIO(kept[0])) as archive:
            assert archive.getnames() == ["home/notes.txt"]
        assert await engine.read_file("one", "/home/notes.txt") == "grüße"


async def test_an_archive_that_is_none_is_told() -> None:
    async with _engine(lambda _: httpx.Response(200, content=b"no archive" * 100)) as engine:
        with pytest.raises(SidePortError, match="archive of /etc/motd"):
            await engine.read_file("one", "/etc/motd")


@pytest.mark.parametrize("host", ["http://127.0.0.1:2375", "unix:", "docker.sock", ""])
def test_an_address_of_another_form_is_refused(host: str) -> None:
    with pytest.raises(SuiteError, match="no address of a Docker engine"):
        connect(host)


def _load(folder: Path, probe: dict[str, Any], environment: dict[str, str]) -> Any:
    path = folder / "target.yaml"
    path.write_text(json.dumps({"version": 1, "baseUrl": "http://127.0.0.1:1/v1", "probe": probe}), "utf-8")
    return load_target(path, TargetOptions(), environment).probe


def test_a_target_file_names_the_engine(tmp_path: Path) -> None:
    probe = {"kind": "docker", "image": "base:1"}
    assert _load(tmp_path, probe, {}) == DockerAddress(DEFAULT_DOCKER_HOST, "base:1")
    named = {**probe, "host": "tcp://127.0.0.1:2375", "snapshotImages": "snaps"}
    assert _load(tmp_path, named, {}) == DockerAddress("tcp://127.0.0.1:2375", "base:1", "snaps")
    elsewhere = {**named, "hostEnv": "ENGINE"}
    assert _load(tmp_path, elsewhere, {"ENGINE": "unix:///run/it.sock"}).host == "unix:///run/it.sock"


@pytest.mark.parametrize("probe", [{"kind": "docker"}, {"kind": "docker", "image": "a", "url": "http://x"}])
def test_a_target_file_without_an_image_or_with_a_port_is_refused(
    tmp_path: Path, probe: dict[str, Any]
) -> None:
    with pytest.raises(BadFileError):
        _load(tmp_path, probe, {})


def test_an_engine_in_a_variable_that_is_not_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(SuiteError, match="ENGINE is not set"):
        _load(tmp_path, {"kind": "docker", "image": "base:1", "hostEnv": "ENGINE"}, {})
