"""Instants and lifetimes on their way to the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from sandkit import AsyncClient
from sandkit.testing import ScriptedTransport, answer


async def test_naive_instants_are_refused() -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        with pytest.raises(ValueError, match="UTC offset"):
            await client.sandboxes.renew("s", datetime(2026, 11, 2))  # noqa: DTZ001 - what is refused
        with pytest.raises(ValueError, match="UTC offset"):
            await client.sandboxes.endpoint("s", 80, expires=datetime(2026, 11, 2))  # noqa: DTZ001
        with pytest.raises(TypeError, match="timedelta"):
            await client.sandboxes.renew("s", 60)  # type: ignore[arg-type]


async def test_a_renewal_by_a_timedelta_counts_from_now() -> None:
    server = ScriptedTransport(answer(200, {"expiresAt": "2026-11-02T12:00:00Z"}))
    before = datetime.now(UTC)
    async with AsyncClient("key", transport=server) as client:
        await client.sandboxes.renew("s", timedelta(hours=2))
    sent = datetime.fromisoformat(json.loads(server.requests[0].content)["expiresAt"])
    assert before <= sent - timedelta(hours=2) <= datetime.now(UTC)


async def test_a_renewal_beyond_any_calendar_is_refused_before_anything_is_sent() -> None:
    server = ScriptedTransport()
    async with AsyncClient("key", transport=server) as client:
        with pytest.raises(ValueError, match="no calendar"):
            await client.sandboxes.renew("sbx-1", timedelta.max)
    assert server.requests == []
