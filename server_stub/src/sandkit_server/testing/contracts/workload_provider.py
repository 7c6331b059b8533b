"""What every workload provider must do.

An adapter's test class names a ``workloads`` fixture and inherits this.
"""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from sandkit_server.core import ownership
from sandkit_server.core.model import CreateSandbox, EndpointQuery, ImageSource, SandboxState
from sandkit_server.core.port_errors import AlreadyExists, NotFound, VersionConflict
from sandkit_server.core.ports import DiagnosticsScope, Workload, WorkloadProvider, WorkloadSpec

SANDBOX = "sbx-contract"
PATIENCE = 30.0


def spec(sandbox_id: str = SANDBOX, *, lifetime: float | None = None) -> WorkloadSpec:
    """A small workload."""
    request = CreateSandbox(
        image=ImageSource(uri="busybox:stable"),
        entrypoint=("sleep", "3600"),
        resource_limits={"cpu": "100m", "memory": "64Mi"},
        metadata={"team": "search"},
    )
    expires_at = None if lifetime is None else datetime.now(UTC) + timedelta(seconds=lifetime)
    return WorkloadSpec(
        sandbox_id=sandbox_id,
        request=request,
        entrypoint=("sleep", "3600"),
        request_digest="digest",
        env={"A": "1"},
        expires_at=expires_at,
    )


async def until(workloads: WorkloadProvider, state: SandboxState) -> Workload:
    """Wait for a state."""
    async with asyncio.timeout(PATIENCE):
        while True:
            workload = await workloads.get(SANDBOX)
            if workload.sandbox.status.state is state:
                return workload
            await asyncio.sleep(0.005)


async def until_gone(workloads: WorkloadProvider) -> None:
    """Wait until the workload is not found."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                await workloads.get(SANDBOX)
            except NotFound:
                return
            await asyncio.sleep(0.005)


async def changed(workloads: WorkloadProvider, change: Callable[[str], Awaitable[Workload]]) -> Workload:
    """Make a change based on the present version; whoever else changes it just now is let pass."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                return await change((await workloads.get(SANDBOX)).version)
            except VersionConflict:
                await asyncio.sleep(0)


async def raced(
    workloads: WorkloadProvider, request: Callable[[str, str], Awaitable[Workload]]
) -> list[Workload | BaseException]:
    """What four equal requests based on one version get, unless somebody else was faster than all four."""
    async with asyncio.timeout(PATIENCE):
        while True:
            version = (await workloads.get(SANDBOX)).version
            racers = (request(SANDBOX, version) for _ in range(4))
            answers = await asyncio.gather(*racers, return_exceptions=True)
            if not all(isinstance(answer, VersionConflict) for answer in answers):
                return answers


class WorkloadProviderContract:
    """The contract of :class:`~sandkit_server.core.ports.WorkloadProvider`."""

    async def test_a_workload_is_read_as_it_was_made(self, workloads: WorkloadProvider) -> None:
        made = await workloads.create(spec(lifetime=3600))
        sandbox = made.sandbox
        assert (sandbox.id, sandbox.entrypoint, sandbox.metadata) == (
            SANDBOX,
            ("sleep", "3600"),
            {"team": "search"},
        )
        assert (made.request_digest, made.replicas) == ("digest", 1)
        assert sandbox.expires_at is not None
        assert ownership.owner_reference(made.ref) is not None
        read = await workloads.wait_ready(SANDBOX)
        assert (read.ref, read.sandbox.created_at) == (made.ref, sandbox.created_at)
        assert read.ever_ready

    async def test_an_id_is_taken_once(self, workloads: WorkloadProvider) -> None:
        answers = await asyncio.gather(*(workloads.create(spec()) for _ in range(3)), return_exceptions=True)
        assert sorted(type(answer).__name__ for answer in answers) == ["AlreadyExists"] * 2 + ["Workload"]
        with pytest.raises(AlreadyExists):
            await workloads.create(spec())

    async def test_what_is_not_there_is_not_found(self, workloads: WorkloadProvider) -> None:
        for call in (
            workloads.get("sbx-absent"),
            workloads.delete("sbx-absent"),
            workloads.abandon("sbx-absent", "1", "Reason", "message"),
            workloads.wait_ready("sbx-absent"),
            workloads.request_pause("sbx-absent", "1"),
            workloads.request_resume("sbx-absent", "1"),
            workloads.set_metadata("sbx-absent", "1", {}),
            workloads.set_expiry("sbx-absent", "1", datetime.now(UTC)),
            workloads.endpoint("sbx-absent", EndpointQuery(port=80)),
            workloads.logs("sbx-absent", DiagnosticsScope.ALL),
            workloads.events("sbx-absent", DiagnosticsScope.ALL),
        ):
            with pytest.raises(NotFound):
                await call

    async def test_changes_are_based_on_the_version_that_was_read(self, workloads: WorkloadProvider) -> None:
        await workloads.create(spec(lifetime=3600))
        read = await workloads.wait_ready(SANDBOX)
        ranked = {"team": "ranking"}
        made = await changed(workloads, lambda version: workloads.set_metadata(SANDBOX, version, ranked))
        assert made.version != read.version
        assert made.sandbox.metadata == ranked
        later = datetime.now(UTC) + timedelta(hours=2)
        for call in (
            workloads.set_metadata(SANDBOX, read.version, {}),
            workloads.set_expiry(SANDBOX, read.version, later),
            workloads.request_pause(SANDBOX, read.version),
            workloads.abandon(SANDBOX, read.version, "Reason", "message"),
        ):
            with pytest.raises(VersionConflict):
                await call
        renewed = await changed(workloads, lambda version: workloads.set_expiry(SANDBOX, version, later))
        assert renewed.sandbox.expires_at is not None
        assert abs(renewed.sandbox.expires_at - later) < timedelta(seconds=1)

    async def test_pause_and_resume_have_one_winner_each(self, workloads: WorkloadProvider) -> None:
        if workloads.capabilities.pause is None:
            pytest.skip("this runtime cannot pause")
        await workloads.create(spec())
        await workloads.wait_ready(SANDBOX)
        for request, on_the_way, end in (
            (workloads.request_pause, SandboxState.PAUSING, SandboxState.PAUSED),
            (workloads.request_resume, SandboxState.RESUMING, SandboxState.RUNNING),
        ):
            answers = await raced(workloads, request)
            assert sorted(type(answer).__name__ for answer in answers) == [
                "VersionConflict",
                "VersionConflict",
                "VersionConflict",
                "Workload",
            ]
            (winner,) = (answer for answer in answers if isinstance(answer, Workload))
            assert winner.sandbox.status.state is on_the_way
            await until(workloads, end)

    async def test_a_delete_takes_it_down_and_may_be_repeated(self, workloads: WorkloadProvider) -> None:
        await workloads.create(spec())
        await workloads.wait_ready(SANDBOX)
        await workloads.delete(SANDBOX)
        await until_gone(workloads)
        with pytest.raises(NotFound):
            await workloads.delete(SANDBOX)
        assert [workload.sandbox.id for workload in await workloads.list()] == []

    async def test_listing_is_in_order_of_creation(self, workloads: WorkloadProvider) -> None:
        for sandbox_id in ("sbx-b", "sbx-a", "sbx-c"):
            await workloads.create(spec(sandbox_id))
        assert [workload.sandbox.id for workload in await workloads.list()] == ["sbx-b", "sbx-a", "sbx-c"]

    async def test_texts_are_lines(self, workloads: WorkloadProvider) -> None:
        await workloads.create(spec())
        await workloads.wait_ready(SANDBOX)
        events = await workloads.events(SANDBOX, DiagnosticsScope.ALL)
        assert events.endswith("\n")
        for line in events.splitlines():
            datetime.fromisoformat(line.split(" ")[0])
        assert (await workloads.endpoint(SANDBOX, EndpointQuery(port=8000))).endpoint
