"""The control protocol over HTTP, `sandkit-control/1`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from attrs import evolve, frozen

from sandkit_conformance.drivers.side_port import SidePort, SidePortError

PROTOCOL: Final = "sandkit-control/1"


@frozen
class HttpControl:
    """A `Control` behind a side port."""

    port: SidePort
    features: frozenset[str]

    async def advance(self, seconds: float) -> str:
        """See `Control.advance`."""
        answer = await self.port.ask("POST", "/v1/clock/advance", {"seconds": seconds})
        return str(answer["time"])

    async def inject(self, fields: Mapping[str, Any]) -> None:
        """See `Control.inject`."""
        await self._arm("/v1/faults", fields)

    async def clear_fault(self, fault: str) -> None:
        """See `Control.clear_fault`."""
        await self._disarm("/v1/faults", fault)

    async def fault_hits(self, fault: str) -> int | None:
        """See `Control.fault_hits`."""
        answer = await self.port.ask("GET", "/v1/faults")
        faults = answer.get("faults", answer) if isinstance(answer, dict) else answer
        return next((int(entry.get("hits", 0)) for entry in faults if entry.get("id") == fault), None)

    async def hold(self, fields: Mapping[str, Any]) -> None:
        """See `Control.hold`."""
        await self._arm("/v1/gates", fields)

    async def held(self, gate: str, wait: float) -> int:
        """See `Control.held`."""
        patient = evolve(self.port, timeout=wait + self.port.timeout)
        answer = await patient.ask("GET", f"/v1/gates/{quote(gate, safe='')}", query={"wait": wait})
        return int(answer["held"])

    async def release(self, gate: str) -> None:
        """See `Control.release`."""
        await self._forgiving("POST", f"/v1/gates/{quote(gate, safe='')}/release")

    async def drop_gate(self, gate: str) -> None:
        """See `Control.drop_gate`."""
        await self._disarm("/v1/gates", gate)

    async def restart(self, *, graceful: bool, part: str = "all") -> None:
        """See `Control.restart`."""
        payload = {"graceful": graceful} if part == "all" else {"graceful": graceful, "part": part}
        await self.port.ask("POST", "/v1/restart", payload)

    async def _arm(self, path: str, fields: Mapping[str, Any]) -> None:
        answer = await self.port.ask("POST", path, dict(fields))
        taken = answer.get("id") if isinstance(answer, dict) else None
        if taken == fields["id"]:
            return
        if isinstance(taken, str):
            # After a kill nobody would know of it.
            await self._disarm(path, taken)
        raise SidePortError(
            f"the control port: POST {path}: took the id {taken!r} instead of {fields['id']!r}"
        )

    async def _disarm(self, path: str, name: str) -> None:
        await self._forgiving("DELETE", f"{path}/{quote(name, safe='')}")

    async def _forgiving(self, method: str, path: str) -> None:
        exchange = await self.port.exchange(method, path)
        if not exchange.ok and exchange.status != 404:
            raise SidePortError(f"the control port: {method} {path}: {exchange.outcome()}")


async def connect_control(port: SidePort) -> HttpControl:
    """Ask the port who it is.

    Raises:
        SuiteError: it cannot be reached, refuses the key, or speaks another protocol.
    """
    return HttpControl(port, await port.features(PROTOCOL))
