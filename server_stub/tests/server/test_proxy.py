"""The way to a sandbox's own ports: what the sandbox says passes, what never reached it is ours to say."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sandkit_server.testing import EmbeddedServer

from .conftest import running, until


@pytest.fixture
async def stranger(server: EmbeddedServer) -> AsyncIterator[httpx.AsyncClient]:
    """Whoever holds an address: no key of the API."""
    async with httpx.AsyncClient(base_url=server.base_url, timeout=20) as connected:
        yield connected


async def test_a_running_sandbox_answers_at_the_address_its_endpoint_tells(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    sandbox = await running(client)
    endpoint = (await client.get(f"/sandboxes/{sandbox}/endpoints/8000")).json()["endpoint"]
    for path in ("", "/", "/ping", "/a/b%2Fc"):
        answer = await stranger.get(f"http://{endpoint}{path}")
        assert answer.status_code == 200
        assert answer.headers["X-Request-ID"]
        assert answer.headers["Content-Type"].startswith("text/plain")
    assert (await stranger.get(f"http://{endpoint}/ping")).text == "pong"


async def test_what_never_reaches_a_sandbox_is_an_envelope(
    client: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    sandbox = await running(client, secureAccess=True)
    header = (await client.get(f"/sandboxes/{sandbox}/endpoints/80")).json()["headers"]
    base = f"/sandboxes/{sandbox}/proxy"
    assert (await stranger.get(f"{base}/80", headers=header)).status_code == 200
    answers = {
        "REQUEST::UNAUTHORIZED": await stranger.get(f"{base}/80"),
        "REQUEST::FORBIDDEN": await stranger.get(f"{base}/81", headers=dict.fromkeys(header, "wrong")),
        "SANDBOX::INVALID_PORT": await stranger.get(f"{base}/0"),
        "SANDBOX::SANDBOX_NOT_FOUND": await stranger.get("/sandboxes/none/proxy/80"),
        "REQUEST::METHOD_NOT_ALLOWED": await stranger.post(f"{base}/80"),
    }
    (await client.post(f"/sandboxes/{sandbox}/pause")).raise_for_status()
    await until(client, f"/sandboxes/{sandbox}", "Paused")
    answers["REQUEST::UNAVAILABLE"] = await stranger.get(f"{base}/80", headers=header)
    assert {code: answer.json()["code"] for code, answer in answers.items()} == {
        code: code for code in answers
    }
    assert [answer.status_code for answer in answers.values()] == [401, 403, 400, 404, 405, 503]
    assert answers["REQUEST::UNAVAILABLE"].headers["Retry-After"]


@pytest.mark.parametrize("port", ["0", "65536", "080", "x", "-1", "%30"])
async def test_a_port_that_is_none_is_refused(stranger: httpx.AsyncClient, port: str) -> None:
    answer = await stranger.get(f"/sandboxes/any/proxy/{port}/ping")
    assert (answer.status_code, answer.json()["code"]) == (400, "SANDBOX::INVALID_PORT")
