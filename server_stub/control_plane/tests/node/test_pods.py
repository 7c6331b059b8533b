"""What a pod on the stand-in shows: of its start, its ports, its log, and its end."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest

from sandkit_server.kubernetes.http_cluster import HttpCluster

from .conftest import PORT, Bench, held, is_frozen, is_ready


async def _said(ip: str, path: str = "/") -> str:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://{ip}:{PORT}{path}")).text


async def test_a_pod_gets_ready_with_its_environment_and_answers_under_its_own_address(
    bench: Bench, cluster: HttpCluster
) -> None:
    one = await bench.ready("one", env=[{"name": "STAGE", "value": "test"}])
    two = await bench.ready("two")
    pod = await bench.get("pods", "one")
    assert pod is not None
    assert pod["status"]["podIP"] == one.ip != two.ip
    assert pod["status"]["containerStatuses"][0]["containerID"] == f"containerd://{one.containers[0].id}"
    assert one.containers[0].env == {"STAGE": "test"}
    assert await _said(one.ip) == f"sandbox one, port {PORT}"
    assert await _said(two.ip) == f"sandbox two, port {PORT}"
    assert await _said(two.ip, "/ping") == "pong"
    assert "started: sleep 3600" in await cluster.read_log("one")
    assert (await cluster.read_log("one", container="sandbox", lines=0)).strip() == ""


async def test_a_deleted_pod_ends_and_answers_no_more(bench: Bench) -> None:
    pod = await bench.ready("one")
    await bench.delete("pods", "one")
    await bench.until("pods", "one", lambda found: found is None)
    assert bench.node.containers.of(pod.uid) is None
    with pytest.raises(httpx.ConnectError):
        await _said(pod.ip)


async def test_a_pod_stays_until_its_processes_have_ended(bench: Bench) -> None:
    await bench.ready("one")
    gate = bench.gate("pod.delete")
    await bench.delete("pods", "one")
    await held(gate)
    pod = await bench.get("pods", "one")
    assert pod is not None
    assert "deletionTimestamp" in pod["metadata"]
    assert bench.node.containers.of_sandbox("one") is not None
    bench.disturbances.release(gate)
    await bench.until("pods", "one", lambda found: found is None)


async def test_an_end_that_fails_is_tried_again(bench: Bench) -> None:
    await bench.ready("one")
    fault = bench.fault("pod.delete", times=2)
    await bench.delete("pods", "one")
    await bench.until("pods", "one", lambda found: found is None)
    assert fault.hits == 2


@pytest.mark.parametrize(
    "image", ["no-such-image:1", f"busybox@sha256:{'0' * 64}", "registry.test/sandboxes/never:pushed"]
)
async def test_an_image_that_there_is_not_keeps_the_pod_waiting(bench: Bench, image: str) -> None:
    await bench.pod("one", image=image)
    pod = await bench.until(
        "pods", "one", lambda found: bool(found and found["status"].get("containerStatuses"))
    )
    assert pod is not None
    assert pod["status"]["phase"] == "Pending"
    waiting = pod["status"]["containerStatuses"][0]["state"]["waiting"]
    assert waiting["reason"] == "ErrImagePull"
    assert image in waiting["message"]


async def test_an_image_that_can_be_pulled_later_starts_the_pod(bench: Bench) -> None:
    fault = bench.fault("image.pull", times=2)
    await bench.ready("one")
    assert fault.hits == 2


async def test_a_main_process_that_ends_fails_the_pod(bench: Bench) -> None:
    bench.fault("workload.ready")
    await bench.pod("one")
    pod = await bench.until(
        "pods", "one", lambda found: found is not None and found["status"]["phase"] == "Failed"
    )
    assert pod is not None
    assert not is_ready(pod)
    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 1
    assert bench.node.containers.of_sandbox("one") is None


async def test_a_pod_deleted_before_it_started_never_runs(bench: Bench) -> None:
    gate = bench.gate("image.pull")
    await bench.pod("one")
    await held(gate)
    await bench.delete("pods", "one")
    await bench.until("pods", "one", lambda found: found is None)
    bench.disturbances.release(gate)
    await asyncio.sleep(0)
    assert len(bench.node.containers) == 0


async def test_many_pods_run_side_by_side(bench: Bench) -> None:
    names = [f"pod-{number}" for number in range(60)]
    pods = await asyncio.gather(*(bench.ready(name) for name in names))
    assert len({pod.ip for pod in pods}) == len({pod.uid for pod in pods}) == len(names)


async def test_a_job_with_a_secret_that_is_missing_does_not_begin(bench: Bench) -> None:
    source = await bench.ready("one")
    await bench.delete("secrets", "push")
    job = await bench.job("commit", source)
    path = f"/api/v1/namespaces/{bench.namespace}/pods"
    async with asyncio.timeout(30):
        while True:
            pods, _ = await bench.api.list(path, {"labelSelector": f"batch.kubernetes.io/job-name={job}"})
            statuses = [status for pod in pods for status in pod["status"].get("containerStatuses") or ()]
            if statuses:
                break
            await asyncio.sleep(0.01)
    assert "push" in json.dumps(statuses[0]["state"]["waiting"])
    assert not is_frozen(source)
