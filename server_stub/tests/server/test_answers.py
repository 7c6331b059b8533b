"""What successful answers look like on the wire."""

from __future__ import annotations

import re
from typing import Any

import httpx

from .conftest import BODY, running, until

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")


def _nulls(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_nulls(item) for item in value.values())
    if isinstance(value, list):
        return any(_nulls(item) for item in value)
    return value is None


async def test_a_create_tells_where_the_sandbox_is_and_a_get_finds_it_there(
    client: httpx.AsyncClient,
) -> None:
    made = await client.post("/sandboxes", json=BODY)
    assert made.status_code == 202
    location = made.headers["Location"]
    assert location == f"/v1/sandboxes/{made.json()['id']}"
    found = await client.get(str(client.base_url).removesuffix("/v1/") + location)
    assert found.json()["id"] == made.json()["id"]
    assert found.json()["createdAt"] == made.json()["createdAt"]


async def test_no_answer_holds_a_null(client: httpx.AsyncClient) -> None:
    sandbox = await running(client, timeout=None)
    snapshot = (await client.post(f"/sandboxes/{sandbox}/snapshots")).json()["id"]
    await until(client, f"/snapshots/{snapshot}", "Ready")
    restored = await client.post("/sandboxes", json={"snapshotId": snapshot, "resourceLimits": {"cpu": "1"}})
    template = {"spec": {"containers": [{"image": "a"}]}}
    capacity = {"bufferMin": 0, "bufferMax": 1, "poolMin": 0, "poolMax": 1}
    pool = await client.post("/pools", json={"name": "p", "template": template, "capacitySpec": capacity})
    answers = [
        restored,
        pool,
        *[
            await client.get(path)
            for path in ("/sandboxes", "/snapshots", "/pools", "/pools/p", "/version", "/health")
        ],
        *[await client.get(path) for path in (f"/sandboxes/{sandbox}", f"/snapshots/{snapshot}")],
        await client.get(f"/sandboxes/{sandbox}/endpoints/80"),
    ]
    for answer in answers:
        answer.raise_for_status()
        assert not _nulls(answer.json()), answer.text
    assert "expiresAt" not in (await client.get(f"/sandboxes/{sandbox}")).json()


async def test_instants_are_utc_whatever_offset_was_sent(client: httpx.AsyncClient) -> None:
    sandbox = await running(client)
    renewed = await client.post(
        f"/sandboxes/{sandbox}/renew-expiration", json={"expiresAt": "2100-01-01T05:30:00.250+05:30"}
    )
    assert renewed.json() == {"expiresAt": "2100-01-01T00:00:00.250000Z"}
    found = (await client.get(f"/sandboxes/{sandbox}")).json()
    for instant in (found["createdAt"], found["expiresAt"], found["status"]["lastTransitionAt"]):
        assert INSTANT.fullmatch(instant)


async def test_null_counts_as_absent_where_the_contract_says_so(client: httpx.AsyncClient) -> None:
    claim = {"claimName": "nulls", "storageClass": None, "storage": None, "accessModes": None}
    volume = {"name": "a", "mountPath": "/a", "subPath": None, "pvc": claim}
    made = await client.post(
        "/sandboxes", json={**BODY, "timeout": None, "env": {"A": None, "B": "b"}, "volumes": [volume]}
    )
    assert made.status_code == 202, made.text


async def test_diagnostics_are_plain_text(client: httpx.AsyncClient) -> None:
    sandbox = await running(client)
    for part in ("logs", "events"):
        answer = await client.get(f"/sandboxes/{sandbox}/diagnostics/{part}")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"].startswith("text/plain")


async def test_answers_without_a_body_say_nothing_of_one(client: httpx.AsyncClient) -> None:
    sandbox = await running(client)
    paused = await client.post(
        f"/sandboxes/{sandbox}/pause", content=b"ignored", headers={"Content-Type": "text/x"}
    )
    assert (paused.status_code, paused.content) == (202, b"")
    await until(client, f"/sandboxes/{sandbox}", "Paused")
    deleted = await client.delete(f"/sandboxes/{sandbox}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert "content-length" not in deleted.headers


async def test_a_head_is_a_get_without_its_body(client: httpx.AsyncClient) -> None:
    sandbox = await running(client)
    head, get = await client.head(f"/sandboxes/{sandbox}"), await client.get(f"/sandboxes/{sandbox}")
    assert head.content == b""
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


async def test_the_version_tells_what_the_server_can_do(client: httpx.AsyncClient) -> None:
    told = (await client.get("/version")).json()
    assert told["apiVersion"] == "1.0.0"
    assert told["runtime"] == "memory"
    assert set(told["capabilities"]) == {"idempotency", "pause", "snapshots", "pools"}
