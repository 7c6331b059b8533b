"""A failing collaborator, an engine that does not answer, a killed server, many callers at once."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from typing import Any, cast

import httpx
import pytest

from sandkit_server.core.ports import Ports, WorkloadProvider
from sandkit_server.core.service import LifecycleService
from sandkit_server.main import Alterations
from sandkit_server.testing import EmbeddedServer

from .conftest import BODY, client_of, control_of, running, until


class _Failing:
    """A workload provider whose ``get`` has a defect."""

    def __init__(self, real: WorkloadProvider) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def get(self, _: str) -> Any:
        raise LookupError("hunter2: the text of an exception is for the log only")


def _with_a_defect(ports: Ports) -> Ports:
    return dataclasses.replace(ports, workloads=cast("WorkloadProvider", _Failing(ports.workloads)))


async def test_a_crash_is_an_envelope_for_the_client_and_a_traceback_for_the_operator(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with EmbeddedServer(alter=Alterations(ports=_with_a_defect)) as server, client_of(server) as client:
        answer = await client.get("/sandboxes/any", headers={"X-Request-ID": "crash-1"})
        assert answer.status_code == 500
        assert answer.json()["code"] == "REQUEST::INTERNAL_ERROR"
        assert answer.headers["X-Request-ID"] == "crash-1"
        assert "hunter2" not in answer.text
        assert (await client.get("/sandboxes")).status_code == 200
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "crash-1" in record.getMessage()
    assert "hunter2" in caplog.text


async def test_an_engine_that_does_not_answer_is_503_with_a_time_to_come_back(
    client: httpx.AsyncClient, server: EmbeddedServer
) -> None:
    sandbox = await running(client)
    async with control_of(server) as control:
        fault = {"point": "workload.get", "action": "error", "status": 503, "times": 1}
        (await control.post("/v1/faults", json=fault)).raise_for_status()
    answer = await client.get(f"/sandboxes/{sandbox}")
    assert (answer.status_code, answer.json()["code"]) == (503, "REQUEST::UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) >= 1
    assert (await client.get(f"/sandboxes/{sandbox}")).status_code == 200


async def test_a_killed_server_drops_what_is_under_way_and_comes_back(
    client: httpx.AsyncClient, server: EmbeddedServer
) -> None:
    sandbox = await running(client)
    async with control_of(server) as control:
        gate = (await control.post("/v1/gates", json={"point": "workload.create", "when": "before"})).json()[
            "id"
        ]
        asking = asyncio.ensure_future(client.post("/sandboxes", json=BODY))
        assert (await control.get(f"/v1/gates/{gate}?wait=5")).json()["held"] == 1
        (await control.post("/v1/restart", json={"graceful": False})).raise_for_status()
        with pytest.raises(httpx.TransportError):
            await asking
        await control.delete(f"/v1/gates/{gate}")
    assert (await client.get(f"/sandboxes/{sandbox}")).json()["status"]["state"] == "Running"
    assert (await client.get("/sandboxes")).json()["pagination"]["totalItems"] == 1


async def test_a_graceful_restart_keeps_the_world(client: httpx.AsyncClient, server: EmbeddedServer) -> None:
    sandbox = await running(client)
    async with control_of(server) as control:
        (await control.post("/v1/restart", json={"graceful": True})).raise_for_status()
    await client.post(f"/sandboxes/{sandbox}/pause")
    await until(client, f"/sandboxes/{sandbox}", "Paused")


async def test_a_client_that_leaves_does_not_undo_what_it_asked_for(
    client: httpx.AsyncClient, server: EmbeddedServer
) -> None:
    async with control_of(server) as control:
        gate = (await control.post("/v1/gates", json={"point": "workload.create", "when": "before"})).json()[
            "id"
        ]
        asking = asyncio.ensure_future(
            client.post("/sandboxes", json=BODY, headers={"Idempotency-Key": "mine"})
        )
        assert (await control.get(f"/v1/gates/{gate}?wait=5")).json()["held"] == 1
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await control.delete(f"/v1/gates/{gate}")
    repeated = await client.post("/sandboxes", json=BODY, headers={"Idempotency-Key": "mine"})
    assert repeated.status_code == 202
    await until(client, f"/sandboxes/{repeated.json()['id']}", "Running")
    assert (await client.get("/sandboxes")).json()["pagination"]["totalItems"] == 1


@pytest.mark.parametrize("callers", [2, 20])
async def test_of_many_pauses_at_once_one_wins(client: httpx.AsyncClient, callers: int) -> None:
    sandbox = await running(client)
    answers = await asyncio.gather(*[client.post(f"/sandboxes/{sandbox}/pause") for _ in range(callers)])
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * (callers - 1)
    await until(client, f"/sandboxes/{sandbox}", "Paused")


async def test_creates_at_once_with_one_key_make_one_sandbox(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "same"}
    answers = await asyncio.gather(
        *[client.post("/sandboxes", json=BODY, headers=headers) for _ in range(10)]
    )
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    other = await client.post("/sandboxes", json={**BODY, "timeout": 601}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "SANDBOX::IDEMPOTENCY_KEY_REUSED")


async def test_an_altered_service_and_application_are_what_answers() -> None:
    class Generous(LifecycleService):
        pass

    seen: list[type] = []

    def service(real: LifecycleService) -> LifecycleService:
        seen.append(type(real))
        return real

    def app(real: Any) -> Any:
        async def teapot(scope: Any, receive: Any, send: Any) -> None:
            if scope["path"] == "/teapot":
                await send({"type": "http.response.start", "status": 418, "headers": []})
                await send({"type": "http.response.body"})
            else:
                await real(scope, receive, send)

        return teapot

    async with (
        EmbeddedServer(alter=Alterations(service=service, app=app)) as server,
        client_of(server) as client,
        control_of(server) as control,
    ):
        root = server.base_url.removesuffix("/v1")
        assert (await client.get(f"{root}/teapot")).status_code == 418
        assert (await client.get("/sandboxes")).status_code == 200
        (await control.post("/v1/restart", json={"graceful": False})).raise_for_status()
        assert (await client.get(f"{root}/teapot")).status_code == 418
    assert seen == [LifecycleService, LifecycleService]
