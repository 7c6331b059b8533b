"""The blocking half of the public ``opensandbox`` SDK against our server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from opensandbox.config.connection_sync import ConnectionConfigSync
from opensandbox.models.sandboxes import PVC, SandboxFilter, Volume
from opensandbox.sync import SandboxManagerSync, SandboxSync

from sandkit_server.testing import EmbeddedServer


@pytest.fixture(scope="module")
def config() -> Iterator[ConnectionConfigSync]:
    with EmbeddedServer() as server:
        domain = server.base_url.removeprefix("http://").removesuffix("/v1")
        yield ConnectionConfigSync(domain=domain, api_key=server.api_key, disable_metrics=True)


def _until(manager: SandboxManagerSync, sandbox_id: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while (found := manager.get_sandbox_info(sandbox_id).status.state) != state:
        assert time.monotonic() < deadline, f"still {found}"
        time.sleep(0.01)


def test_the_whole_life_of_a_sandbox(config: ConnectionConfigSync) -> None:
    manager = SandboxManagerSync.create(config)
    sandbox = SandboxSync.create(
        "python:3.12",
        connection_config=config,
        metadata={"team": "search"},
        volumes=[Volume(name="work", mountPath="/work", pvc=PVC(claimName="compat-sync"))],
        skip_health_check=True,
    )
    _until(manager, sandbox.id, "Running")
    listed = manager.list_sandbox_infos(SandboxFilter(states=["Running"], metadata={"team": "search"}))
    assert [item.id for item in listed.sandbox_infos] == [sandbox.id]
    assert sandbox.patch_metadata({"team": "ranking"}).metadata == {"team": "ranking"}
    assert sandbox.renew(timedelta(minutes=20)).expires_at is not None
    sandbox.pause()
    _until(manager, sandbox.id, "Paused")
    manager.resume_sandbox(sandbox.id)
    _until(manager, sandbox.id, "Running")
    snapshot = sandbox.create_snapshot("kept")
    deadline = time.monotonic() + 60
    while manager.get_snapshot(snapshot.id).status.state != "Ready":
        assert time.monotonic() < deadline
        time.sleep(0.01)
    restored = SandboxSync.create(
        snapshot_id=snapshot.id, connection_config=config, ready_timeout=timedelta(seconds=10)
    )
    assert restored.is_healthy()
    for each in (sandbox, restored):
        each.kill()
        each.close()
    manager.close()
