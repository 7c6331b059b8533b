"""Disturbing the memory engine on purpose."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandkit_server.disturbance.control import DisturbanceControl
from sandkit_server.runtimes.memory.engine import MemoryEngine


class MemoryControl(DisturbanceControl):
    """The control port of a memory engine."""

    def __init__(self, engine: MemoryEngine, restart: Callable[[bool], Awaitable[None]]) -> None:
        super().__init__(engine.disturbances, engine.clock, restart)
