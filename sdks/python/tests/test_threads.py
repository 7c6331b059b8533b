"""What only the blocking client has: threads that share it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx

from sandkit import Client
from sandkit.testing import ScriptedTransport, answer, sandbox_body
from sandkit_server.testing import EmbeddedServer


def test_threads_share_one_client(server: EmbeddedServer) -> None:
    with Client(server.api_key, server.base_url) as client:

        def life(number: int) -> tuple[str, str]:
            with client.sandboxes.create(image="i", metadata={"n": str(number)}) as sandbox:
                sandbox.wait_running(timeout=30)
                return sandbox.id, sandbox.metadata["n"]

        with ThreadPoolExecutor(16) as pool:
            lives = list(pool.map(life, range(48)))
    assert len({sandbox_id for sandbox_id, _ in lives}) == 48
    assert [number for _, number in lives] == [str(number) for number in range(48)]


def test_one_sandbox_may_be_read_from_several_threads() -> None:
    gate = threading.Barrier(8, timeout=10)

    def serve(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=sandbox_body(state="Running"))

    with Client("key", transport=httpx.MockTransport(serve)) as client:
        sandbox = client.sandboxes.get("sbx-1")

        def read(_: int) -> str:
            gate.wait()
            return sandbox.refresh().state

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(read, range(8))) == {"Running"}


def test_an_http_client_of_ones_own_is_used_and_left_open() -> None:
    with httpx.Client(transport=ScriptedTransport(answer(200, sandbox_body()))) as http:
        with Client("key", http_client=http) as client:
            client.sandboxes.get("sbx-1")
        assert not http.is_closed
