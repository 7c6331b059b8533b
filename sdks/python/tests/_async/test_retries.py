"""Failures that are sent again, and failures that must not be."""

from __future__ import annotations

import json

import httpx
import pytest

from sandkit import AsyncClient, RequestOptions
from sandkit.errors import (
    ApiError,
    ConflictError,
    ConnectError,
    NotFoundError,
    RateLimitedError,
    RequestTimeoutError,
    ResponseDecodeError,
    ServerError,
    TransportError,
    UnavailableError,
)
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer, error_body, sandbox_body

HONOURS = answer(200, {"version": "1", "capabilities": ["pause", "idempotency"]})
IGNORES = answer(200, {"version": "1"})
LOST = httpx.ReadTimeout("no answer")


def client_for(*steps: object, **settings: int) -> tuple[AsyncClient, ScriptedTransport, AsyncFakeClock]:
    server, clock = ScriptedTransport(*steps), AsyncFakeClock()  # type: ignore[arg-type]
    client = AsyncClient("key", "http://localhost:1", transport=server, clock=clock, **settings)  # type: ignore[arg-type]
    return client, server, clock


def paths(server: ScriptedTransport) -> list[str]:
    return [f"{request.method} {request.url.path.removeprefix('/v1')}" for request in server.requests]


async def test_a_read_is_repeated_until_it_succeeds() -> None:
    client, server, clock = client_for(
        answer(503, error_body("REQUEST::UNAVAILABLE"), headers={"Retry-After": "3"}),
        httpx.ConnectError("refused"),
        answer(502, "<html>bad gateway</html>"),
        answer(200, sandbox_body()),
    )
    sandbox = await client.sandboxes.get("sbx-1")
    assert sandbox.state == "Running"
    assert len(clock.sleeps) == 3
    assert clock.sleeps[0] == 3
    assert clock.sleeps[1] <= 1.0
    assert clock.sleeps[2] <= 2.0
    assert len({request.headers["x-request-id"] for request in server.requests}) == 1


async def test_the_last_failure_is_raised_with_the_number_of_attempts() -> None:
    client, server, _ = client_for(*[answer(503) for _ in range(4)])
    with pytest.raises(UnavailableError) as caught:
        await client.sandboxes.get("sbx-1")
    assert caught.value.attempts == 4
    assert "4 attempts" in str(caught.value)
    assert server.finished


@pytest.mark.parametrize("failure", [answer(500), answer(504), LOST])
async def test_a_read_leaves_nothing_in_doubt(failure: httpx.Response | Exception) -> None:
    client, _, _ = client_for(failure, max_retries=0)
    with pytest.raises((ServerError, TransportError)) as caught:
        await client.sandboxes.get("sbx-1")
    assert not caught.value.maybe_applied


@pytest.mark.parametrize("retries", [0, 1, 2])
async def test_how_often_is_the_clients_or_the_calls_choice(retries: int) -> None:
    client, server, _ = client_for(*[answer(503) for _ in range(5)], max_retries=retries)
    with pytest.raises(UnavailableError):
        await client.health()
    assert len(server.requests) == retries + 1
    with pytest.raises(UnavailableError):
        await client.health(options=RequestOptions(max_retries=0))
    assert len(server.requests) == retries + 2


async def test_a_long_retry_after_is_the_callers_decision() -> None:
    client, _, clock = client_for(answer(429, error_body("A::B"), headers={"Retry-After": "600"}))
    with pytest.raises(RateLimitedError) as caught:
        await client.sandboxes.get("sbx-1")
    assert caught.value.retry_after == 600
    assert clock.sleeps == []


async def test_a_create_is_repeated_under_its_own_key() -> None:
    client, server, _ = client_for(
        httpx.ConnectError("refused"),
        answer(503),
        answer(429),
        answer(202, sandbox_body(state="Pending")),
        answer(202, sandbox_body("sbx-2", state="Pending")),
    )
    await client.sandboxes.create(image="i")
    await client.sandboxes.create(image="i")
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(set(keys[:4])) == 1
    assert keys[4] != keys[0]


async def test_the_callers_own_key_is_used() -> None:
    client, server, _ = client_for(answer(202, sandbox_body()))
    await client.sandboxes.create(image="i", options=RequestOptions(idempotency_key="order-7"))
    assert server.requests[0].headers["idempotency-key"] == "order-7"


@pytest.mark.parametrize("failure", [LOST, httpx.RemoteProtocolError("closed"), answer(504), answer(500)])
async def test_a_create_whose_fate_is_unknown_is_repeated_if_the_server_honours_keys(
    failure: httpx.Response | Exception,
) -> None:
    client, server, _ = client_for(failure, HONOURS, answer(202, sandbox_body()))
    assert (await client.sandboxes.create(image="i")).id == "sbx-1"
    assert paths(server) == ["POST /sandboxes", "GET /version", "POST /sandboxes"]
    first, _, second = server.requests
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.content == second.content
    assert "open-sandbox-api-key" not in server.requests[1].headers


async def test_the_server_is_asked_once_whether_it_honours_keys() -> None:
    client, server, _ = client_for(
        LOST, HONOURS, LOST, answer(202, sandbox_body()), LOST, answer(202, sandbox_body())
    )
    await client.sandboxes.create(image="i")
    await client.sandboxes.create(image="i")
    assert paths(server).count("GET /version") == 1


@pytest.mark.parametrize("version", [IGNORES, answer(404, "no such route"), answer(200, "<html>")])
async def test_a_create_whose_fate_is_unknown_is_not_repeated_on_a_server_that_ignores_keys(
    version: httpx.Response,
) -> None:
    client, server, _ = client_for(LOST, version)
    with pytest.raises(RequestTimeoutError, match="may have taken effect") as caught:
        await client.sandboxes.create(image="i")
    assert caught.value.maybe_applied
    assert paths(server) == ["POST /sandboxes", "GET /version"]


async def test_doubt_stays_when_a_later_attempt_is_refused() -> None:
    client, server, _ = client_for(
        LOST, HONOURS, answer(503), answer(409, error_body("SANDBOX::IDEMPOTENCY_KEY_REUSED"))
    )
    with pytest.raises(ConflictError) as caught:
        await client.sandboxes.create(image="i")
    assert caught.value.maybe_applied
    assert paths(server) == ["POST /sandboxes", "GET /version", "POST /sandboxes", "POST /sandboxes"]


async def test_an_unreadable_answer_to_a_create_may_have_created() -> None:
    client, server, _ = client_for(answer(202, {"id": "sbx-1"}))
    with pytest.raises(ResponseDecodeError, match="/status") as caught:
        await client.sandboxes.create(image="i")
    assert caught.value.maybe_applied
    assert caught.value.body == json.dumps({"id": "sbx-1"}, separators=(",", ":"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("operation", ["pause", "resume"])
@pytest.mark.parametrize("failure", [LOST, httpx.WriteError("broken pipe"), answer(502), answer(500)])
async def test_a_pause_or_resume_whose_answer_is_lost_is_never_sent_twice(
    operation: str, failure: httpx.Response | Exception
) -> None:
    before = {"pause": "Running", "resume": "Paused"}[operation]
    client, server, _ = client_for(failure, answer(200, sandbox_body(state=before)))
    with pytest.raises((TransportError, ServerError)) as caught:
        await getattr(client.sandboxes, operation)("sbx-1")
    assert caught.value.maybe_applied
    assert paths(server) == [f"POST /sandboxes/sbx-1/{operation}", "GET /sandboxes/sbx-1"]


@pytest.mark.parametrize(
    ("operation", "state"),
    [("pause", "Pausing"), ("pause", "Paused"), ("resume", "Resuming"), ("resume", "Running")],
)
async def test_the_state_stands_in_for_a_lost_answer(operation: str, state: str) -> None:
    client, server, _ = client_for(LOST, answer(200, sandbox_body(state=state)))
    await getattr(client.sandboxes, operation)("sbx-1")
    assert len(server.requests) == 2


async def test_when_the_state_cannot_be_read_either_the_first_error_counts() -> None:
    client, _, _ = client_for(LOST, answer(404))
    with pytest.raises(RequestTimeoutError) as caught:
        await client.sandboxes.pause("sbx-1")
    assert caught.value.operation_id == "pauseSandbox"


async def test_a_pause_that_certainly_did_not_happen_is_repeated() -> None:
    client, server, _ = client_for(
        httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full"), answer(503), answer(202)
    )
    await client.sandboxes.pause("sbx-1")
    assert paths(server) == ["POST /sandboxes/sbx-1/pause"] * 4


async def test_a_delete_whose_answer_was_lost_and_that_finds_nothing_has_succeeded() -> None:
    client, server, _ = client_for(LOST, answer(404, error_body("SANDBOX::SANDBOX_NOT_FOUND")))
    await client.sandboxes.delete("sbx-1")
    assert server.finished


@pytest.mark.parametrize("failure", [answer(503), httpx.ConnectError("refused")])
async def test_a_delete_that_certainly_did_not_happen_and_finds_nothing_has_not(
    failure: httpx.Response | Exception,
) -> None:
    client, _, _ = client_for(failure, answer(404, error_body("SANDBOX::SANDBOX_NOT_FOUND")))
    with pytest.raises(NotFoundError):
        await client.sandboxes.delete("sbx-1")


@pytest.mark.parametrize(
    ("failure", "kind", "told"),
    [
        (
            httpx.ConnectError("refused"),
            ConnectError,
            "no connection to http://localhost:1/v1/sandboxes/sbx-1",
        ),
        (httpx.ProxyError("407"), ConnectError, "ProxyError: 407"),
        (httpx.ConnectTimeout(""), RequestTimeoutError, "no answer within 30 s (ConnectTimeout)"),
        (httpx.ReadError("reset"), TransportError, "the exchange broke off (ReadError: reset)"),
    ],
)
async def test_failures_of_the_transport_are_typed(
    failure: Exception, kind: type[TransportError], told: str
) -> None:
    client, _, _ = client_for(failure, max_retries=0)
    with pytest.raises(kind) as caught:
        await client.sandboxes.get("sbx-1")
    assert type(caught.value) is kind
    assert told in str(caught.value)
    assert "[getSandbox, request id" in str(caught.value)
    assert caught.value.__cause__ is failure
    assert not caught.value.maybe_applied


async def test_time_outs_are_the_built_in_kind_too() -> None:
    client, _, _ = client_for(LOST, max_retries=0)
    with pytest.raises(TimeoutError):
        await client.sandboxes.get("sbx-1")


async def test_redirects_are_not_followed() -> None:
    client, server, _ = client_for(answer(308, headers={"location": "https://elsewhere.test/"}))
    with pytest.raises(ApiError, match="redirects are not followed"):
        await client.sandboxes.get("sbx-1")
    assert len(server.requests) == 1
