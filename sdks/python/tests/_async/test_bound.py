"""Bound objects: what they tell, and what leaving their context does."""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from sandkit import AsyncClient, AsyncSandbox, Endpoint
from sandkit.errors import ClientClosedError, UnavailableError
from sandkit.testing import AsyncFakeClock, ScriptedTransport, answer, error_body, sandbox_body

FULL = {
    "id": "sbx-7",
    "image": {"uri": "python:3.12-slim", "layers": 4},
    "platform": {"os": "linux", "arch": "amd64"},
    "status": {
        "state": "Hibernating",
        "reason": "Idle",
        "message": "nobody was there",
        "lastTransitionAt": "2026-11-02T10:30:05.123456+01:00",
    },
    "metadata": {"team": "search"},
    "extensions": {"poolRef": "warm"},
    "entrypoint": ["python"],
    "expiresAt": "2026-11-02T10:30:00Z",
    "createdAt": "2026-11-02T09:30:00Z",
    "allocation": {"node": "n1"},
}


async def sandbox_over(*steps: httpx.Response | Exception) -> tuple[AsyncSandbox, ScriptedTransport]:
    server = ScriptedTransport(answer(200, sandbox_body()), *steps)
    client = AsyncClient("key", "https://localhost:1", transport=server, clock=AsyncFakeClock())
    return await client.sandboxes.get("sbx-1"), server


async def test_a_sandbox_tells_everything_the_server_said() -> None:
    sandbox, _ = await sandbox_over(answer(200, FULL, headers={"X-Request-ID": "theirs"}))
    await sandbox.refresh()
    assert sandbox.id == "sbx-7"
    assert (sandbox.state, sandbox.reason, sandbox.message) == ("Hibernating", "Idle", "nobody was there")
    assert sandbox.last_transition_at == datetime(2026, 11, 2, 9, 30, 5, 123456, tzinfo=UTC)
    assert (sandbox.metadata, sandbox.extensions) == ({"team": "search"}, {"poolRef": "warm"})
    assert (sandbox.image, sandbox.snapshot_id) == ("python:3.12-slim", None)
    assert sandbox.entrypoint == ("python",)
    assert sandbox.platform is not None
    assert sandbox.platform.arch == "amd64"
    assert sandbox.expires_at == sandbox.created_at + timedelta(hours=1)
    assert sandbox.additional_properties == {"allocation": {"node": "n1"}}
    assert sandbox.data.image is not None
    assert sandbox.data.image.additional_properties == {"layers": 4}
    assert sandbox.request_id == "theirs"
    assert "id='sbx-7', state='Hibernating'" in repr(sandbox)


async def test_what_a_caller_does_to_the_metadata_stays_with_the_caller() -> None:
    sandbox, _ = await sandbox_over(answer(200, FULL))
    await sandbox.refresh()
    dict.update(sandbox.metadata, team="other")
    assert sandbox.metadata == {"team": "search"}


async def test_patch_and_renew_are_seen_on_the_object() -> None:
    sandbox, _ = await sandbox_over(
        answer(200, sandbox_body(metadata={"team": "ranking"})),
        answer(200, {"expiresAt": "2030-01-01T00:00:00Z"}),
    )
    assert await sandbox.patch_metadata({"team": "ranking"}) is sandbox
    assert sandbox.metadata == {"team": "ranking"}
    assert await sandbox.renew(timedelta(hours=1)) == datetime(2030, 1, 1, tzinfo=UTC)
    assert sandbox.expires_at == datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("10.0.0.1:8000", "https://10.0.0.1:8000"),
        ("localhost:8080/v1/sandboxes/s/proxy/80", "https://localhost:8080/v1/sandboxes/s/proxy/80"),
        ("//host/path", "https://host/path"),
        ("http://plain", "http://plain"),
        ("wss://socket/x", "wss://socket/x"),
    ],
)
async def test_an_endpoint_has_a_scheme(address: str, url: str) -> None:
    sandbox, _ = await sandbox_over(answer(200, {"endpoint": address, "headers": {"X-Access": "secret"}}))
    endpoint = await sandbox.endpoint(8000)
    assert endpoint == Endpoint(url, {"X-Access": "secret"})
    assert "secret" not in repr(endpoint)


async def test_leaving_the_context_deletes() -> None:
    sandbox, server = await sandbox_over(answer(204))
    async with sandbox as entered:
        assert entered is sandbox
    assert server.requests[-1].method == "DELETE"


@pytest.mark.parametrize("status", [204, 404])
async def test_an_error_inside_comes_out_as_it_is(status: int) -> None:
    sandbox, server = await sandbox_over(answer(status))
    with pytest.raises(ZeroDivisionError) as caught:
        async with sandbox:
            raise ZeroDivisionError
    assert server.finished
    assert not hasattr(caught.value, "__notes__")


async def test_a_sandbox_deleted_inside_is_not_deleted_again() -> None:
    sandbox, server = await sandbox_over(answer(204))
    async with sandbox:
        await sandbox.delete()
    assert len(server.requests) == 2


async def test_a_failed_delete_is_raised_when_nothing_else_is() -> None:
    sandbox, _ = await sandbox_over(*[answer(503) for _ in range(4)])
    with pytest.raises(UnavailableError):
        async with sandbox:
            pass


async def test_a_failed_delete_does_not_hide_the_error_inside(caplog: pytest.LogCaptureFixture) -> None:
    sandbox, _ = await sandbox_over(*[answer(500, error_body("SANDBOX::DELETE_FAILED")) for _ in range(4)])
    with caplog.at_level(logging.WARNING, "sandkit"), pytest.raises(ZeroDivisionError) as caught:
        async with sandbox:
            raise ZeroDivisionError
    assert "sbx-1 could not be deleted" in caught.value.__notes__[0]
    assert "sandbox sbx-1 could not be deleted" in caplog.text


async def test_after_the_client_is_closed_its_objects_say_so() -> None:
    server = ScriptedTransport(answer(200, sandbox_body()))
    async with AsyncClient("key", transport=server) as client:
        sandbox = await client.sandboxes.get("sbx-1")
    for call in (sandbox.refresh, sandbox.delete, client.health):
        with pytest.raises(ClientClosedError, match="closed"):
            await call()
    await client.close()
    assert len(server.requests) == 1
