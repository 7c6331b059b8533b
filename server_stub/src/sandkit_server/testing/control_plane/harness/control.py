"""The control of a harness: that of any engine, with the control plane's own deadlines kept in step."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandkit_server.core.observation import JsonObject
from sandkit_server.disturbance.clock import AdjustableClock
from sandkit_server.disturbance.control import DisturbanceControl
from sandkit_server.disturbance.strikes import Disturbances
from sandkit_server.testing.control_plane.harness.deadlines import Deadlines


class HarnessControl(DisturbanceControl):
    """Faults, gates, restarts of server and controller, and the time that both see."""

    def __init__(
        self,
        disturbances: Disturbances,
        clock: AdjustableClock,
        restart: Callable[[bool], Awaitable[None]],
        restart_controller: Callable[[bool], Awaitable[None]],
        deadlines: Deadlines,
    ) -> None:
        super().__init__(disturbances, clock, restart, restart_controller)
        self._deadlines = deadlines

    async def advance(self, seconds: float) -> JsonObject:
        """Move the clock and return when everything due has settled."""
        await self._deadlines.bring_forward(seconds)
        return await super().advance(seconds)
