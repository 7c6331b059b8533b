"""`await` and `never`, played against a small server."""

from __future__ import annotations

import itertools
import time

from .conftest import Play
from .fakes import FakeProbe
from .stories import story
from .tiny_server import Handler, Misbehaviour, Server


def failed_from_the_third_reading_on() -> Misbehaviour:
    readings = itertools.count(1)

    def misbehave(handler: Handler) -> bool:
        if handler.command == "GET" and handler.route.path.count("/") == 3 and next(readings) == 3:
            handler.server.world.sandboxes[handler.route.path.split("/")[3]]["status"]["state"] = "Failed"
        return False

    return misbehave


async def test_await_passes_when_the_state_is_there(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: [Paused, Failed], for: "${sandbox.id}", as: paused, check: PAU-02}
            - {verify: "${paused.status.state}", is: Paused, check: PAU-02}
            """
        )
    )
    assert played.verdicts == ["pass", "pass"]


async def test_await_sees_an_illegal_change(play: Play, server: Server) -> None:
    """Nobody asked for a pause: Running to Paused is not in the table."""

    def unasked(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            handler.reply(409, {"code": "SANDBOX::INVALID_STATE", "message": "no"})
            handler.server.world.sandboxes[handler.route.path.split("/")[3]]["status"]["state"] = "Paused"
            return True
        return False

    server.world.misbehave = unasked
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 409}}
            - {await: Paused, for: "${sandbox.id}", check: PAU-02}
            """
        )
    )
    assert played.verdicts == ["fail"]
    assert "Running → Paused is not in the transition table" in played.reasons


async def test_await_stops_at_once_when_the_state_cannot_follow(play: Play) -> None:
    started = time.monotonic()
    played = await play(story('- {await: Paused, for: "${sandbox.id}", within: 60, check: PAU-02}\n'))
    assert played.verdicts == ["fail"]
    assert "from where it cannot follow any more" in played.reasons
    assert time.monotonic() - started < 30


async def test_await_gives_up_at_the_end_of_its_budget(play: Play, server: Server) -> None:
    def stuck(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            sandbox = handler.server.world.sandboxes[handler.route.path.split("/")[3]]
            sandbox["status"]["state"] = "Pausing"
            handler.reply(202)
            return True
        return False

    server.world.misbehave = stuck
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: Paused, for: "${sandbox.id}", within: 0.2, check: PAU-02}
            - {call: getSandbox, for: "${sandbox.id}", expect: {status: 200}, check: PAU-11}
            """
        )
    )
    assert played.verdicts == ["fail", "blocked"]
    assert "not within 0.2 s; saw Pausing" in played.reasons


async def test_a_state_between_two_readings_is_inconclusive(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: Pausing, for: "${sandbox.id}", check: PAU-06}
            """
        )
    )
    assert played.verdicts == ["inconclusive"]
    assert "may have been there between two readings" in played.reasons


async def test_await_gone_is_a_404(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: deleteSandbox, for: "${sandbox.id}"}
            - {await: gone, for: "${sandbox.id}", check: API-88}
            - {await: Running, for: "${sandbox.id}", check: API-88}
            """
        )
    )
    assert played.verdicts == ["pass", "fail"]


async def test_await_does_not_go_on_when_asking_again_cannot_help(play: Play, server: Server) -> None:
    def forbid(handler: Handler) -> bool:
        if handler.command == "GET" and "sbx" in handler.path:
            handler.error(403, "REQUEST::FORBIDDEN")
            return True
        return False

    server.world.misbehave = forbid
    started = time.monotonic()
    played = await play(story('- {await: Running, for: "${sandbox.id}", within: 60, check: API-26}\n'))
    assert (played.verdicts, time.monotonic() - started < 30) == (["fail"], True)
    assert "reading it: 403 REQUEST::FORBIDDEN" in played.reasons


async def test_await_and_never_take_conditions(play: Play) -> None:
    probe = FakeProbe({"volumes": [{"name": "v1"}]})
    played = await play(
        story(
            """
            - {await: {probe: volumes, where: {name: v1}, expect: {count: 1}}, as: found, check: VOL-01}
            - {verify: "${found.first.name}", is: v1, check: VOL-01}
            - {await: {probe: volumes, where: {name: v2}, expect: {count: 1}}, within: 0.1, check: VOL-02}
            """
        ),
        probe=probe,
    )
    assert played.verdicts == ["pass", "pass", "fail"]
    assert "not within 0.1 s: count: expected 1, observed 0" in played.reasons


async def test_await_takes_a_call_for_a_condition(play: Play) -> None:
    played = await play(
        story(
            """
            - await: {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 409}}
              within: 2
              check: PAU-07
            - await: {call: listSandboxes, expect: {body: {items: {length: 0}}}}
              within: 0.05
              check: API-75
            """
        )
    )
    assert played.verdicts == ["pass", "fail"]


async def test_never_passes_when_the_window_is_over(play: Play) -> None:
    started = time.monotonic()
    played = await play(story('- {never: Paused, for: "${sandbox.id}", during: 0.2, check: PAU-09}\n'))
    assert played.verdicts == ["pass"]
    assert time.monotonic() - started > 0.2


async def test_never_fails_as_soon_as_the_state_is_seen(play: Play, server: Server) -> None:
    server.world.misbehave = failed_from_the_third_reading_on()
    played = await play(story('- {never: [Failed, gone], for: "${sandbox.id}", during: 5, check: PAU-09}\n'))
    assert played.verdicts == ["fail"]
    assert "Running → Failed: Failed after" in played.reasons


async def test_never_without_a_single_reading_decides_nothing(play: Play) -> None:
    played = await play(
        'steps:\n  - {never: Running, for: "a b", during: 0.05, check: PAU-09}\n', api_key="x"
    )
    assert played.verdicts == ["inconclusive"]


async def test_never_takes_a_condition_that_must_not_come(play: Play) -> None:
    probe = FakeProbe({"volumes": [{"name": "v1"}]})
    played = await play(
        """
        steps:
          - {never: {probe: volumes, where: {name: v2}, expect: {count: 1}}, check: VOL-01}
          - {never: {probe: volumes, where: {name: v1}, expect: {count: 1}}, check: VOL-01}
        """,
        probe=probe,
    )
    assert played.verdicts == ["pass", "fail"]
