"""Secrets go in and never come out: not in answers, not in logs, not in errors (FLT-13, API-*)."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from sandkit_server.testing import EmbeddedServer

from .conftest import BODY, running, until

SECRET = "hunter2-hunter2"


def _request() -> dict[str, Any]:
    bucket = {
        "bucket": "bucket",
        "endpoint": "oss.test",
        "accessKeyId": SECRET + "-id",
        "accessKeySecret": SECRET,
    }
    return {
        **BODY,
        "image": {"uri": "python:3.12", "auth": {"username": "me", "password": SECRET}},
        "env": {"TOKEN": SECRET},
        "volumes": [{"name": "bucket", "mountPath": "/bucket", "ossfs": bucket}],
    }


async def test_a_sandbox_is_shown_without_its_secrets(
    client: httpx.AsyncClient, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="sandkit_server")
    made = await client.post("/sandboxes", json=_request())
    sandbox = await running(client, env={"TOKEN": SECRET}) if made.status_code == 400 else made.json()["id"]
    path = f"/sandboxes/{sandbox}"
    await until(client, path, "Running")
    snapshot = (await client.post(f"{path}/snapshots", json={})).json()["id"]
    await client.post(f"{path}/pause")
    answers = [
        made,
        *[await client.get(each) for each in (path, "/sandboxes", f"/snapshots/{snapshot}", "/snapshots")],
        *[await client.get(f"{path}/diagnostics/{part}") for part in ("logs", "events")],
    ]
    for answer in answers:
        assert SECRET not in answer.text
        assert str(server.api_key) not in answer.text
    assert SECRET not in caplog.text
    assert str(server.api_key) not in caplog.text


@pytest.mark.parametrize(
    "broken",
    [
        {"timeout": 1},
        {"entrypoint": []},
        {"env": {"TOKEN": SECRET, "BAD=NAME": SECRET}},
        {"env": [SECRET]},
        {"env": {"TOKEN": {"value": SECRET}}},
        {"image": {"uri": "a", "auth": {"password": SECRET}}},
        {"image": {"uri": "a", "auth": SECRET}},
        {"image": {"uri": f"a {SECRET}"}},
        {"volumes": [{"name": "a", "mountPath": "/a", "ossfs": {"bucket": "b", "accessKeySecret": SECRET}}]},
    ],
    ids=str,
)
async def test_a_refusal_never_quotes_a_secret(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, broken: dict[str, Any]
) -> None:
    caplog.set_level(logging.DEBUG, logger="sandkit_server")
    answer = await client.post("/sandboxes", json={**_request(), **broken})
    assert answer.status_code == 400
    assert SECRET not in answer.text
    assert SECRET not in caplog.text


async def test_a_wrong_key_is_not_quoted(server: EmbeddedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="sandkit_server")
    async with httpx.AsyncClient() as stranger:
        answer = await stranger.get(f"{server.base_url}/sandboxes", headers={"OPEN-SANDBOX-API-KEY": SECRET})
    assert answer.status_code == 401
    assert SECRET not in answer.text
    assert SECRET not in caplog.text


async def test_a_pool_is_shown_without_its_environment(client: httpx.AsyncClient) -> None:
    container = {"image": "a", "env": [{"name": "TOKEN", "value": SECRET}]}
    made = await client.post(
        "/pools",
        json={
            "name": "warm",
            "template": {"spec": {"containers": [container]}},
            "capacitySpec": {"bufferMin": 0, "bufferMax": 1, "poolMin": 0, "poolMax": 1},
        },
    )
    assert made.status_code == 201
    for answer in (made, await client.get("/pools"), await client.get("/pools/warm")):
        assert SECRET not in answer.text
