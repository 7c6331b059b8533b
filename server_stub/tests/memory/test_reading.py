"""Listing, metadata, endpoints and diagnostics."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from sandkit_server.core.errors import ErrorCode
from sandkit_server.core.model import EndpointQuery, PageRequest, SandboxFilter, SandboxState

from .world import World, eventually, refused


async def test_filters_and_pages(world: World) -> None:
    ids = [
        await world.running(metadata={"team": team, "tier": tier})
        for team, tier in (("search", "gold"), ("search", "tin"), ("ads", "gold"))
    ]
    await world.pause(ids[1])

    async def found(page: PageRequest | None = None, **selection: object) -> list[int]:
        wanted = SandboxFilter(**selection)  # type: ignore[arg-type]
        listed = await world.service.list_sandboxes(wanted, page or PageRequest())
        return [ids.index(sandbox.id) for sandbox in listed.items]

    assert await found() == [0, 1, 2]
    assert await found(states=frozenset({"paused"})) == [1]
    assert await found(states=frozenset({"PAUSED", "Running"})) == [0, 1, 2]
    assert await found(states=frozenset({"Sleeping"})) == []
    assert await found(metadata={"team": "search"}) == [0, 1]
    assert await found(metadata={"team": "search", "tier": "gold"}) == [0]
    assert await found(states=frozenset({"running"}), metadata={"team": "search"}) == [0]
    assert await found(PageRequest(2, 2)) == [2]
    page = await world.service.list_sandboxes(SandboxFilter(), PageRequest(1, 2))
    assert (page.total_items, page.total_pages, page.has_next_page) == (3, 2, True)


async def test_metadata_is_merged(world: World) -> None:
    sandbox_id = await world.running(metadata={"a": "1", "b": "2"})
    patched = await world.service.patch_metadata(sandbox_id, {"a": None, "b": "3", "c": "4", "absent": None})
    assert patched.metadata == {"b": "3", "c": "4"}
    last = world.engine.journal.last
    assert (await world.service.patch_metadata(sandbox_id, {})).metadata == {"b": "3", "c": "4"}
    assert (
        await world.service.patch_metadata(sandbox_id, {"b": "3", "x": None})
    ).metadata == patched.metadata
    assert world.engine.journal.last == last
    error = await refused(world.service.patch_metadata(sandbox_id, {"c": "5", "opensandbox.io/id": "x"}))
    assert error.code is ErrorCode.SANDBOX_INVALID_METADATA_LABEL
    assert (await world.service.get_sandbox(sandbox_id)).metadata == patched.metadata


async def test_racing_patches_lose_nothing(world: World) -> None:
    sandbox_id = await world.running()
    await asyncio.gather(*(world.service.patch_metadata(sandbox_id, {f"k{n}": str(n)}) for n in range(6)))
    metadata = (await world.service.get_sandbox(sandbox_id)).metadata
    assert metadata == {f"k{n}": str(n) for n in range(6)}


async def test_endpoints(world: World) -> None:
    sandbox_id = await world.running()
    plain = await world.service.endpoint(sandbox_id, EndpointQuery(port=8000))
    assert plain.endpoint == f"127.0.0.1:8080/v1/sandboxes/{sandbox_id}/proxy/8000"
    assert plain.headers == {}
    assert await world.service.endpoint(sandbox_id, EndpointQuery(port=8000, use_server_proxy=True)) == plain


@pytest.mark.parametrize("port", [0, 65_536, -1])
async def test_ports_out_of_bounds(world: World, port: int) -> None:
    error = await refused(world.service.endpoint(await world.running(), EndpointQuery(port=port)))
    assert error.code is ErrorCode.SANDBOX_INVALID_PORT
    assert error.details[0].pointer == "path:port"


async def test_signed_endpoints_hold_for_their_port_and_time(world: World) -> None:
    sandbox_id = await world.running()
    expires = int(world.engine.clock.now().timestamp()) + 60
    signed = await world.service.endpoint(sandbox_id, EndpointQuery(port=80, expires=expires))
    altered = {name: "1" + value for name, value in signed.headers.items()}
    assert await world.reached(sandbox_id, 80, signed.headers) == 200
    assert await world.reached(sandbox_id, 81, signed.headers) == 403
    assert await world.reached(sandbox_id, 80, altered) == 403
    assert await world.reached(sandbox_id, 80, dict.fromkeys(signed.headers, "nonsense")) == 403
    await world.engine.clock.advance(61)
    assert await world.reached(sandbox_id, 80, signed.headers) == 403
    for query in (
        EndpointQuery(port=80, expires=expires),
        EndpointQuery(port=80, expires=expires + 600, use_server_proxy=True),
    ):
        error = await refused(world.service.endpoint(sandbox_id, query))
        assert (error.status, error.details[0].pointer) == (400, "query:expires")


async def test_each_access_extends_a_sandbox_made_for_it(world: World) -> None:
    extensions = {"access.renew.extend.seconds": "300"}
    kept = await world.running(timeout_seconds=100, extensions=extensions)
    left = await world.running(timeout_seconds=100)
    endless = await world.running(extensions=extensions)
    for sandbox_id in (kept, left, endless):
        await world.runtime.data_plane.handle(sandbox_id, 80, "/", {})
    await world.engine.clock.advance(250)
    assert (await refused(world.service.get_sandbox(left))).status == 404
    assert (await world.service.get_sandbox(endless)).expires_at is None
    # An access never shortens what is left.
    before = (await world.service.get_sandbox(kept)).expires_at
    assert before is not None
    later = before + timedelta(hours=1)
    await world.service.renew(kept, later)
    await world.runtime.data_plane.handle(kept, 80, "/", {})
    assert (await world.service.get_sandbox(kept)).expires_at == later


async def test_secure_access_asks_for_the_header(world: World) -> None:
    sandbox_id = await world.running(secure_access=True)
    endpoint = await world.service.endpoint(sandbox_id, EndpointQuery(port=44_772))
    assert endpoint.headers
    assert await world.reached(sandbox_id) == 401
    assert await world.reached(sandbox_id, 44_772, endpoint.headers) == 200
    assert "." in "".join(endpoint.headers.values())
    assert str(dict(endpoint.headers)) not in repr(endpoint)


async def test_diagnostics(world: World) -> None:
    sandbox_id = await world.paused()
    events = await world.service.events(sandbox_id)
    texts = [line.partition(" ") for line in events.splitlines()]
    assert [text for _, _, text in texts] == [
        "Pending", "Pending to Running", "Running to Pausing", "Pausing to Paused",
    ]  # fmt: skip
    instants = [datetime.fromisoformat(instant) for instant, _, _ in texts]
    assert instants == sorted(instants)
    assert "python -m http.server" in await world.service.logs(sandbox_id)
    assert await world.service.logs(sandbox_id, "lifecycle") == ""
    assert await world.service.events(sandbox_id, "lifecycle") == events
    assert await world.service.events(sandbox_id, "container") == ""
    for call in (world.service.logs(sandbox_id, "kernel"), world.service.events(sandbox_id, "")):
        assert (await refused(call)).code is ErrorCode.DIAGNOSTICS_UNKNOWN_SCOPE


async def test_events_tell_why_a_pause_failed(world: World) -> None:
    sandbox_id = await world.running()
    await world.fault("snapshot.push", times=1)
    await world.service.pause(sandbox_id)
    await eventually(
        lambda: world.service.get_sandbox(sandbox_id),
        lambda sandbox: sandbox.status.state is SandboxState.RUNNING and sandbox.status.reason is not None,
    )
    assert "PushFailed" in (await world.service.events(sandbox_id)).splitlines()[-1]


@pytest.mark.parametrize("status", [403, 503])
async def test_an_engine_in_trouble(world: World, status: int) -> None:
    sandbox_id = await world.running()
    await world.fault("workload.get", status=status)
    await world.fault("workload.list", status=status)
    for call in (
        world.service.get_sandbox(sandbox_id),
        world.service.list_sandboxes(SandboxFilter(), PageRequest()),
        world.service.delete_sandbox(sandbox_id),
        world.service.pause(sandbox_id),
    ):
        error = await refused(call)
        assert error.status == (503 if status == 503 else 500)
        assert (error.retry_after is not None) == (status == 503)
