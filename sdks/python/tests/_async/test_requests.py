"""What goes on the wire: addresses, headers, bodies."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from sandkit import (
    AsyncClient,
    CredentialProxy,
    HostVolume,
    ImageAuth,
    ImageSpec,
    NetworkPolicy,
    NetworkRule,
    Platform,
    PoolCapacity,
    PoolContainer,
    PoolTemplate,
    PoolTemplateSpec,
    PvcVolume,
    RequestOptions,
    Volume,
)
from sandkit.errors import ConfigurationError
from sandkit.testing import ScriptedTransport, answer, page_body, sandbox_body, snapshot_body

POOL = {"name": "warm", "capacitySpec": {"bufferMin": 1, "bufferMax": 2, "poolMin": 1, "poolMax": 4}}
CAPACITY = PoolCapacity(buffer_min=1, buffer_max=2, pool_min=1, pool_max=4)
DEFAULT_LIMITS = {"cpu": "1", "memory": "1Gi"}


async def body_of_create(**fields: Any) -> Any:
    server = ScriptedTransport(answer(202, sandbox_body(state="Pending")))
    async with AsyncClient("key", "http://localhost:1", transport=server) as client:
        await client.sandboxes.create(**fields)
    return json.loads(server.requests[0].content)


async def test_a_create_from_an_image_runs_something_within_limits_by_default() -> None:
    assert await body_of_create(image="python:3.12-slim") == {
        "image": {"uri": "python:3.12-slim"},
        "entrypoint": ["tail", "-f", "/dev/null"],
        "resourceLimits": DEFAULT_LIMITS,
    }


async def test_a_create_from_a_snapshot_leaves_the_entrypoint_to_the_server() -> None:
    expected = {"snapshotId": "snap-1", "resourceLimits": DEFAULT_LIMITS}
    assert await body_of_create(snapshot="snap-1") == expected
    server = ScriptedTransport(answer(200, snapshot_body()), answer(202, sandbox_body()))
    async with AsyncClient("key", transport=server) as client:
        await client.sandboxes.create(snapshot=await client.snapshots.get("snap-1"))
    assert json.loads(server.requests[1].content) == expected


async def test_a_create_from_a_pool_says_nothing_else() -> None:
    assert await body_of_create(pool="warm", timeout=600) == {
        "extensions": {"poolRef": "warm"},
        "timeout": 600,
    }
    assert await body_of_create(pool="warm", extensions={"a": "b"}) == {
        "extensions": {"a": "b", "poolRef": "warm"}
    }


EVERY_FIELD: dict[str, Any] = {
    "image": ImageSpec(uri="private/image", auth=ImageAuth(username="me", password="pw")),
    "entrypoint": ("python", "-m", "http.server"),
    "timeout": timedelta(hours=1),
    "resource_limits": {"cpu": "500m"},
    "resource_requests": {"cpu": "100m"},
    "env": {"LEVEL": "info"},
    "metadata": {"team": "search"},
    "volumes": [
        Volume(
            name="work",
            mount_path="/work",
            pvc=PvcVolume(claim_name="work-1", delete_on_sandbox_termination=True, storage=None),
        ),
        Volume(name="host", mount_path="/host", read_only=True, host=HostVolume(path="/srv")),
    ],
    "platform": "linux/arm64",
    "network_policy": NetworkPolicy(
        default_action="deny", egress=[NetworkRule(action="allow", target="example.com")]
    ),
    "credential_proxy": True,
    "secure_access": True,
    "extensions": {"access.renew.extend.seconds": "600"},
}
EVERY_FIELD_SENT = {
    "image": {"uri": "private/image", "auth": {"username": "me", "password": "pw"}},
    "entrypoint": ["python", "-m", "http.server"],
    "timeout": 3600,
    "resourceLimits": {"cpu": "500m"},
    "resourceRequests": {"cpu": "100m"},
    "env": {"LEVEL": "info"},
    "metadata": {"team": "search"},
    "volumes": [
        {
            "name": "work",
            "mountPath": "/work",
            "pvc": {"claimName": "work-1", "deleteOnSandboxTermination": True, "storage": None},
        },
        {"name": "host", "mountPath": "/host", "readOnly": True, "host": {"path": "/srv"}},
    ],
    "platform": {"os": "linux", "arch": "arm64"},
    "networkPolicy": {
        "defaultAction": "deny",
        "egress": [{"action": "allow", "target": "example.com"}],
    },
    "credentialProxy": {"enabled": True},
    "secureAccess": True,
    "extensions": {"access.renew.extend.seconds": "600"},
}


async def test_every_field_of_a_create() -> None:
    assert await body_of_create(**EVERY_FIELD) == EVERY_FIELD_SENT


async def test_none_means_not_given() -> None:
    assert await body_of_create(
        image="i",
        entrypoint=["x"],
        timeout=None,
        resource_limits=None,
        platform=Platform(os="linux", arch="amd64"),
        credential_proxy=CredentialProxy(enabled=False),
    ) == {
        "image": {"uri": "i"},
        "entrypoint": ["x"],
        "platform": {"os": "linux", "arch": "amd64"},
        "credentialProxy": {"enabled": False},
    }


@pytest.mark.parametrize(
    ("fields", "problem", "told"),
    [
        ({"image": "i", "entry_point": ["x"]}, TypeError, "did you mean 'entrypoint'"),
        ({"image": "i", "zzz": 1}, TypeError, "it takes image, snapshot, pool"),
        ({"image": "i", "entrypoint": "sleep 1"}, TypeError, "one string per argument"),
        ({"image": "i", "timeout": True}, TypeError, "whole seconds or a timedelta"),
        ({"image": "i", "timeout": 60.0}, TypeError, "whole seconds or a timedelta"),
        ({"image": "i", "timeout": timedelta(seconds=60.5)}, ValueError, "whole seconds"),
        ({"image": "i", "platform": "linux"}, ValueError, "os/arch"),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    fields: dict[str, Any], problem: type[Exception], told: str
) -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        with pytest.raises(problem, match=told):
            await client.sandboxes.create(**fields)
    assert server.requests == []


def test_a_misspelt_field_of_a_volume_is_refused() -> None:
    with pytest.raises(TypeError, match="reed_only"):
        Volume(name="a", mount_path="/a", reed_only=True)  # type: ignore[call-arg]


MOMENT = datetime(2026, 11, 2, 12, 0, tzinfo=timezone(timedelta(hours=1)))
TEMPLATE = PoolTemplate(spec=PoolTemplateSpec(containers=[PoolContainer(image="i")]))
CAPACITY_SENT = '"capacitySpec":{"bufferMin":1,"bufferMax":2,"poolMin":1,"poolMax":4}}'
PLAIN = {"content-type": "text/plain; charset=utf-8"}
ADDRESS = {"endpoint": "10.0.0.1:8000"}
Call = Callable[[AsyncClient], Awaitable[object]]


@pytest.mark.parametrize(
    ("call", "reply", "sent"),
    [
        (lambda c: c.sandboxes.get("a/b?c"), answer(200, sandbox_body()), "GET /sandboxes/a%2Fb%3Fc"),
        (lambda c: c.sandboxes.delete("s"), answer(204), "DELETE /sandboxes/s"),
        (lambda c: c.sandboxes.pause("s"), answer(202), "POST /sandboxes/s/pause"),
        (lambda c: c.sandboxes.resume("s"), answer(202), "POST /sandboxes/s/resume"),
        (
            lambda c: c.sandboxes.renew("s", MOMENT),
            answer(200, {"expiresAt": "2026-11-02T11:00:00Z"}),
            'POST /sandboxes/s/renew-expiration {"expiresAt":"2026-11-02T12:00:00+01:00"}',
        ),
        (
            lambda c: c.sandboxes.patch_metadata("s", {"a": "b", "c": None}),
            answer(200, sandbox_body()),
            'PATCH /sandboxes/s/metadata {"a":"b","c":null}',
        ),
        (lambda c: c.sandboxes.endpoint("s", 80), answer(200, ADDRESS), "GET /sandboxes/s/endpoints/80"),
        (
            lambda c: c.sandboxes.endpoint("s", 80, through_server=True),
            answer(200, ADDRESS),
            "GET /sandboxes/s/endpoints/80?use_server_proxy=true",
        ),
        (
            lambda c: c.sandboxes.endpoint("s", 80, expires=MOMENT),
            answer(200, ADDRESS),
            "GET /sandboxes/s/endpoints/80?expires=1793617200",
        ),
        (lambda c: c.sandboxes.snapshot("s"), answer(202, snapshot_body()), "POST /sandboxes/s/snapshots"),
        (
            lambda c: c.sandboxes.snapshot("s", "named"),
            answer(202, snapshot_body()),
            'POST /sandboxes/s/snapshots {"name":"named"}',
        ),
        (
            lambda c: c.sandboxes.logs("s"),
            answer(200, "line\n", headers=PLAIN),
            "GET /sandboxes/s/diagnostics/logs",
        ),
        (
            lambda c: c.sandboxes.events("s", "all"),
            answer(200, "", headers=PLAIN),
            "GET /sandboxes/s/diagnostics/events?scope=all",
        ),
        (lambda c: c.snapshots.get("p"), answer(200, snapshot_body()), "GET /snapshots/p"),
        (lambda c: c.snapshots.delete("p"), answer(204), "DELETE /snapshots/p"),
        (
            lambda c: c.pools.create("warm", template=TEMPLATE, capacity=CAPACITY),
            answer(201, POOL),
            'POST /pools {"name":"warm","template":{"spec":{"containers":[{"image":"i"}]}},' + CAPACITY_SENT,
        ),
        (lambda c: c.pools.get("warm"), answer(200, POOL), "GET /pools/warm"),
        (lambda c: c.pools.list(), answer(200, {"items": [POOL]}), "GET /pools"),
        (
            lambda c: c.pools.update("warm", capacity=CAPACITY),
            answer(200, POOL),
            "PUT /pools/warm {" + CAPACITY_SENT,
        ),
        (lambda c: c.pools.delete("warm"), answer(204), "DELETE /pools/warm"),
    ],
)
async def test_the_request_of_each_call(call: Call, reply: httpx.Response, sent: str) -> None:
    server = ScriptedTransport(reply)
    async with AsyncClient("key", "http://localhost:1/base", transport=server) as client:
        await call(client)
    request = server.requests[0]
    path = request.url.raw_path.decode().removeprefix("/base/v1")
    assert f"{request.method} {path} {request.content.decode()}".strip() == sent
    assert request.headers["open-sandbox-api-key"] == "key"


async def test_what_calls_give_back() -> None:
    server = ScriptedTransport(
        answer(200, {"expiresAt": "2026-11-02T11:00:00Z"}),
        answer(200, "line\n", headers=PLAIN),
        answer(200, POOL),
        answer(200, {"items": [POOL]}),
    )
    async with AsyncClient("key", transport=server) as client:
        assert await client.sandboxes.renew("s", MOMENT) == MOMENT
        assert await client.sandboxes.logs("s") == "line\n"
        assert (await client.pools.get("warm")).capacity_spec == CAPACITY
        assert [pool.name for pool in await client.pools.list()] == ["warm"]


async def test_health_and_version_need_no_key() -> None:
    server = ScriptedTransport(
        answer(200, {"status": "healthy"}), answer(200, {"version": "0.1.0", "capabilities": ["pause"]})
    )
    async with AsyncClient("key", transport=server) as client:
        assert (await client.health()).status == "healthy"
        assert (await client.version()).capabilities == ["pause"]
    assert [request.url.path for request in server.requests] == ["/v1/health", "/v1/version"]
    assert all("open-sandbox-api-key" not in request.headers for request in server.requests)


async def test_filters_of_lists() -> None:
    empty = page_body([])
    server = ScriptedTransport(*[answer(200, empty) for _ in range(4)])
    async with AsyncClient("key", "http://localhost:1", transport=server) as client:
        await client.sandboxes.list()
        await client.sandboxes.list(
            state=["Running", "Paused"], metadata={"team": "a&b", "x": "="}, page=2, page_size=50
        )
        await client.sandboxes.list(state="Running")
        await client.snapshots.list(sandbox_id="s", name="n", state="Ready")
    assert [list(httpx.QueryParams(request.url.query).multi_items()) for request in server.requests] == [
        [("page", "1")],
        [
            ("state", "Running"),
            ("state", "Paused"),
            ("metadata", "team=a%26b&x=%3D"),
            ("page", "2"),
            ("pageSize", "50"),
        ],
        [("state", "Running"), ("page", "1")],
        [("sandboxId", "s"), ("name", "n"), ("state", "Ready"), ("page", "1")],
    ]


async def test_without_a_key_none_is_sent() -> None:
    server = ScriptedTransport(answer(200, sandbox_body()))
    async with AsyncClient(base_url="http://localhost:1", transport=server) as client:
        await client.sandboxes.get("s")
    assert "open-sandbox-api-key" not in server.requests[0].headers


async def test_headers_of_the_client_and_of_one_call() -> None:
    server = ScriptedTransport(answer(200, sandbox_body()), answer(200, sandbox_body()))
    async with AsyncClient("key", transport=server, headers={"X-Team": "a", "X-Both": "client"}) as client:
        await client.sandboxes.get(
            "s", options=RequestOptions(headers={"x-both": "call"}, request_id="my-id")
        )
        await client.sandboxes.get("s")
    first, second = (request.headers for request in server.requests)
    assert (first["x-team"], first["x-both"], first["x-request-id"]) == ("a", "call", "my-id")
    assert second["x-both"] == "client"
    assert len(second["x-request-id"]) == 32
    assert first["user-agent"].startswith("sandkit-python/")


async def test_the_time_out_is_the_clients_or_the_calls() -> None:
    server = ScriptedTransport(*[answer(200, sandbox_body()) for _ in range(3)])
    async with AsyncClient("key", transport=server, timeout=7) as client:
        await client.sandboxes.get("s")
        await client.sandboxes.get("s", options=RequestOptions(timeout=0.5))
        await client.sandboxes.get("s", options=RequestOptions(timeout=float("inf")))
    limits = [request.extensions["timeout"]["read"] for request in server.requests]
    assert limits == [7, 0.5, None]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RequestOptions(timeout=0), "timeout"),
        (RequestOptions(max_retries=-1), "max_retries"),
        (RequestOptions(idempotency_key=""), "idempotency key"),
        (RequestOptions(idempotency_key="with blank"), "idempotency key"),
        (RequestOptions(idempotency_key="x" * 256), "idempotency key"),
        (RequestOptions(idempotency_key=7), "idempotency key"),  # type: ignore[arg-type]
        (RequestOptions(request_id="line\nbreak"), "x-request-id"),
        (RequestOptions(headers={"bad name": "x"}), "bad name"),
        (RequestOptions(headers={"x-name": "läuft nicht"}), "x-name"),
    ],
)
async def test_malformed_options_are_refused_before_anything_is_sent(
    options: RequestOptions, told: str
) -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        with pytest.raises(ConfigurationError, match=told):
            await client.sandboxes.create(image="i", options=options)
    assert server.requests == []


@pytest.mark.parametrize("wrong", ["", ".", ".."])
async def test_an_id_that_would_lead_elsewhere_is_refused(wrong: str) -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        for call in (client.sandboxes.delete, client.snapshots.delete, client.pools.delete):
            with pytest.raises(ValueError, match="never empty"):
                await call(wrong)
        with pytest.raises(TypeError, match="use its id"):
            await client.sandboxes.get(7)  # type: ignore[arg-type]
    assert server.requests == []


async def test_an_address_that_cannot_be_sent_is_refused_as_our_own_error() -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        with pytest.raises(ConfigurationError, match=r"getSandbox cannot be sent: URL too long"):
            await client.sandboxes.get("x" * 70_000)
        with pytest.raises(ConfigurationError, match=r"listSandboxes cannot be sent: URL too long"):
            await client.sandboxes.list(metadata={"team": "x" * 70_000})
    async with AsyncClient("key", "http://xn--", transport=server) as client:
        with pytest.raises(ConfigurationError, match=r"correct the base URL"):
            await client.health()
    assert server.requests == []
