"""Claims on the stand-in: bound, mounted, protected while in use, and gone with their contents."""

from __future__ import annotations

import asyncio

from sandkit_server.testing.control_plane.node.containers import RunningPod
from sandkit_server.testing.control_plane.node.provisioner import BOUND_NOTE

from .conftest import PATIENCE, Bench


def _write(bench: Bench, pod: RunningPod, path: str, content: bytes) -> None:
    files, inner, _ = pod.containers[0].place(path, bench.node.volumes)
    files[inner] = content


def _read(bench: Bench, pod: RunningPod, path: str) -> bytes | None:
    files, inner, _ = pod.containers[0].place(path, bench.node.volumes)
    return files.get(inner)


async def test_what_a_pod_writes_below_a_mount_is_in_the_claim(bench: Bench) -> None:
    await bench.claim("data")
    one = await bench.ready("one", claims=["data"])
    _write(bench, one, "/mnt/data/a.txt", b"kept")
    _write(bench, one, "/a.txt", b"lost")
    await bench.delete("pods", "one")
    await bench.until("pods", "one", lambda found: found is None)
    two = await bench.ready("two", claims=["data"])
    assert _read(bench, two, "/mnt/data/a.txt") == b"kept"
    assert _read(bench, two, "/a.txt") is None


async def test_a_claim_in_use_goes_when_its_pod_has_gone(bench: Bench) -> None:
    await bench.claim("data")
    await bench.ready("one", claims=["data"])
    await bench.delete("persistentvolumeclaims", "data")
    claim = await bench.get("persistentvolumeclaims", "data")
    assert claim is not None
    assert "deletionTimestamp" in claim["metadata"]
    await bench.delete("pods", "one")
    await bench.until("persistentvolumeclaims", "data", lambda found: found is None)


async def test_a_later_claim_of_the_name_is_empty_and_the_old_volume_is_gone(bench: Bench) -> None:
    first = await bench.claim("data")
    one = await bench.ready("one", claims=["data"])
    _write(bench, one, "/mnt/data/a.txt", b"old")
    await bench.delete("pods", "one")
    await bench.until("pods", "one", lambda found: found is None)
    await bench.delete("persistentvolumeclaims", "data")
    await bench.until("persistentvolumeclaims", "data", lambda found: found is None)
    second = await bench.claim("data")
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    two = await bench.ready("two", claims=["data"])
    assert _read(bench, two, "/mnt/data/a.txt") is None
    volumes, _ = await bench.api.list("/api/v1/persistentvolumes")
    ours = [one for one in volumes if one["spec"]["claimRef"]["namespace"] == bench.namespace]
    assert first["spec"]["volumeName"] not in {
        one["metadata"]["name"] for one in ours if one["status"]["phase"] == "Bound"
    }


async def test_a_pod_waits_for_its_claim(bench: Bench) -> None:
    await bench.pod("one", claims=["later"])
    pod = await bench.get("pods", "one")
    assert pod is not None
    assert pod["status"]["phase"] == "Pending"
    await bench.claim("later")
    await bench.until(
        "pods", "one", lambda found: found is not None and found["status"]["phase"] == "Running"
    )


async def test_a_volume_changes_once_more_after_its_claim_was_bound(bench: Bench) -> None:
    """Or a pod that the scheduler tried by an old picture of the claim would wait for minutes."""
    claim = await bench.claim("data")
    path = f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}"
    async with asyncio.timeout(PATIENCE):
        while True:
            volume = await bench.api.get(path)
            assert volume is not None
            if BOUND_NOTE in volume["metadata"]["annotations"]:
                break
            await asyncio.sleep(0.01)
