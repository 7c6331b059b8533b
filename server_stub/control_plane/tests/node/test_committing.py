"""Commit and release jobs on the stand-in, as the controller makes them and the job controller runs them."""

from __future__ import annotations

import json

import pytest

from sandkit_server.testing.control_plane.node.registry import ImageUnavailable

from .conftest import Bench, held, is_frozen


async def test_a_commit_makes_an_image_that_can_be_pulled_by_its_digest(bench: Bench) -> None:
    source = await bench.ready("one")
    source.containers[0].rootfs["/root/notes.txt"] = b"written"
    job = await bench.job("commit", source)
    ended = await bench.ended(job)
    (container,) = json.loads(ended["message"])["containers"]
    assert ended["exitCode"] == 0
    assert container["containerName"] == "sandbox"
    assert container["imageUri"] == "registry.test/sandboxes/one:snap-1"
    resumed = await bench.ready("two", image=f"{container['imageUri']}@{container['imageDigest']}")
    assert resumed.containers[0].rootfs == {"/root/notes.txt": b"written"}
    assert not is_frozen(source)
    await bench.until(
        "jobs",
        job,
        lambda found: bool(
            found and any(one["type"] == "Complete" for one in found["status"].get("conditions") or ())
        ),
        "/apis/batch/v1",
    )


async def test_the_source_stands_still_while_it_is_copied_and_not_while_it_is_pushed(bench: Bench) -> None:
    source = await bench.ready("one")
    copying, pushing = bench.gate("snapshot.commit"), bench.gate("snapshot.push")
    job = await bench.job("commit", source)
    await held(copying)
    assert is_frozen(source)
    bench.disturbances.release(copying)
    await held(pushing)
    assert not is_frozen(source)
    bench.disturbances.release(pushing)
    assert (await bench.ended(job))["exitCode"] == 0


@pytest.mark.parametrize(
    ("point", "reason"), [("snapshot.commit", "CommitFailed"), ("snapshot.push", "PushFailed")]
)
async def test_a_commit_that_fails_says_why_and_lets_the_source_run_on(
    bench: Bench, point: str, reason: str
) -> None:
    source = await bench.ready("one")
    bench.fault(point, status=403)
    ended = await bench.ended(await bench.job("commit", source))
    assert ended["exitCode"] == 1
    assert json.loads(ended["message"])["reason"] == reason
    assert not is_frozen(source)


async def test_a_killed_committer_leaves_the_source_frozen_until_it_is_released(bench: Bench) -> None:
    source = await bench.ready("one")
    bench.fault("snapshot.commit", action="crash")
    ended = await bench.ended(await bench.job("commit", source))
    assert (ended["exitCode"], ended.get("message")) == (137, None)
    assert is_frozen(source)
    released = await bench.ended(await bench.job("release", source))
    assert released["exitCode"] == 0
    assert not is_frozen(source)


async def test_a_tag_is_pushed_once(bench: Bench) -> None:
    source = await bench.ready("one")
    assert (await bench.ended(await bench.job("commit", source)))["exitCode"] == 0
    with pytest.raises(ImageUnavailable, match="immutable"):
        bench.node.registry.push("registry.test/sandboxes/one:snap-1", {})


async def test_what_does_not_run_here_cannot_be_committed(bench: Bench) -> None:
    source = await bench.ready("one")
    gone = await bench.ready("two")
    await bench.delete("pods", "two")
    await bench.until("pods", "two", lambda found: found is None)
    ended = await bench.ended(await bench.job("commit", gone))
    assert json.loads(ended["message"])["reason"] == "ContainerNotFound"
    assert not is_frozen(source)
