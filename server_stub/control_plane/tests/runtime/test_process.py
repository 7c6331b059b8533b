"""``sandkit-server serve --runtime kubernetes`` as a process, killed and started anew."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import httpx

from sandkit_server.testing import EmbeddedServer

from .conftest import Place

CREATE = {
    "image": {"uri": "busybox:1.36"},
    "entrypoint": ["sleep", "3600"],
    "resourceLimits": {"cpu": "100m", "memory": "64Mi"},
}


def _server(place: Place, folder: Path) -> EmbeddedServer:
    kubeconfig = folder / "kubeconfig"
    kubeconfig.touch(mode=0o600)
    kubeconfig.write_text(place.plane.kubeconfig(place.namespace))
    return EmbeddedServer(
        subprocess=True,
        log=folder / "server.log",
        runtime="kubernetes",
        kubeconfig=kubeconfig,
        probe_port=None,
        control_port=None,
        endpoints="server",
    )


async def _until_running(client: httpx.AsyncClient, path: str) -> None:
    async with asyncio.timeout(60):
        while (await client.get(path)).json()["status"]["state"] != "Running":  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.05)


async def test_what_a_killed_server_began_its_successor_goes_on_with(place: Place, tmp_path: Path) -> None:
    async with _server(place, tmp_path) as doomed:
        headers = {"OPEN-SANDBOX-API-KEY": doomed.api_key or ""}
        async with httpx.AsyncClient(base_url=doomed.base_url, headers=headers) as client:
            version = (await client.get("/version")).json()
            made = await client.post("/sandboxes", json=CREATE, headers={"Idempotency-Key": "once"})
        assert doomed.pid is not None
        os.kill(doomed.pid, signal.SIGKILL)
    assert (version["runtime"], made.status_code) == ("kubernetes", 202)
    async with _server(place, tmp_path) as heir:
        headers = {"OPEN-SANDBOX-API-KEY": heir.api_key or ""}
        async with httpx.AsyncClient(base_url=heir.base_url, headers=headers) as client:
            path = f"/sandboxes/{made.json()['id']}"
            await _until_running(client, path)
            endpoint = (await client.get(f"{path}/endpoints/8080")).json()["endpoint"]
            assert endpoint == f"{heir.base_url.removeprefix('http://')}{path}/proxy/8080"
            assert (await client.delete(path)).status_code == 204
    assert "Traceback" not in (tmp_path / "server.log").read_text()
