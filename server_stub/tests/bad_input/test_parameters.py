"""Paths, queries, headers and the bodies of every operation but create."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .case import Case
from .census import World
from .check import check_refusal

INVALID = "REQUEST::INVALID_PARAMETER"
JSON = {"Content-Type": "application/json"}


def _get(name: str, path: str, code: str, *details: tuple[str, str], status: int = 400) -> Case:
    return Case(name=name, method="GET", path=path, code=code, details=details, status=status, headers={})


def _send(
    name: str, method: str, path: str, body: Any, code: str, *details: tuple[str, str], status: int = 400
) -> Case:
    content = json.dumps(body).encode()
    return Case(
        name=name, method=method, path=path, content=content, code=code, details=details, status=status
    )


def _query(name: str, query: str, *details: tuple[str, str]) -> list[Case]:
    return [
        _get(f"{name} of {listing}", f"/{listing}?{query}", INVALID, *details)
        for listing in ("sandboxes", "snapshots")
    ]


QUERIES = [
    *_query("page zero", "page=0", ("query:page", "minimum")),
    *_query("page negative", "page=-1", ("query:page", "minimum")),
    *_query("page as a word", "page=one", ("query:page", "type")),
    *_query("page with a fraction", "page=1.0", ("query:page", "type")),
    *_query("page empty", "page=", ("query:page", "type")),
    *_query("page in other digits", "page=%D9%A1", ("query:page", "type")),
    *_query("page with a sign", "page=%2B1", ("query:page", "type")),
    *_query("page twice", "page=1&page=2", ("query:page", "repeated")),
    *_query("page size zero", "pageSize=0", ("query:pageSize", "minimum")),
    *_query("page size above the maximum", "pageSize=201", ("query:pageSize", "maximum")),
    *_query("two faults", "page=x&pageSize=0", ("query:page", "type"), ("query:pageSize", "minimum")),
    *_query("an empty state", "state=", ("query:state", "minLength")),
    *_query("one empty state of two", "state=Running&state=", ("query:state", "minLength")),
    *_query("text that is not UTF-8", "state=%ff", ("query:state", "utf-8")),
    _get("metadata without a value", "/sandboxes?metadata=team", INVALID, ("query:metadata", "format")),
    _get(
        "metadata that is not UTF-8", "/sandboxes?metadata=a%3D%25ff", INVALID, ("query:metadata", "format")
    ),
    _get("a metadata key twice", "/sandboxes?metadata=a%3D1%26a%3D2", INVALID, ("query:metadata", "unique")),
    _get("an empty snapshot name", "/snapshots?name=", INVALID, ("query:name", "minLength")),
    _get("an empty sandbox id", "/snapshots?sandboxId=", INVALID, ("query:sandboxId", "minLength")),
    _get(
        "an unknown scope of logs",
        "/sandboxes/{running}/diagnostics/logs?scope=kernel",
        "DIAGNOSTICS::UNKNOWN_SCOPE",
        ("query:scope", "known-value"),
    ),
    _get(
        "an unknown scope of events",
        "/sandboxes/{running}/diagnostics/events?scope=kernel",
        "DIAGNOSTICS::UNKNOWN_SCOPE",
        ("query:scope", "known-value"),
    ),
    _get(
        "an empty scope",
        "/sandboxes/{running}/diagnostics/logs?scope=",
        "DIAGNOSTICS::UNKNOWN_SCOPE",
        ("query:scope", "minLength"),
    ),
]

ENDPOINTS = [
    _get(
        f"port {port}",
        f"/sandboxes/{{running}}/endpoints/{port}",
        "SANDBOX::INVALID_PORT",
        ("path:port", rule),
    )
    for port, rule in (
        ("0", "minimum"),
        ("65536", "maximum"),
        ("-1", "minimum"),
        ("http", "type"),
        ("80.0", "type"),
        ("0x50", "type"),
        ("%20", "type"),
        ("99999999999999999999999", "maximum"),
    )
] + [
    _get(
        "both ways to an endpoint",
        "/sandboxes/{running}/endpoints/80?use_server_proxy=true&expires=4102444800",
        INVALID,
        ("query:expires", "not-together"),
    ),
    _get(
        "a proxy flag as a number",
        "/sandboxes/{running}/endpoints/80?use_server_proxy=1",
        INVALID,
        ("query:use_server_proxy", "type"),
    ),
    _get(
        "a proxy flag in capitals",
        "/sandboxes/{running}/endpoints/80?use_server_proxy=TRUE",
        INVALID,
        ("query:use_server_proxy", "type"),
    ),
    _get(
        "a signed address in the past",
        "/sandboxes/{running}/endpoints/80?expires=1",
        INVALID,
        ("query:expires", "future"),
    ),
    _get(
        "a signed address until never",
        "/sandboxes/{running}/endpoints/80?expires=never",
        INVALID,
        ("query:expires", "type"),
    ),
]

RENEW = "/sandboxes/{running}/renew-expiration"
PATCH = "/sandboxes/{running}/metadata"
SNAPSHOTS = "/sandboxes/{running}/snapshots"
LABEL = "SANDBOX::INVALID_METADATA_LABEL"
EXPIRATION = "SANDBOX::INVALID_EXPIRATION"

BODIES = [
    _send("renew without an instant", "POST", RENEW, {}, INVALID, ("/expiresAt", "required")),
    _send("renew with null", "POST", RENEW, {"expiresAt": None}, INVALID, ("/expiresAt", "type")),
    _send("renew with a number", "POST", RENEW, {"expiresAt": 4102444800}, INVALID, ("/expiresAt", "type")),
    _send("renew with a date", "POST", RENEW, {"expiresAt": "2100-01-01"}, INVALID, ("/expiresAt", "format")),
    _send(
        "renew without an offset",
        "POST",
        RENEW,
        {"expiresAt": "2100-01-01T00:00:00"},
        INVALID,
        ("/expiresAt", "format"),
    ),
    _send(
        "renew on a day that is none",
        "POST",
        RENEW,
        {"expiresAt": "2100-02-30T00:00:00Z"},
        INVALID,
        ("/expiresAt", "format"),
    ),
    _send(
        "renew into the past",
        "POST",
        RENEW,
        {"expiresAt": "2020-01-01T00:00:00Z"},
        EXPIRATION,
        ("/expiresAt", "future"),
    ),
    _send(
        "renew before the first year",
        "POST",
        RENEW,
        {"expiresAt": "0001-01-01T00:00:00+14:00"},
        INVALID,
        ("/expiresAt", "format"),
    ),
    _send(
        "renew after the last year",
        "POST",
        RENEW,
        {"expiresAt": "9999-12-31T23:59:59-14:00"},
        INVALID,
        ("/expiresAt", "format"),
    ),
    _send(
        "renew beyond the maximum",
        "POST",
        RENEW,
        {"expiresAt": "2100-01-01T00:00:00Z"},
        EXPIRATION,
        ("/expiresAt", "maximum"),
    ),
    _send(
        "renew what never expires",
        "POST",
        "/sandboxes/{endless}/renew-expiration",
        {"expiresAt": "2100-01-01T00:00:00Z"},
        "SANDBOX::NO_AUTOMATIC_EXPIRATION",
        status=409,
    ),
    _send("patch with a list", "PATCH", PATCH, [], INVALID, ("", "type")),
    _send("patch with null", "PATCH", PATCH, None, INVALID, ("", "type")),
    _send("patch with a number", "PATCH", PATCH, {"a": 1}, INVALID, ("/a", "type")),
    _send("patch with an object", "PATCH", PATCH, {"a": {"b": "c"}}, INVALID, ("/a", "type")),
    _send(
        "patch of a reserved key",
        "PATCH",
        PATCH,
        {"opensandbox.io/id": None},
        LABEL,
        ("/opensandbox.io~1id", "reserved-prefix"),
    ),
    _send("patch half good", "PATCH", PATCH, {"good": "x", "bad key": "y"}, LABEL, ("/bad key", "label-key")),
    _send("snapshot with an empty name", "POST", SNAPSHOTS, {"name": ""}, INVALID, ("/name", "minLength")),
    _send(
        "snapshot with too long a name",
        "POST",
        SNAPSHOTS,
        {"name": "n" * 256},
        INVALID,
        ("/name", "maxLength"),
    ),
    _send(
        "snapshot of a paused sandbox",
        "POST",
        "/sandboxes/{paused}/snapshots",
        {},
        "SNAPSHOT::INVALID_SOURCE_STATE",
        status=409,
    ),
    _send(
        "pool without anything",
        "POST",
        "/pools",
        {},
        INVALID,
        ("/name", "required"),
        ("/template", "required"),
        ("/capacitySpec", "required"),
    ),
    _send(
        "pool of an impossible size",
        "PUT",
        "/pools/warm",
        {"capacitySpec": {"bufferMin": 3, "bufferMax": 1, "poolMin": -1, "poolMax": 10_001}},
        INVALID,
        ("/capacitySpec/poolMin", "minimum"),
        ("/capacitySpec/poolMax", "maximum"),
    ),
    _send(
        "pool whose least is above its most",
        "PUT",
        "/pools/warm",
        {"capacitySpec": {"bufferMin": 3, "bufferMax": 1, "poolMin": 1, "poolMax": 0}},
        INVALID,
        ("/capacitySpec/bufferMin", "range"),
        ("/capacitySpec/poolMin", "range"),
    ),
    _send(
        "pool without containers",
        "POST",
        "/pools",
        {
            "name": "p",
            "template": {"spec": {"containers": []}},
            "capacitySpec": {"bufferMin": 0, "bufferMax": 0, "poolMin": 0, "poolMax": 0},
        },
        INVALID,
        ("/template/spec/containers", "minItems"),
    ),
    _send(
        "a pool that is there",
        "POST",
        "/pools",
        {
            "name": "warm",
            "template": {"spec": {"containers": [{"image": "a"}]}},
            "capacitySpec": {"bufferMin": 0, "bufferMax": 0, "poolMin": 0, "poolMax": 0},
        },
        "POOL::POOL_ALREADY_EXISTS",
        status=409,
    ),
]

NOTHING_THERE = [
    Case(name=f"{method} {path}", method=method, path=path, code=code, status=404, headers={})
    for method, path, code in (
        ("GET", "/sandboxes/none", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/a%2Fb", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/%00", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/%ff", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/" + "x" * 5000, "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/%0d%0aSet-Cookie:%20a=b", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("DELETE", "/sandboxes/none", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("POST", "/sandboxes/none/pause", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("POST", "/sandboxes/none/resume", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("POST", "/sandboxes/none/snapshots", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/none/endpoints/80", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/sandboxes/none/diagnostics/logs", "SANDBOX::SANDBOX_NOT_FOUND"),
        ("GET", "/snapshots/none", "SNAPSHOT::NOT_FOUND"),
        ("DELETE", "/snapshots/none", "SNAPSHOT::NOT_FOUND"),
        ("GET", "/pools/none", "POOL::POOL_NOT_FOUND"),
        ("DELETE", "/pools/none", "POOL::POOL_NOT_FOUND"),
        ("GET", "/nope", "REQUEST::ROUTE_NOT_FOUND"),
        ("GET", "/sandboxes/", "REQUEST::ROUTE_NOT_FOUND"),
        ("POST", "/sandboxes/{running}/pause/", "REQUEST::ROUTE_NOT_FOUND"),
        ("POST", "/sandboxes/{running}/explode", "REQUEST::ROUTE_NOT_FOUND"),
    )
]

METHODS = [
    Case(
        name=f"{method} {path}",
        method=method,
        path=path,
        code="REQUEST::METHOD_NOT_ALLOWED",
        status=405,
        headers={},
    )
    for method, path in (
        ("PUT", "/sandboxes"),
        ("DELETE", "/sandboxes"),
        ("PATCH", "/sandboxes/{running}"),
        ("POST", "/sandboxes/{running}"),
        ("GET", "/sandboxes/{running}/pause"),
        ("TRACE", "/sandboxes"),
        ("POST", "/health"),
    )
]


@pytest.mark.parametrize("case", METHODS, ids=str)
def test_another_method_is_told_what_the_path_has(world: World, case: Case) -> None:
    check_refusal(world, case)
    answer = world.client.request(case.method, case.path.format_map(world.names))
    allowed = answer.headers["Allow"].split(", ")
    assert case.method not in allowed
    assert "OPTIONS" in allowed


@pytest.mark.parametrize("case", [*QUERIES, *ENDPOINTS, *BODIES, *NOTHING_THERE], ids=str)
def test_it_is_refused_and_leaves_nothing(world: World, case: Case) -> None:
    check_refusal(world, case)


@pytest.mark.parametrize("key", ["", "a b", "ä", "k" * 256, "tab\there"])
@pytest.mark.parametrize("path", ["/sandboxes", "/sandboxes/{running}/snapshots"])
def test_an_idempotency_key_of_the_wrong_form_is_refused(world: World, path: str, key: str) -> None:
    before = world.census()
    answer = world.client.post(
        path.format_map(world.names),
        content=b"{}",
        headers={b"Content-Type": b"application/json", b"Idempotency-Key": key.encode("latin-1")},
    )
    assert answer.status_code == 400
    pointers = [detail["pointer"] for detail in answer.json()["details"]]
    assert pointers[0] == "header:Idempotency-Key"
    assert world.census() == before


def test_faults_of_parameters_and_body_are_told_together(world: World) -> None:
    answer = world.client.post(
        "/sandboxes", content=b'{"timeout": 1}', headers={**JSON, "Idempotency-Key": "a b"}
    )
    assert [(detail["pointer"], detail["rule"]) for detail in answer.json()["details"]] == [
        ("header:Idempotency-Key", "pattern"),
        ("/timeout", "minimum"),
    ]


def test_unknown_parameters_and_fields_are_ignored(world: World) -> None:
    running = world.names["running"]
    assert world.client.get(f"/sandboxes/{running}?verbose=%ff").status_code == 200
    assert world.client.get("/sandboxes?colour=blue&page=1").status_code == 200
    patched = world.client.post(
        f"/sandboxes/{running}/renew-expiration", json={"expiresAt": "x", "unknown": [1]}
    )
    assert [detail["pointer"] for detail in patched.json()["details"]] == ["/expiresAt"]
