"""The faulty proxy: faithful where it has nothing to get wrong, and each fault is one the suite finds."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.cli import run_command_line
from sandkit_conformance.mutants.listing import Kind
from sandkit_conformance.mutants.proxy.behaviours import breaks_off, changes, every, to
from sandkit_conformance.mutants.proxy.catalogue import PROXIES
from sandkit_conformance.mutants.proxy.exchange import Forward, Reply, Request
from sandkit_conformance.mutants.proxy.relay import interposed
from sandkit_conformance.mutants.serving import Servers, served
from sandkit_conformance.mutants.trial import Fate, Manner, try_mutant
from sandkit_server.testing import EmbeddedServer

pytestmark = pytest.mark.anyio


async def faithful(request: Request, forward: Forward) -> Reply:
    return await forward(request)


def test_every_proxy_says_what_it_does_and_what_has_to_find_it() -> None:
    catalogue = load_catalogue()
    for name, proxy in PROXIES.items():
        assert name.startswith("proxy-")
        assert proxy.defect.endswith("."), name
        assert proxy.requirement not in proxy.also, name
        assert {proxy.requirement, *proxy.also} <= catalogue.requirements.keys(), name
        assert proxy.entry.kind is Kind.PROXY


async def test_what_it_has_nothing_against_passes_as_it_is(servers: Servers) -> None:
    with served(servers, "control") as server:
        root = server.base_url.removesuffix("/v1")
        async with interposed(root, faithful) as address, httpx.AsyncClient() as client:
            headers = {"OPEN-SANDBOX-API-KEY": server.api_key, "X-Request-ID": "over-there"}
            for method, path in (
                ("GET", "/v1/sandboxes?page=2&state=Running&state=Paused"),
                ("GET", "/v1/sandboxes/no%20such%2Fthing"),
                ("POST", "/v1/sandboxes"),
                ("OPTIONS", "/v1/sandboxes"),
                ("GET", "/v1/health"),
            ):
                direct = await client.request(method, root + path, headers=headers)
                passed = await client.request(method, address + path, headers=headers)
                assert (passed.status_code, passed.content) == (direct.status_code, direct.content), path
                assert dict(passed.headers) == dict(direct.headers), path


def test_in_front_of_a_running_server_each_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with EmbeddedServer() as server:
        monkeypatch.setenv("PROBE_KEY", str(server.probe_key))
        monkeypatch.setenv("CONTROL_KEY", str(server.control_key))
        ports = (
            *("--probe-url", str(server.probe_url), "--probe-key-env", "PROBE_KEY"),
            *("--control-url", str(server.control_url), "--control-key-env", "CONTROL_KEY"),
        )
        assert _in_front_of(server, tmp_path, monkeypatch, *ports) == {
            "proxy-strips-allow": "killed",
            "proxy-strips-retry-after": "killed",
        }


def test_what_a_running_server_gives_no_occasion_to_see_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without faults nothing is there that could be tried again later."""
    with EmbeddedServer(probe_port=None, control_port=None) as server:
        assert _in_front_of(server, tmp_path, monkeypatch) == {
            "proxy-strips-allow": "killed",
            "proxy-strips-retry-after": "cannot be seen here",
        }


def _in_front_of(
    server: EmbeddedServer, folder: Path, monkeypatch: pytest.MonkeyPatch, *ports: str
) -> dict[str, str]:
    """What becomes of two of the proxies there; the command is content, and nothing stays behind."""
    monkeypatch.setenv("API_KEY", str(server.api_key))
    report = folder / "report.json"
    command = ["mutants", "--proxy", "--base-url", server.base_url, "--api-key-env", "API_KEY", *ports]
    only = ["--only", "proxy-strips-allow", "--only", "proxy-strips-retry-after"]
    assert run_command_line([*command, *only, "--json", str(report)]) == 0
    headers = {"OPEN-SANDBOX-API-KEY": str(server.api_key)}
    assert httpx.get(f"{server.base_url}/sandboxes", headers=headers).json()["items"] == []
    return {one["id"]: one["verdict"] for one in json.loads(report.read_text("utf-8"))["mutants"]}


async def test_a_body_goes_through_in_both_directions(servers: Servers) -> None:
    with served(servers, "control") as server:
        async with interposed(server.base_url.removesuffix("/v1"), faithful) as address:
            body = {
                "image": {"uri": "busybox:1.36"},
                "entrypoint": ["sleep", "60"],
                "resourceLimits": {"cpu": "100m"},
                "metadata": {"weight": "x" * 60},
            }
            async with httpx.AsyncClient(headers={"OPEN-SANDBOX-API-KEY": server.api_key}) as client:
                created = await client.post(f"{address}/v1/sandboxes", json=body)
                assert created.status_code == 202
                assert created.json()["metadata"] == body["metadata"]
                removed = await client.delete(address + created.headers["location"])
                assert (removed.status_code, removed.content) == (204, b"")


async def test_a_body_that_is_broken_off_never_ends(servers: Servers) -> None:
    with served(servers, "control") as server:
        broken = changes(to("GET", "/health"), breaks_off)
        root = server.base_url.removesuffix("/v1")
        async with interposed(root, broken) as address, httpx.AsyncClient() as client:
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"{address}/v1/health")
            assert (await client.get(f"{address}/v1/version")).status_code == 200


async def test_a_server_that_is_away_ends_the_connection_and_not_the_proxy() -> None:
    nobody = interposed("http://127.0.0.1:9", changes(every(), breaks_off))
    async with nobody as address, httpx.AsyncClient() as client:
        for _ in range(2):
            with pytest.raises(httpx.RemoteProtocolError):
                await client.get(f"{address}/v1/health")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["proxy-breaks-off-events", "proxy-caches-for-everybody", "proxy-creates-twice"]
)
def test_the_suite_finds_exactly_the_fault(name: str, servers: Servers) -> None:
    trial = try_mutant(servers, PROXIES[name].entry, Manner())
    assert trial.fate is Fate.KILLED, trial
