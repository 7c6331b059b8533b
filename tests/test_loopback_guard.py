"""The guard of the root conftest: a test cannot leave this machine, by whichever call it tries."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import httpx
import pytest

# TEST-NET-1 (RFC 5737) is never routed, so that even a broken guard reaches nobody.
FOREIGN = "192.0.2.1"


def _connect() -> None:
    with socket.socket() as client:
        client.settimeout(0.05)
        client.connect((FOREIGN, 9))


def _send_datagram() -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"x", (FOREIGN, 9))


def _look_up_name() -> None:
    socket.getaddrinfo("service.example", 80)


def _use_a_client_library() -> None:
    httpx.get(f"http://{FOREIGN}:9/", timeout=0.05, trust_env=False)


@pytest.mark.parametrize("attempt", [_connect, _send_datagram, _look_up_name, _use_a_client_library])
def test_a_foreign_address_is_refused(attempt: Callable[[], None]) -> None:
    with pytest.raises(RuntimeError, match="tests talk to loopback only"):
        attempt()


async def test_the_event_loop_is_guarded_too() -> None:
    with pytest.raises(RuntimeError, match="tests talk to loopback only"):
        await asyncio.open_connection(FOREIGN, 9)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_open(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection((host, port), timeout=5) as client:
            assert client.getpeername()[1] == port
