"""Waiting on bound objects, over a scripted server and without real time."""

from __future__ import annotations

import httpx
import pytest

from sandkit import AsyncClient, AsyncSandbox
from sandkit.errors import (
    ForbiddenError,
    NotFoundError,
    UnauthorizedError,
    UnavailableError,
    UnexpectedStateError,
    WaitTimeoutError,
)
from sandkit.testing import (
    AsyncFakeClock,
    ScriptedTransport,
    answer,
    error_body,
    sandbox_body,
    snapshot_body,
)

GONE = answer(404, error_body("SANDBOX::SANDBOX_NOT_FOUND"))


def states(*names: str, **status: str) -> list[httpx.Response]:
    return [answer(200, sandbox_body(state=name, status=status)) for name in names]


async def sandbox_over(*steps: object) -> tuple[AsyncSandbox, ScriptedTransport, AsyncFakeClock]:
    server, clock = ScriptedTransport(*steps), AsyncFakeClock()  # type: ignore[arg-type]
    client = AsyncClient("key", "http://localhost:1", transport=server, clock=clock)
    return await client.sandboxes.get("sbx-1"), server, clock


async def test_a_wait_reads_until_the_state_is_there() -> None:
    sandbox, server, clock = await sandbox_over(*states("Pending", "Pending", "Pending", "Running"))
    assert await sandbox.wait_running() is sandbox
    assert sandbox.state == "Running"
    assert server.finished
    assert clock.sleeps == sorted(clock.sleeps)
    assert 0.07 <= clock.sleeps[0] <= 0.1


async def test_a_state_already_there_costs_one_look() -> None:
    sandbox, server, clock = await sandbox_over(*states("Running", "Running"))
    await sandbox.wait_until({"Running", "Failed"})
    assert len(server.requests) == 2
    assert clock.sleeps == []


async def test_time_runs_out_and_the_error_says_what_was_seen() -> None:
    sandbox, _, clock = await sandbox_over(
        *states("Pending"), *states(*["Pending"] * 100, reason="ImagePull", message="still pulling")
    )
    with pytest.raises(WaitTimeoutError) as caught:
        await sandbox.wait_running(timeout=10)
    assert clock.slept == pytest.approx(10)
    assert (caught.value.state, caught.value.reason) == ("Pending", "ImagePull")
    assert "the server says: ImagePull: still pulling" in str(caught.value)
    assert caught.value.report.elapsed == pytest.approx(10)


async def test_a_failed_sandbox_ends_the_wait_at_once() -> None:
    sandbox, server, clock = await sandbox_over(*states("Pending", "Failed", reason="ImagePullFailed"))
    with pytest.raises(UnexpectedStateError, match="ImagePullFailed"):
        await sandbox.wait_running()
    assert server.finished
    assert clock.sleeps == []


async def test_a_failed_resume_ends_the_wait_at_once() -> None:
    sandbox, _, _ = await sandbox_over(*states("Paused"), answer(202), *states("Resuming", "Paused"))
    await sandbox.resume()
    with pytest.raises(UnexpectedStateError, match="fell back from Resuming to Paused"):
        await sandbox.wait_running()


async def test_a_pause_that_failed_before_the_first_look_ends_the_wait_at_once() -> None:
    sandbox, _, clock = await sandbox_over(
        *states("Running", lastTransitionAt="2026-11-02T09:30:00Z"),
        answer(202),
        *states("Running", lastTransitionAt="2026-11-02T09:31:00Z", reason="PushRejected"),
    )
    await sandbox.pause()
    with pytest.raises(UnexpectedStateError, match="PushRejected"):
        await sandbox.wait_paused()
    assert clock.sleeps == []


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (answer(401, error_body("REQUEST::UNAUTHORIZED")), UnauthorizedError),
        (answer(403, error_body("REQUEST::FORBIDDEN")), ForbiddenError),
        (GONE, NotFoundError),
    ],
)
async def test_a_refused_look_is_not_masked_as_a_time_out(
    refusal: httpx.Response, kind: type[Exception]
) -> None:
    sandbox, server, _ = await sandbox_over(*states("Pending", "Pending"), refusal)
    with pytest.raises(kind):
        await sandbox.wait_running()
    assert server.finished


async def test_failures_that_pass_are_waited_out() -> None:
    sandbox, _, clock = await sandbox_over(
        *states("Pending"),
        answer(503, headers={"Retry-After": "4"}),
        httpx.ConnectError("refused"),
        answer(502, "<html>"),
        *states("Running"),
    )
    await sandbox.wait_running()
    assert clock.sleeps[0] == 4


async def test_a_server_that_stays_away_is_the_cause_of_the_time_out() -> None:
    sandbox, _, _ = await sandbox_over(*states("Pending"), *[answer(503) for _ in range(100)])
    with pytest.raises(WaitTimeoutError) as caught:
        await sandbox.wait_running(timeout=5)
    assert isinstance(caught.value.__cause__, UnavailableError)
    assert caught.value.trajectory == ()


async def test_a_server_that_asks_for_more_time_than_the_wait_has_does_not_get_it() -> None:
    busy = answer(503, headers={"Retry-After": "30"})
    sandbox, server, clock = await sandbox_over(*states("Pending"), *[busy] * 5)
    with pytest.raises(WaitTimeoutError):
        await sandbox.wait_running(timeout=5)
    assert clock.slept == pytest.approx(5)
    assert len(server.requests) == 3


async def test_no_look_takes_longer_than_what_is_left() -> None:
    sandbox, server, clock = await sandbox_over(*states(*["Pending"] * 100))
    with pytest.raises(WaitTimeoutError):
        await sandbox.wait_running(timeout=8)
    assert clock.slept == pytest.approx(8)
    limits = [request.extensions["timeout"]["read"] for request in server.requests[1:]]
    assert limits[0] == 8
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] == 1.0


async def test_a_sandbox_that_is_gone_is_terminated() -> None:
    sandbox, _, _ = await sandbox_over(*states("Running"), answer(204), *states("Stopping"), GONE)
    await sandbox.delete()
    await sandbox.wait_until("Terminated")
    assert sandbox.state == "Terminated"


async def test_a_snapshot_is_waited_for_in_the_same_way() -> None:
    sandbox, server, _ = await sandbox_over(
        *states("Running"),
        answer(202, snapshot_body(state="Creating")),
        answer(200, snapshot_body(state="Creating")),
        answer(200, snapshot_body(state="Ready", name="n")),
        answer(204),
        answer(404, error_body("SNAPSHOT::NOT_FOUND")),
    )
    snapshot = await sandbox.snapshot()
    await snapshot.wait_ready()
    assert (snapshot.state, snapshot.name, snapshot.sandbox_id) == ("Ready", "n", "sbx-1")
    await snapshot.delete()
    await snapshot.wait_until("Deleting")
    assert snapshot.state == "Deleting"
    assert server.finished


async def test_a_failed_snapshot_ends_the_wait_at_once() -> None:
    sandbox, _, _ = await sandbox_over(
        *states("Running"),
        answer(202, snapshot_body(state="Creating")),
        answer(200, snapshot_body(state="Failed", status={"reason": "CommitFailed"})),
    )
    snapshot = await sandbox.snapshot()
    with pytest.raises(UnexpectedStateError, match="CommitFailed"):
        await snapshot.wait_ready()
