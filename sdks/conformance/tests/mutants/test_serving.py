"""How variants of a server are started and ended: one process each, or children of one that hosts them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import httpx
import pytest

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.mutants.serving import Host, Order, OwnProcesses, Servers, served


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(params=["own process", "host"])
def either(request: pytest.FixtureRequest, command: tuple[str, ...], servers: Servers) -> Servers:
    return servers if request.param == "host" else OwnProcesses(command)


def test_a_variant_is_served_with_keys_of_its_own(either: Servers) -> None:
    with served(either, "control") as one:
        listing = f"{one.base_url}/sandboxes"
        assert httpx.get(listing, headers={"OPEN-SANDBOX-API-KEY": one.api_key}).status_code == 200
        assert httpx.get(listing).status_code == 401
        assert one.probe_url is not None
        assert one.control_url is not None


def test_a_variant_is_gone_when_it_was_stopped(either: Servers) -> None:
    with served(either, "control") as one:
        address = one.base_url
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)


def test_one_that_cannot_be_served_is_told_with_what_it_said(either: Servers) -> None:
    with pytest.raises(SuiteError, match="there is no mutant no-such"), served(either, "no-such"):
        pass


def test_a_command_that_cannot_serve_is_told_with_what_it_said() -> None:
    broken = OwnProcesses((sys.executable, "-c", "import sys; sys.exit('bad options')"))
    with pytest.raises(SuiteError, match="bad options"), served(broken, "x"):
        pass


@pytest.mark.parametrize("make", [OwnProcesses, Host])
def test_a_command_that_is_not_there_is_told(make: type[OwnProcesses | Host]) -> None:
    with pytest.raises(SuiteError, match="nowhere"), served(make(("/nowhere/at-all",)), "x"):
        pass


def test_what_a_host_serves_ends_with_it(command: tuple[str, ...], tmp_path: Path) -> None:
    host = Host(command)
    ready = tmp_path / "ready.json"
    arguments = ("control", "--port", "0", "--ready-file", str(ready))
    child = host.start(Order(arguments, {"OPEN_SANDBOX_API_KEY": "a-key-for-tests"}, tmp_path / "log"))
    assert running(child)
    host.close()
    assert not running(child)


def test_mutants_of_one_host_know_nothing_of_each_other(servers: Servers) -> None:
    key = "OPEN-SANDBOX-API-KEY"
    with served(servers, "key-missing-accepted") as broken, served(servers, "control") as sound:
        assert httpx.get(f"{broken.base_url}/sandboxes").status_code == 200
        assert httpx.get(f"{sound.base_url}/sandboxes").status_code == 401
        assert httpx.get(f"{broken.base_url}/sandboxes", headers={key: sound.api_key}).status_code == 401


def test_a_host_that_ends_is_told_and_replaced(tmp_path: Path) -> None:
    program = tmp_path / "host.py"
    program.write_text("import sys; sys.stdin.readline()\n", "utf-8")
    host = Host((sys.executable, str(program)))
    order = Order(("control",), {}, tmp_path / "log")
    for _ in range(2):
        with pytest.raises(SuiteError, match="does not answer"):
            host.start(order)
