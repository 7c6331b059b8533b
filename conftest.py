"""What every test of the workspace relies on: the async backend, and no traffic beyond this machine."""

from __future__ import annotations

import ipaddress
import sys

import pytest

# Suites that tests of several tiers inherit: before anything imports them, or a failure tells no values.
pytest.register_assert_rewrite("sandkit_server.testing.contracts")


class ForeignTrafficError(RuntimeError):
    """A test tried to reach an address that is not this machine's loopback."""


def _is_loopback(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host.split("%", 1)[0]).is_loopback
    except ValueError:
        return False


def _refuse_foreign_traffic(event: str, arguments: tuple[object, ...]) -> None:
    """Audit hook (PEP 578): sees every connect, send and look-up of the interpreter, whoever asks."""
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        host = address[0] if isinstance(address, tuple) and address else None
    elif event == "socket.getaddrinfo":
        host = arguments[0]
    else:
        return
    if isinstance(host, bytes):
        host = host.decode("ascii", "replace")
    # Not a tuple: a Unix socket, which stays on this machine. None: the wildcard of a passive look-up.
    if isinstance(host, str) and not _is_loopback(host):
        raise ForeignTrafficError(
            f"{event} to {host!r}: tests talk to loopback only. Start a server on 127.0.0.1, "
            "or replace the transport."
        )


def pytest_configure() -> None:
    sys.addaudithook(_refuse_foreign_traffic)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Coroutine tests run on asyncio; a package may override this to run on trio too."""
    return "asyncio"
