"""The whole life of sandboxes against the reference server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandkit import (
    AsyncClient,
    PoolCapacity,
    PoolContainer,
    PoolResources,
    PoolTemplate,
    PoolTemplateSpec,
    PvcVolume,
    RequestOptions,
    Volume,
)
from sandkit.errors import (
    BadRequestError,
    ConflictError,
    InvalidStateError,
    NotFoundError,
    UnauthorizedError,
    UnexpectedStateError,
)
from sandkit_server.testing import EmbeddedServer

IMAGE = "python:3.12-slim"
CAPACITY = PoolCapacity(buffer_min=1, buffer_max=2, pool_min=1, pool_max=4)


async def test_create_pause_resume_snapshot_restore_delete(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        volume = Volume(name="work", mount_path="/work", pvc=PvcVolume(claim_name="life-1"))
        sandbox = await client.sandboxes.create(
            image=IMAGE, timeout=timedelta(hours=1), metadata={"team": "search"}, volumes=[volume]
        )
        async with sandbox:
            assert sandbox.state == "Pending"
            await sandbox.wait_running(timeout=20)
            before = (sandbox.id, sandbox.metadata, sandbox.entrypoint, sandbox.expires_at)
            await sandbox.pause()
            with pytest.raises(InvalidStateError):
                await sandbox.pause()
            await sandbox.wait_paused(timeout=20)
            assert (sandbox.id, sandbox.metadata, sandbox.entrypoint, sandbox.expires_at) == before
            later = datetime.now(UTC) + timedelta(hours=2)
            assert await sandbox.renew(later) == later
            await sandbox.resume()
            await sandbox.wait_running(timeout=20)
            assert sandbox.expires_at == later
            snapshot = await sandbox.snapshot("after-setup")
            await snapshot.wait_ready(timeout=20)
            assert [entry.id async for entry in client.snapshots.list(name="after-setup")] == [snapshot.id]
            async with await client.sandboxes.create(snapshot=snapshot) as restored:
                await restored.wait_running(timeout=20)
                assert restored.snapshot_id == snapshot.id
                assert restored.entrypoint == ("tail", "-f", "/dev/null")
            await restored.wait_until("Terminated", timeout=20)
            await snapshot.delete()
            assert "Running" in await sandbox.events()
            assert await sandbox.logs() != ""
            endpoint = await sandbox.endpoint(8000)
            assert endpoint.url.startswith("http://")
        await sandbox.wait_until("Terminated", timeout=20)
        with pytest.raises(NotFoundError):
            await client.sandboxes.get(sandbox.id)


async def test_lists_filter_and_walk(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        made = [
            await client.sandboxes.create(image=IMAGE, metadata={"run": "walk", "n": str(n)})
            for n in range(7)
        ]
        ids = [sandbox.id async for sandbox in client.sandboxes.list(metadata={"run": "walk"}, page_size=3)]
        assert ids == [sandbox.id for sandbox in made]
        page = await client.sandboxes.list(metadata={"run": "walk", "n": "4"})
        assert (page.total_items, page.items[0].id) == (1, made[4].id)
        await made[0].wait_running(timeout=20)
        running = client.sandboxes.list(state=["running", "paused"], metadata={"run": "walk"})
        assert made[0].id in [sandbox.id async for sandbox in running]
        async for sandbox in client.sandboxes.list(metadata={"run": "walk"}, page_size=3):
            await sandbox.delete()
        for sandbox in made:
            await sandbox.wait_until("Terminated", timeout=20)


async def test_the_same_key_is_the_same_sandbox(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        options = RequestOptions(idempotency_key="order-7")
        first = await client.sandboxes.create(image=IMAGE, options=options)
        second = await client.sandboxes.create(image=IMAGE, options=options)
        assert first.id == second.id
        with pytest.raises(ConflictError) as caught:
            await client.sandboxes.create(image="another", options=options)
        assert caught.value.code == "SANDBOX::IDEMPOTENCY_KEY_REUSED"
        await first.delete()


async def test_metadata_is_patched(server: EmbeddedServer) -> None:
    async with (
        AsyncClient(server.api_key, server.base_url) as client,
        await client.sandboxes.create(image=IMAGE, metadata={"a": "1", "b": "2"}) as sandbox,
    ):
        await sandbox.patch_metadata({"a": None, "c": "3"})
        assert sandbox.metadata == {"b": "2", "c": "3"}
        with pytest.raises(BadRequestError):
            await sandbox.patch_metadata({"opensandbox.io/x": "y"})


async def test_refusals_are_typed_and_point_to_the_field(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.sandboxes.create(image=IMAGE, timeout=5, options=RequestOptions(request_id="mine-1"))
        assert [detail.pointer for detail in caught.value.details] == ["/timeout"]
        assert caught.value.request_id == "mine-1"
        with pytest.raises(NotFoundError) as missing:
            await client.sandboxes.get("no-such")
        assert missing.value.code == "SANDBOX::SANDBOX_NOT_FOUND"
    async with AsyncClient("wrong", server.base_url) as client:
        with pytest.raises(UnauthorizedError):
            await client.sandboxes.get("no-such")
        assert (await client.health()).status == "healthy"


async def test_a_wait_for_what_cannot_come_ends(server: EmbeddedServer) -> None:
    async with AsyncClient(server.api_key, server.base_url) as client:
        sandbox = await client.sandboxes.create(image=IMAGE)
        await sandbox.wait_running(timeout=20)
        await sandbox.delete()
        with pytest.raises((UnexpectedStateError, NotFoundError)):
            await sandbox.wait_paused(timeout=20)


async def test_pools(server: EmbeddedServer) -> None:
    container = PoolContainer(image=IMAGE, resources=PoolResources(limits={"cpu": "1", "memory": "1Gi"}))
    template = PoolTemplate(spec=PoolTemplateSpec(containers=[container]))
    async with AsyncClient(server.api_key, server.base_url) as client:
        pool = await client.pools.create("warm", template=template, capacity=CAPACITY)
        assert pool.name == "warm"
        with pytest.raises(ConflictError):
            await client.pools.create("warm", template=template, capacity=CAPACITY)
        wider = PoolCapacity(buffer_min=1, buffer_max=3, pool_min=1, pool_max=8)
        assert (await client.pools.update("warm", capacity=wider)).capacity_spec == wider
        assert [entry.name for entry in await client.pools.list()] == ["warm"]
        async with await client.sandboxes.create(
            pool="warm", options=RequestOptions(max_retries=8)
        ) as sandbox:
            await sandbox.wait_running(timeout=20)
            assert sandbox.extensions["poolRef"] == "warm"
            with pytest.raises(ConflictError):
                await client.pools.delete("warm")
        await sandbox.wait_until("Terminated", timeout=20)
        await client.pools.delete("warm")
        with pytest.raises(NotFoundError):
            await client.pools.get("warm")


async def test_the_server_says_what_it_can(server: EmbeddedServer) -> None:
    async with AsyncClient(base_url=server.base_url) as client:
        version = await client.version()
        assert version.runtime == "memory"
        assert "idempotency" in (version.capabilities or [])
