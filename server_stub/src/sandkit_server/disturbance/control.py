"""Arming faults and gates, moving the clock, restarting (protocol ``sandkit-control/1``)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container
from fnmatch import fnmatchcase
from typing import cast, get_args

from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError, invalid_request
from sandkit_server.core.observation import JsonObject
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.faults import ActionName, Fault, Gate, Match, When
from sandkit_server.disturbance.fields import Fields
from sandkit_server.disturbance.strikes import Disturbances

PROTOCOL = "sandkit-control/1"
CAPABILITIES = ("clock", "faults", "gates", "restart")
LONGEST_WAIT = 30.0

_FAULT_FIELDS = {"id", "point", "action", "when", "match", "times", "status", "code", "seconds"}


class DisturbanceControl:
    """The control port of an engine.

    ``restart`` closes the server (when told ``True``) or kills it, and composes a new one, with all that
    belongs to it; ``restart_controller`` does so with the controller alone, where there is one beside it.
    """

    def __init__(
        self,
        disturbances: Disturbances,
        clock: AdjustableClock,
        restart: Callable[[bool], Awaitable[None]],
        restart_controller: Callable[[bool], Awaitable[None]] | None = None,
    ) -> None:
        self._disturbances = disturbances
        self._clock = clock
        self._restart = restart
        self._restart_controller = restart_controller

    def info(self) -> JsonObject:
        """Protocol name, points and capabilities."""
        points = list(self._disturbances.points)
        return {"protocol": PROTOCOL, "points": points, "capabilities": list(CAPABILITIES)}

    async def advance(self, seconds: float) -> JsonObject:
        """Move the clock and return when everything due has settled."""
        time = await self._clock.advance(seconds)
        return {"time": time.isoformat()}

    async def add_fault(self, body: JsonObject) -> JsonObject:
        """Arm a fault under its ``id``; ``times`` null or absent means until it is removed."""
        fields = Fields(body, _FAULT_FIELDS)
        fault = Fault(
            id=self._id(fields, "fault", self._disturbances.faults),
            point=self._point(fields),
            action=cast("ActionName", fields.choice("action", get_args(ActionName))),
            when=_when(fields),
            match=_match(fields),
            times=fields.optional_number("times"),
            status=fields.optional_number("status") or 503,
            code=fields.optional_text("code"),
            seconds=fields.seconds("seconds", 0.0),
        )
        _require_sense(fault)
        self._disturbances.add_fault(fault)
        return {"id": fault.id}

    async def list_faults(self) -> JsonObject:
        """All faults with how often each struck."""
        return {"faults": [_fault_row(fault) for fault in self._disturbances.faults.values()]}

    async def remove_fault(self, fault_id: str | None) -> None:
        """Disarm one fault, or all."""
        if fault_id is None:
            self._disturbances.faults.clear()
        elif self._disturbances.faults.pop(fault_id, None) is None:
            raise _unknown("fault", fault_id)
        self._disturbances.arm()

    async def add_gate(self, body: JsonObject) -> JsonObject:
        """Close a gate, under its ``id``."""
        fields = Fields(body, {"id", "point", "when", "match"})
        gate = Gate(
            id=self._id(fields, "gate", self._disturbances.gates),
            point=self._point(fields),
            when=_when(fields),
            match=_match(fields),
        )
        self._disturbances.add_gate(gate)
        return {"id": gate.id}

    async def gate(self, gate_id: str, wait: float) -> JsonObject:
        """How many are held; waits up to ``wait`` real seconds for the first."""
        gate = self._gate(gate_id)
        if wait > 0 and not gate.held:
            gate.arrivals.clear()
            waiting = asyncio.ensure_future(gate.arrivals.wait())
            await asyncio.wait({waiting}, timeout=min(wait, LONGEST_WAIT))
            waiting.cancel()
        return _gate_row(gate)

    async def release_gate(self, gate_id: str) -> JsonObject:
        """Open a gate for good."""
        gate = self._gate(gate_id)
        released = _gate_row(gate)
        self._disturbances.release(gate)
        return released

    async def remove_gate(self, gate_id: str) -> None:
        """Open a gate and forget it."""
        self._disturbances.release(self._gate(gate_id))
        del self._disturbances.gates[gate_id]
        self._disturbances.arm()

    async def restart(self, body: JsonObject) -> JsonObject:
        """Kill the server (or its controller alone), or close it, and have a new one over the same engine."""
        fields = Fields(body, {"graceful", "part"})
        graceful = fields.flag("graceful")
        if fields.choice("part", ("all", "controller"), "all") == "all":
            await self._restart(graceful)
        elif self._restart_controller is not None:
            await self._restart_controller(graceful)
        else:
            message = "The server has no controller beside it."
            raise invalid_request([FieldError("/part", "known-value", message)])
        return {"time": self._clock.now().isoformat()}

    def _gate(self, gate_id: str) -> Gate:
        if gate_id not in self._disturbances.gates:
            raise _unknown("gate", gate_id)
        return self._disturbances.gates[gate_id]

    def _id(self, fields: Fields, prefix: str, taken: Container[str]) -> str:
        given = fields.optional_text("id")
        if given in taken or given == "":
            message = f"{given!r} is taken or empty; choose another id, or none."
            raise invalid_request([FieldError("/id", "unique", message)])
        while not given or given in taken:
            given = self._disturbances.new_id(prefix)
        return given

    def _point(self, fields: Fields) -> str:
        point = fields.text("point")
        if not any(fnmatchcase(known, point) for known in self._disturbances.points):
            message = f"No step has a point {point}; see the points of info."
            raise invalid_request([FieldError("/point", "known-value", message)])
        return point


def _when(fields: Fields) -> When:
    return cast("When", fields.choice("when", get_args(When), "before"))


def _match(fields: Fields) -> Match:
    inner = Fields(fields.object("match"), {"sandboxId", "name", "index", "metadata"}, "/match")
    return Match(
        sandbox_id=inner.optional_text("sandboxId"),
        name=inner.optional_text("name"),
        index=inner.optional_number("index"),
        metadata=inner.texts("metadata"),
    )


def _require_sense(fault: Fault) -> None:
    noun = fault.point.partition(".")[0]
    if fault.action == "steal" and fault.point != "claim.create":
        message = "Only claim.create can be stolen."
        raise invalid_request([FieldError("/action", "fits-point", message)])
    if fault.action == "vanish" and noun not in ("claim", "workload", "snapshot", "image"):
        message = "Only claims, workloads, snapshots and images can vanish."
        raise invalid_request([FieldError("/action", "fits-point", message)])


def _fault_row(fault: Fault) -> JsonObject:
    return {
        "id": fault.id,
        "point": fault.point,
        "action": fault.action,
        "when": fault.when,
        "times": fault.times,
        "hits": fault.hits,
    }


def _gate_row(gate: Gate) -> JsonObject:
    return {"id": gate.id, "point": gate.point, "held": len(gate.held), "open": gate.open}


def _unknown(what: str, name: str) -> SandkitError:
    return SandkitError(ErrorCode.REQUEST_ROUTE_NOT_FOUND, f"There is no {what} {name}.")
