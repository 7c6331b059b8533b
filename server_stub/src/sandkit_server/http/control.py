"""The control's listener.

``sandkit-control/1``, which disturbs the engine, moves its clock and restarts the server.
"""

from __future__ import annotations

import math
from typing import Any, Final

from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.core.observation import Control
from sandkit_server.http.exchange import Answer, Request
from sandkit_server.http.json_routes import json_answer, json_object, query_value
from sandkit_server.http.routing import Route

__all__ = ["CONTROL_KEY_HEADER", "control_routes"]

CONTROL_KEY_HEADER: Final = "SANDKIT-CONTROL-KEY"

# Longest time one request may be held while nobody has reached its gate; clients ask again.
_MAX_WAIT_SECONDS: Final = 60.0


def control_routes(control: Control) -> list[Route]:
    """All routes of the protocol, over one control."""
    return [*_world(control), *_faults(control), *_gates(control)]


def _world(control: Control) -> list[Route]:
    async def info(_: Request) -> Answer:
        return json_answer(control.info())

    async def advance(request: Request) -> Answer:
        return json_answer(await control.advance(_seconds(await json_object(request))))

    async def restart(request: Request) -> Answer:
        return json_answer(await control.restart(await json_object(request)))

    return [
        Route("GET", "/v1/info", info),
        Route("POST", "/v1/clock/advance", advance),
        Route("POST", "/v1/restart", restart),
    ]


def _faults(control: Control) -> list[Route]:
    async def add(request: Request) -> Answer:
        return json_answer(await control.add_fault(await json_object(request)), 201)

    async def listed(_: Request) -> Answer:
        return json_answer(await control.list_faults())

    async def remove(request: Request) -> Answer:
        await control.remove_fault(request.parameters.get("faultId"))
        return Answer(204)

    return [
        Route("POST", "/v1/faults", add),
        Route("GET", "/v1/faults", listed),
        Route("DELETE", "/v1/faults", remove),
        Route("DELETE", "/v1/faults/{faultId}", remove),
    ]


def _gates(control: Control) -> list[Route]:
    async def add(request: Request) -> Answer:
        return json_answer(await control.add_gate(await json_object(request)), 201)

    async def read(request: Request) -> Answer:
        return json_answer(await control.gate(request.parameters["gateId"], _wait(request)))

    async def release(request: Request) -> Answer:
        return json_answer(await control.release_gate(request.parameters["gateId"]))

    async def remove(request: Request) -> Answer:
        await control.remove_gate(request.parameters["gateId"])
        return Answer(204)

    return [
        Route("POST", "/v1/gates", add),
        Route("GET", "/v1/gates/{gateId}", read),
        Route("POST", "/v1/gates/{gateId}/release", release),
        Route("DELETE", "/v1/gates/{gateId}", remove),
    ]


def _seconds(body: dict[str, Any]) -> float:
    seconds = body.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < math.inf:
        raise invalid_request([FieldError("/seconds", "minimum", "Give a number of seconds, 0 or more.")])
    return float(seconds)


def _wait(request: Request) -> float:
    text = query_value(request, "wait", "0")
    try:
        wait = float(text)
    except ValueError:
        wait = math.nan
    if not 0 <= wait <= _MAX_WAIT_SECONDS:
        raise invalid_request(
            [
                FieldError(
                    "query:wait", "maximum", f"Give a number of seconds from 0 to {_MAX_WAIT_SECONDS:g}."
                )
            ]
        )
    return wait
