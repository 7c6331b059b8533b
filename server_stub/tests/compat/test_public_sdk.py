"""The public ``opensandbox`` Python SDK, as its users use it, against our server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from opensandbox import Sandbox, SandboxManager
from opensandbox.config import ConnectionConfig
from opensandbox.exceptions import SandboxApiException
from opensandbox.models.sandboxes import (
    PVC,
    NetworkPolicy,
    NetworkRule,
    PlatformSpec,
    SandboxFilter,
    SandboxImageAuth,
    SandboxImageSpec,
    SnapshotFilter,
    Volume,
)

from sandkit_server.testing import EmbeddedServer


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as running:
        yield running


@pytest.fixture
def config(server: EmbeddedServer) -> ConnectionConfig:
    domain = server.base_url.removeprefix("http://").removesuffix("/v1")
    return ConnectionConfig(domain=domain, api_key=server.api_key, disable_metrics=True)


async def _eventually(look: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(60):
        while True:
            if await look():
                return
            await asyncio.sleep(0.01)


async def _until(manager: SandboxManager, sandbox_id: str, state: str) -> None:
    async def reached() -> bool:
        return (await manager.get_sandbox_info(sandbox_id)).status.state == state

    await _eventually(reached)


def _volume(claim: str) -> Volume:
    return Volume(
        name="work",
        mountPath="/work",
        pvc=PVC(claimName=claim, storage="1Gi", deleteOnSandboxTermination=True),
    )


async def test_the_whole_life_of_a_sandbox(config: ConnectionConfig) -> None:
    async with await SandboxManager.create(config) as manager:
        sandbox = await Sandbox.create(
            SandboxImageSpec("python:3.12", auth=SandboxImageAuth(username="me", password="registry-secret")),
            connection_config=config,
            timeout=timedelta(minutes=10),
            env={"LEVEL": "info"},
            metadata={"team": "search", "tier": "gold"},
            resource={"cpu": "500m", "memory": "512Mi"},
            entrypoint=["python", "-m", "http.server"],
            platform=PlatformSpec(os="linux", arch="amd64"),
            network_policy=NetworkPolicy(
                defaultAction="deny", egress=[NetworkRule(action="allow", target="*.example.com")]
            ),
            volumes=[_volume("compat-life")],
            skip_health_check=True,
        )
        await _until(manager, sandbox.id, "Running")
        info = await sandbox.get_info()
        assert info.metadata == {"team": "search", "tier": "gold"}
        assert info.entrypoint == ["python", "-m", "http.server"]
        assert info.image is not None
        assert info.image.image == "python:3.12"
        assert info.platform is not None
        assert info.platform.arch == "amd64"
        assert info.expires_at is not None

        selected = await manager.list_sandbox_infos(
            SandboxFilter(
                states=["running", "Paused"], metadata={"team": "search", "tier": "gold"}, page_size=5, page=1
            )
        )
        assert [item.id for item in selected.sandbox_infos] == [sandbox.id]
        assert selected.pagination.total_items == 1
        none = await manager.list_sandbox_infos(SandboxFilter(metadata={"team": "search", "tier": "silver"}))
        assert none.sandbox_infos == []

        patched = await sandbox.patch_metadata({"tier": None, "stage": "test"})
        assert patched.metadata == {"team": "search", "stage": "test"}

        renewed = await sandbox.renew(timedelta(minutes=30))
        assert renewed.expires_at is not None
        assert renewed.expires_at > datetime.now(UTC) + timedelta(minutes=29)

        await sandbox.pause()
        await _until(manager, sandbox.id, "Paused")
        with pytest.raises(SandboxApiException) as refused:
            await sandbox.pause()
        assert refused.value.status_code == 409
        assert refused.value.error.code == "SANDBOX::INVALID_STATE"
        await manager.resume_sandbox(sandbox.id)
        await _until(manager, sandbox.id, "Running")

        assert "Running" in (await manager.get_sandbox_info(sandbox.id)).status.state
        await sandbox.kill()
        await sandbox.close()


async def test_snapshots_and_what_is_restored_from_them(config: ConnectionConfig) -> None:
    async with await SandboxManager.create(config) as manager:
        source = await Sandbox.create("python:3.12", connection_config=config, skip_health_check=True)
        await _until(manager, source.id, "Running")
        snapshot = await source.create_snapshot("ready-to-go")
        assert snapshot.sandbox_id == source.id
        assert snapshot.name == "ready-to-go"

        async def ready() -> bool:
            return (await manager.get_snapshot(snapshot.id)).status.state == "Ready"

        await _eventually(ready)
        listed = await manager.list_snapshots(SnapshotFilter(sandbox_id=source.id, states=["ready"]))
        assert [item.id for item in listed.snapshot_infos] == [snapshot.id]
        await source.kill()

        restored = await Sandbox.create(
            snapshot_id=snapshot.id, connection_config=config, skip_health_check=True
        )
        await _until(manager, restored.id, "Running")
        assert (await restored.get_info()).snapshot_id == snapshot.id
        await restored.kill()
        await manager.delete_snapshot(snapshot.id)

        async def gone() -> bool:
            listed = await manager.list_snapshots(SnapshotFilter(sandbox_id=source.id))
            return listed.snapshot_infos == []

        await _eventually(gone)
        await source.close()
        await restored.close()


async def test_its_health_check_reaches_the_sandbox_through_our_data_plane(config: ConnectionConfig) -> None:
    sandbox = await Sandbox.create(
        "python:3.12", connection_config=config, ready_timeout=timedelta(seconds=10)
    )
    assert await sandbox.is_healthy()
    await sandbox.pause()
    await sandbox.close()
    async with await SandboxManager.create(config) as manager:
        await _until(manager, sandbox.id, "Paused")
    back = await Sandbox.resume(sandbox.id, connection_config=config, resume_timeout=timedelta(seconds=10))
    assert await back.is_healthy()
    await back.kill()
    await back.close()


async def test_endpoints_with_secure_access_and_through_the_server(config: ConnectionConfig) -> None:
    sandbox = await Sandbox.create(
        "python:3.12", connection_config=config, secure_access=True, ready_timeout=timedelta(seconds=10)
    )
    assert await sandbox.is_healthy()
    endpoint = await sandbox.get_endpoint(8000)
    assert endpoint.headers
    assert sandbox.id in endpoint.endpoint
    through = ConnectionConfig(
        domain=config.domain, api_key=config.api_key, disable_metrics=True, use_server_proxy=True
    )
    proxied = await Sandbox.connect(sandbox.id, connection_config=through)
    assert await proxied.is_healthy()
    await proxied.kill()
    await proxied.close()
    await sandbox.close()


async def test_errors_arrive_with_status_code_and_request_id(config: ConnectionConfig) -> None:
    async with await SandboxManager.create(config) as manager:
        with pytest.raises(SandboxApiException) as unknown:
            await manager.get_sandbox_info("no-such-sandbox")
    assert unknown.value.status_code == 404
    assert unknown.value.error.code == "SANDBOX::SANDBOX_NOT_FOUND"
    assert unknown.value.request_id
    wrong = ConnectionConfig(domain=config.domain, api_key="wrong", disable_metrics=True)
    async with await SandboxManager.create(wrong) as manager:
        with pytest.raises(SandboxApiException) as refused:
            await manager.list_sandbox_infos(SandboxFilter())
    assert refused.value.status_code == 401


async def test_it_leaves_no_claim_behind(config: ConnectionConfig, server: EmbeddedServer) -> None:
    sandbox = await Sandbox.create(
        "python:3.12", connection_config=config, volumes=[_volume("compat-gone")], skip_health_check=True
    )
    async with await SandboxManager.create(config) as manager:
        await _until(manager, sandbox.id, "Running")
        await sandbox.kill()
        await sandbox.close()
    headers = {"SANDKIT-PROBE-KEY": server.probe_key or ""}
    async with httpx.AsyncClient(base_url=server.probe_url or "", headers=headers) as probe:

        async def swept() -> bool:
            view = (await probe.get("/v1/view")).json()
            return "compat-gone" not in {volume["name"] for volume in view["volumes"]}

        await _eventually(swept)
