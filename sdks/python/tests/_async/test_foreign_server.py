"""Servers somebody else wrote: other codes, other corners, and gateways in between.

The answers are of the shapes that OpenSandbox servers give, and of what stands before any server.
"""

from __future__ import annotations

import httpx
import pytest

from sandkit import AsyncClient
from sandkit.errors import (
    BadRequestError,
    InvalidStateError,
    NotFoundError,
    NotSupportedError,
    RateLimitedError,
    ResponseDecodeError,
    ServerError,
)
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer

THEIRS = {
    "id": "5b0e",
    "image": {"uri": "python:3.11", "auth": None},
    "snapshotId": None,
    "platform": None,
    "status": {"state": "Running", "reason": None, "message": None, "lastTransitionAt": None},
    "metadata": None,
    "extensions": None,
    "entrypoint": None,
    "expiresAt": None,
    "createdAt": "2026-11-02T09:30:00.123456+00:00",
}


def client_over(*steps: httpx.Response) -> AsyncClient:
    server = ScriptedTransport(*steps)
    return AsyncClient("key", "http://localhost:1", transport=server, clock=AsyncFakeClock())


async def test_nulls_are_absent_fields() -> None:
    sandbox = await client_over(answer(200, THEIRS)).sandboxes.get("5b0e")
    assert (sandbox.metadata, sandbox.entrypoint, sandbox.extensions) == ({}, (), {})
    assert [sandbox.expires_at, sandbox.platform, sandbox.reason, sandbox.last_transition_at] == [None] * 4


async def test_a_pooled_sandbox_without_image_or_entrypoint() -> None:
    body = {"id": "5b0e", "status": {"state": "Allocated"}, "createdAt": "2026-11-02T09:30:00"}
    sandbox = await client_over(answer(202, body)).sandboxes.create(pool="warm")
    assert (sandbox.state, sandbox.image, sandbox.entrypoint) == ("Allocated", None, ())
    assert sandbox.created_at.utcoffset() is not None


async def test_a_state_of_their_own_is_waited_through() -> None:
    client = client_over(
        answer(202, {**THEIRS, "status": {"state": "Scheduling"}}),
        answer(200, {**THEIRS, "status": {"state": "Scheduling"}}),
        answer(200, THEIRS),
    )
    sandbox = await client.sandboxes.create(image="i")
    assert (await sandbox.wait_running()).state == "Running"


async def test_an_endpoint_without_a_scheme() -> None:
    client = client_over(answer(200, THEIRS), answer(200, {"endpoint": "127.0.0.1:41234", "headers": None}))
    endpoint = await (await client.sandboxes.get("5b0e")).endpoint(44772)
    assert (endpoint.url, endpoint.headers) == ("http://127.0.0.1:41234", {})


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "DOCKER::SANDBOX_NOT_FOUND", NotFoundError),
        (404, "KUBERNETES::SANDBOX_NOT_FOUND", NotFoundError),
        (409, "KUBERNETES::INVALID_STATE", InvalidStateError),
        (400, "VOLUME::INVALID_PVC_NAME", BadRequestError),
        (409, "SNAPSHOT::INVALID_SOURCE_STATE", InvalidStateError),
        (501, "SNAPSHOT::NOT_SUPPORTED", NotSupportedError),
    ],
)
async def test_codes_that_name_their_runtime(status: int, code: str, kind: type[Exception]) -> None:
    with pytest.raises(kind, match=code):
        await client_over(answer(status, {"code": code, "message": "no"})).sandboxes.pause("5b0e")


async def test_a_422_of_their_framework() -> None:
    refusal = {"detail": [{"loc": ["body", "timeout"], "msg": "Input should be >= 60", "type": "ge"}]}
    with pytest.raises(BadRequestError, match="/timeout: Input should be >= 60"):
        await client_over(answer(422, refusal)).sandboxes.create(image="i", timeout=1)


async def test_their_status_of_success_may_differ() -> None:
    client = client_over(answer(200, THEIRS), answer(200, {"success": True}), answer(200, "null"))
    sandbox = await client.sandboxes.create(image="i")
    await sandbox.pause()
    await sandbox.delete()


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_portals_page_is_no_success(status: int) -> None:
    page = answer(status, "<html>Sign in</html>", headers={"content-type": "text/html; charset=utf-8"})
    for call in ("get", "pause", "delete", "logs"):
        with pytest.raises(ResponseDecodeError, match="HTML page") as caught:
            # A pause whose answer says nothing is followed by a look at the state.
            await getattr(client_over(page, page).sandboxes, call)("5b0e")
        assert "Sign in" in caught.value.body
        assert "gateway" in str(caught.value)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("not json", ""),
        ("", ""),
        ("[]", ""),
        ({**THEIRS, "status": "Running"}, "/status"),
        ({**THEIRS, "createdAt": "yesterday"}, "/createdAt"),
        ({**THEIRS, "metadata": {"a": 1}}, "/metadata/a"),
        ({"id": "5b0e"}, "/status"),
    ],
)
async def test_a_success_that_breaks_the_contract_says_where(body: object, pointer: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        await client_over(answer(200, body)).sandboxes.get("5b0e")
    assert (caught.value.status, caught.value.pointer) == (200, pointer)
    assert not caught.value.maybe_applied


async def test_a_gateway_that_limits_and_then_fails() -> None:
    limited = answer(429, "slow down", headers={"content-type": "text/plain", "retry-after": "120"})
    with pytest.raises(RateLimitedError, match="slow down") as caught:
        await client_over(limited).sandboxes.get("5b0e")
    assert caught.value.retry_after == 120
    page = "<html><head><title>504 Gateway Time-out</title></head></html>"
    failed = answer(504, page, headers={"content-type": "text/html"})
    with pytest.raises(ServerError, match="HTML page titled '504 Gateway Time-out'"):
        await client_over(*[failed] * 4).sandboxes.get("5b0e")
