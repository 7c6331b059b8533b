"""The client of a control port, against ports that do not keep to the protocol."""

from __future__ import annotations

import json

import pytest

from sandkit_conformance.control.http import HttpControl
from sandkit_conformance.drivers.raw_http import RawHttpDriver
from sandkit_conformance.drivers.side_port import SidePort, SidePortError

from .tiny_server import Handler, Server

pytestmark = pytest.mark.anyio


@pytest.fixture
def control(server: Server) -> HttpControl:
    port = SidePort("control", RawHttpDriver(server.url), None)
    return HttpControl(port, frozenset({"faults", "gates"}))


async def test_an_id_that_is_taken_is_all_there_is_to_know(control: HttpControl, server: Server) -> None:
    def obey(handler: Handler) -> bool:
        handler.reply(201, {"id": json.loads(handler.content)["id"]})
        return True

    server.world.misbehave = obey
    await control.inject({"id": "mine", "point": "claim.get", "action": "error"})
    await control.hold({"id": "mine", "point": "claim.get"})
    assert server.world.requests == ["POST /v1/faults", "POST /v1/gates"]


async def test_what_was_armed_under_another_id_is_disarmed_and_told(
    control: HttpControl, server: Server
) -> None:
    def obstinate(handler: Handler) -> bool:
        handler.reply(201, {"id": "theirs"})
        return True

    server.world.misbehave = obstinate
    with pytest.raises(SidePortError, match="took the id 'theirs' instead of 'mine'"):
        await control.hold({"id": "mine", "point": "claim.get"})
    assert server.world.requests == ["POST /v1/gates", "DELETE /v1/gates/theirs"]


async def test_an_answer_without_an_id_is_told(control: HttpControl, server: Server) -> None:
    def mute(handler: Handler) -> bool:
        handler.reply(201, ["mine"])
        return True

    server.world.misbehave = mute
    with pytest.raises(SidePortError, match="took the id None instead of 'mine'"):
        await control.inject({"id": "mine", "point": "claim.get", "action": "error"})
