"""The way to a sandbox's ports through the server: what passes, and to whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from sandkit_server.core.access import AccessTokens
from sandkit_server.core.errors import SandkitError
from sandkit_server.core.model import EndpointQuery, SandboxState
from sandkit_server.core.observation import DataPlaneAnswer
from sandkit_server.testing.backstage import AbstractCluster, Backstage

from .world import Server, running


class Pod:
    """A port that tells what it was asked, in the words of HTTP."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Of: pod\r\nConnection: close\r\n\r\nhi"
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(self.answer)
        await writer.drain()
        writer.close()


@pytest.fixture
async def pod() -> AsyncIterator[Pod]:
    made = Pod()
    listening = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield made


@pytest.fixture
async def server(cluster: AbstractCluster, backstage: Backstage) -> AsyncIterator[Server]:
    backstage.address = "127.0.0.1"
    async with running(cluster, answer_seconds=0.5, answer_bytes=1000) as started:
        yield started


async def _ask(server: Server, sandbox: str, port: int, path: str = "/", **headers: str) -> DataPlaneAnswer:
    return await server.runtime.data_plane.handle(
        sandbox, port, path, {name.replace("_", "-"): value for name, value in headers.items()}
    )


async def _running(server: Server, **request: Any) -> str:
    sandbox = await server.create(**request)
    await server.until(sandbox.id, SandboxState.RUNNING)
    return sandbox.id


async def test_a_request_passes_with_its_query_and_without_what_is_ours(server: Server, pod: Pod) -> None:
    sandbox = await _running(server)
    answer = await _ask(
        server,
        sandbox,
        pod.port,
        "/a%20b?q=1%202",
        open_sandbox_api_key="key",
        accept="text/plain",
        host="api",
    )
    assert (answer.status, answer.body, answer.headers["x-of"]) == (200, b"hi", "pod")
    (asked,) = pod.asked
    assert asked.startswith("GET /a%20b?q=1%202 HTTP/1.1\r\n")
    assert "accept: text/plain" in asked.lower()
    assert "api-key" not in asked.lower()
    assert f"host: 127.0.0.1:{pod.port}" in asked.lower()


async def test_a_redirect_is_the_clients_to_follow(server: Server, pod: Pod) -> None:
    pod.answer = b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"
    answer = await _ask(server, await _running(server), pod.port)
    assert (answer.status, answer.headers["location"]) == (302, "http://elsewhere.test/")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b"", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "cannot be reached"),
        (b"nonsense\r\n\r\n", "cannot be reached"),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * 2000, "larger than"),
    ],
)
async def test_a_port_that_fails_is_unavailable(server: Server, pod: Pod, answer: bytes, told: str) -> None:
    pod.answer = answer
    with pytest.raises(SandkitError, match=told) as refused:
        await _ask(server, await _running(server), pod.port)
    assert refused.value.status == 503


async def test_a_port_that_says_nothing_is_given_up(server: Server) -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(mute, "127.0.0.1", 0)
    async with listening:
        with pytest.raises(SandkitError, match="in time"):
            await _ask(server, await _running(server), listening.sockets[0].getsockname()[1])


async def test_nothing_listens_unless_it_runs(server: Server, pod: Pod, backstage: Backstage) -> None:
    with pytest.raises(SandkitError) as unknown:
        await _ask(server, "sbx-none", pod.port)
    assert unknown.value.status == 404
    sandbox = await _running(server)
    await server.service.pause(sandbox)
    with pytest.raises(SandkitError, match="is Pausing; nothing listens"):
        await _ask(server, sandbox, pod.port)
    await server.until(sandbox, SandboxState.PAUSED)
    with pytest.raises(SandkitError, match="is Paused; nothing listens"):
        await _ask(server, sandbox, pod.port)
    assert pod.asked == []


async def test_secure_access_asks_for_the_token_of_this_port(server: Server, pod: Pod) -> None:
    sandbox = await _running(server, secure_access=True)
    endpoint = await server.service.endpoint(sandbox, EndpointQuery(port=pod.port))
    (token,) = endpoint.headers.values()
    assert (await _ask(server, sandbox, pod.port, sandkit_access_token=token)).status == 200
    assert "access-token" not in pod.asked[0].lower()
    for given, status in (({}, 401), ({"sandkit_access_token": "1.x"}, 403)):
        with pytest.raises(SandkitError) as refused:
            await _ask(server, sandbox, pod.port, **given)
        assert refused.value.status == status
    with pytest.raises(SandkitError) as other:
        await _ask(server, sandbox, pod.port + 1, sandkit_access_token=token)
    assert other.value.status == 403


async def test_a_token_holds_in_every_server_of_the_namespace(
    server: Server, cluster: AbstractCluster, pod: Pod
) -> None:
    sandbox = await _running(server, secure_access=True)
    (token,) = AccessTokens(b"secret").headers(sandbox, pod.port).values()
    async with running(cluster) as other:
        assert (await _ask(other, sandbox, pod.port, sandkit_access_token=token)).status == 200


async def test_an_access_extends_the_expiry_as_asked_for(server: Server, pod: Pod) -> None:
    sandbox = await _running(server, timeout_seconds=60, extensions={"access.renew.extend.seconds": "300"})
    before = await server.service.get_sandbox(sandbox)
    await _ask(server, sandbox, pod.port)
    after = await server.service.get_sandbox(sandbox)
    assert after.expires_at - before.expires_at > timedelta(seconds=200)
    sent = len(server.cluster.sent)
    await _ask(server, sandbox, pod.port)
    assert len(server.cluster.sent) == sent, "not a write for each request"
