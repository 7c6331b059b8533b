"""Every operation but two asks for the key, before it looks at anything else."""

from __future__ import annotations

import httpx
import pytest

from sandkit_server._generated.routes import ROUTES
from sandkit_server._generated.routes import Route as Operation

from .census import World
from .check import check_envelope

SECURED = [operation for operation in ROUTES if operation.authenticated]
OPEN = [operation for operation in ROUTES if not operation.authenticated]


def _path(operation: Operation, world: World) -> str:
    known = {
        "sandboxId": world.names["running"],
        "snapshotId": world.names["snapshot"],
        "poolName": "warm",
        "port": "80",
    }
    return operation.path.format_map(known)


@pytest.mark.parametrize("key", [None, "", "wrong"], ids=["no key", "empty key", "wrong key"])
@pytest.mark.parametrize("operation", SECURED, ids=lambda operation: operation.operation_id)
def test_without_the_key_nothing_is_done_and_nothing_is_told(
    world: World, operation: Operation, key: str | None
) -> None:
    before = world.census()
    headers = {} if key is None else {"OPEN-SANDBOX-API-KEY": key}
    answer = httpx.request(
        operation.method,
        world.server.base_url + _path(operation, world),
        headers=headers,
        content=b"{not json",
    )
    body = check_envelope(answer)
    assert (answer.status_code, body["code"]) == (401, "REQUEST::UNAUTHORIZED")
    assert (world.server.api_key or "") not in answer.text
    assert world.census() == before


def test_only_health_and_version_are_open(world: World) -> None:
    assert {operation.operation_id for operation in OPEN} == {"getHealth", "getVersion"}
    for operation in OPEN:
        assert httpx.get(world.server.base_url + operation.path).status_code == 200


@pytest.mark.parametrize("operation", ROUTES, ids=lambda operation: operation.operation_id)
def test_every_route_is_there_at_the_root_too(world: World, operation: Operation) -> None:
    root = world.server.base_url.removesuffix("/v1")
    under_version, at_root = (
        httpx.request("LINK", base + _path(operation, world)) for base in (world.server.base_url, root)
    )
    assert under_version.status_code == at_root.status_code == 405
    assert under_version.headers["Allow"] == at_root.headers["Allow"]
    assert operation.method in at_root.headers["Allow"]


@pytest.mark.parametrize("name", ["probe", "control"])
def test_probe_and_control_have_keys_of_their_own(world: World, name: str) -> None:
    server = world.server
    url = server.probe_url if name == "probe" else server.control_url
    header = f"SANDKIT-{name.upper()}-KEY"
    own = server.probe_key if name == "probe" else server.control_key
    assert httpx.get(f"{url}/v1/info", headers={header: own or ""}).status_code == 200
    for headers in ({}, {header: server.api_key or ""}, {"OPEN-SANDBOX-API-KEY": server.api_key or ""}):
        answer = httpx.get(f"{url}/v1/info", headers=headers)
        assert (answer.status_code, check_envelope(answer)["code"]) == (401, "REQUEST::UNAUTHORIZED")


@pytest.mark.parametrize(
    ("method", "path", "body", "pointer"),
    [
        ("POST", "/v1/clock/advance", {}, "/seconds"),
        ("POST", "/v1/clock/advance", {"seconds": -1}, "/seconds"),
        ("POST", "/v1/clock/advance", {"seconds": "1"}, "/seconds"),
        ("POST", "/v1/clock/advance", [], ""),
        ("GET", "/v1/gates/none?wait=61", None, "query:wait"),
        ("GET", "/v1/gates/none?wait=x", None, "query:wait"),
    ],
)
def test_the_control_refuses_what_it_does_not_understand(
    world: World, method: str, path: str, body: object, pointer: str
) -> None:
    server = world.server
    answer = httpx.request(
        method,
        f"{server.control_url}{path}",
        json=body,
        headers={"SANDKIT-CONTROL-KEY": server.control_key or ""},
    )
    assert answer.status_code == 400
    assert [detail["pointer"] for detail in check_envelope(answer)["details"]] == [pointer]
