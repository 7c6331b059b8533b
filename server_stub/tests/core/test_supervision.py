from __future__ import annotations

import asyncio
import logging

import pytest

from sandkit_server.core.errors import ErrorCode, Killed, SandkitError
from sandkit_server.core.supervision import Supervisor


async def _fail(error: BaseException) -> None:
    raise error


async def test_a_crash_is_logged_with_its_name_and_cause(caplog: pytest.LogCaptureFixture) -> None:
    supervisor = Supervisor()
    await asyncio.wait({supervisor.spawn("expiry of sbx-1", _fail(ValueError("boom")))})
    await asyncio.sleep(0)
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert "expiry of sbx-1" in record.getMessage()
    assert "boom" in caplog.text


@pytest.mark.parametrize("error", [SandkitError(ErrorCode.REQUEST_UNAVAILABLE, "later"), Killed()])
async def test_refusals_and_kills_are_no_crashes(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    supervisor = Supervisor()
    await asyncio.wait({supervisor.spawn("create", _fail(error))})
    await asyncio.sleep(0)
    assert caplog.records == []


async def test_closing_ends_everything_and_waits_for_it() -> None:
    supervisor = Supervisor()
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    supervisor.spawn("work", work())
    await asyncio.sleep(0)
    await supervisor.close()
    assert ended == ["work"]
