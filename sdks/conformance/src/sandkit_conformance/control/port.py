"""What a control port is: the way to disturb a target on purpose. It shares nothing with the probe."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol


class Control(Protocol):
    """Disturbs.

    Every method raises `SidePortError` when the port itself does not work.
    """

    @property
    def features(self) -> frozenset[str]:
        """What it can: clock, faults, gates, restart."""
        ...

    async def advance(self, seconds: float) -> str:
        """Move the clock; the new time, once everything due has settled."""
        ...

    async def inject(self, fields: Mapping[str, Any]) -> None:
        """Set a fault under the `id` among its fields."""
        ...

    async def clear_fault(self, fault: str) -> None:
        """Take a fault back; one that is gone already is fine."""
        ...

    async def fault_hits(self, fault: str) -> int | None:
        """How often it has struck; None when it is not known any more."""
        ...

    async def hold(self, fields: Mapping[str, Any]) -> None:
        """Set a gate under the `id` among its fields."""
        ...

    async def held(self, gate: str, wait: float) -> int:
        """How many stand at the gate; waits up to so many seconds for one."""
        ...

    async def release(self, gate: str) -> None:
        """Let through what stands there; a gate that is gone already is fine."""
        ...

    async def drop_gate(self, gate: str) -> None:
        """Release and forget a gate."""
        ...

    async def restart(self, *, graceful: bool, part: str = "all") -> None:
        """Stop the server, or its `controller` alone, and start a new one over the same engine."""
        ...
