"""EmbeddedServer itself: what other people's tests stand on."""

from __future__ import annotations

import os
from pathlib import Path

import httpx
import pytest

from sandkit_server.main import Alterations
from sandkit_server.settings import SettingsError
from sandkit_server.testing import EmbeddedServer


def test_it_serves_within_a_block_and_not_after_it() -> None:
    with EmbeddedServer() as server:
        url = server.base_url
        assert httpx.get(f"{url}/health").json() == {"status": "healthy"}
        assert server.pid is None
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")
    with pytest.raises(RuntimeError, match="not running"):
        _ = server.base_url
    server.stop()


def test_each_start_begins_empty_and_keys_stay() -> None:
    server = EmbeddedServer()
    key = {"OPEN-SANDBOX-API-KEY": server.api_key or ""}
    body = {"image": {"uri": "a"}, "entrypoint": ["x"], "resourceLimits": {"cpu": "1"}}
    with server:
        httpx.post(f"{server.base_url}/sandboxes", json=body, headers=key).raise_for_status()
        with pytest.raises(RuntimeError, match="running already"):
            server.start()
    with server:
        listed = httpx.get(f"{server.base_url}/sandboxes", headers=key).json()
    assert listed["pagination"]["totalItems"] == 0


def test_two_of_them_do_not_know_each_other() -> None:
    with EmbeddedServer() as one, EmbeddedServer() as other:
        assert one.base_url != other.base_url
        assert len({one.api_key, one.probe_key, one.control_key, other.api_key}) == 4
        strange = httpx.get(
            f"{one.base_url}/sandboxes", headers={"OPEN-SANDBOX-API-KEY": other.api_key or ""}
        )
        assert strange.status_code == 401


def test_settings_can_be_overridden() -> None:
    with EmbeddedServer(api_key=None, probe_port=None, control_port=None, without=("pools",)) as server:
        assert (server.api_key, server.probe_url, server.control_url) == (None, None, None)
        assert httpx.get(f"{server.base_url}/pools").json()["code"] == "POOL::POOL_NOT_SUPPORTED"
    with pytest.raises(SettingsError, match="--pause-mode"):
        EmbeddedServer(pause_mode="sleep")


def test_what_keeps_it_from_starting_is_told() -> None:
    with EmbeddedServer() as taken:
        port = int(taken.base_url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(RuntimeError, match="did not start") as refusal:
            EmbeddedServer(port=port).start()
    assert isinstance(refusal.value.__cause__, OSError)


def test_it_can_be_a_process_of_its_own() -> None:
    with EmbeddedServer(subprocess=True, log_level="warning", allowed_host_prefixes=("/a", "/b")) as server:
        assert server.pid not in (None, os.getpid())
        headers = {"SANDKIT-PROBE-KEY": server.probe_key or ""}
        assert (
            httpx.get(f"{server.probe_url}/v1/info", headers=headers).json()["protocol"] == "sandkit-probe/1"
        )
    with pytest.raises(ValueError, match="this process only"):
        EmbeddedServer(subprocess=True, alter=Alterations())


def test_the_log_of_a_process_is_kept_and_told(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with EmbeddedServer(subprocess=True, log=log) as server:
        port = int(server.base_url.split(":")[2].removesuffix("/v1"))
        with pytest.raises(RuntimeError, match="the address is taken"):
            EmbeddedServer(subprocess=True, log=tmp_path / "other.log", port=port).start()
    assert f"serving {server_url(port)}" in log.read_text()


def server_url(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1"


async def test_it_fits_into_asynchronous_tests() -> None:
    async with EmbeddedServer() as server, httpx.AsyncClient() as client:
        assert (await client.get(f"{server.base_url}/health")).status_code == 200
