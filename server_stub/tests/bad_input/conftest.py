from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandkit_server.testing import EmbeddedServer

from .census import World


def _until(client: httpx.Client, path: str, state: str) -> None:
    deadline = time.monotonic() + 60
    while (found := client.get(path).raise_for_status().json()["status"]["state"]) != state:
        assert time.monotonic() < deadline, f"{path} stays {found}"
        time.sleep(0.01)


def _made(client: httpx.Client, path: str, body: dict[str, Any] | None = None) -> Any:
    return client.post(path, json=body).raise_for_status().json()


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A server that holds a running and a paused sandbox, volumes, a snapshot and a pool.

    Nothing moves by itself.
    """
    with EmbeddedServer(
        max_lifetime=86_400, allowed_host_prefixes=("/srv/shared",), max_body_bytes=65_536
    ) as server:
        world = World(server)
        client = world.client
        common = {
            "image": {"uri": "python:3.12"},
            "entrypoint": ["python"],
            "resourceLimits": {"cpu": "1"},
            "timeout": 3600,
        }
        volume = {
            "name": "data",
            "mountPath": "/data",
            "pvc": {"claimName": "taken", "deleteOnSandboxTermination": True},
        }
        running = _made(client, "/sandboxes", {**common, "volumes": [volume]})["id"]
        paused = _made(client, "/sandboxes", {**common, "metadata": {"team": "a"}})["id"]
        endless = _made(client, "/sandboxes", {**common, "timeout": None})["id"]
        for sandbox in (running, paused, endless):
            _until(client, f"/sandboxes/{sandbox}", "Running")
        client.post(f"/sandboxes/{paused}/pause").raise_for_status()
        _until(client, f"/sandboxes/{paused}", "Paused")
        snapshot = _made(client, f"/sandboxes/{running}/snapshots", {"name": "first"})["id"]
        _until(client, f"/snapshots/{snapshot}", "Ready")
        template = {"spec": {"containers": [{"image": "python:3.12", "command": ["sleep", "inf"]}]}}
        capacity = {"bufferMin": 0, "bufferMax": 1, "poolMin": 0, "poolMax": 1}
        _made(client, "/pools", {"name": "warm", "template": template, "capacitySpec": capacity})
        world.names = {"running": running, "paused": paused, "endless": endless, "snapshot": snapshot}
        time.sleep(0.2)
        yield world
        world.close()
