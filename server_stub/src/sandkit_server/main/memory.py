"""The memory runtime, as the composition root sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandkit_server.core.observation import Control, Probe
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import PauseMode, Ports
from sandkit_server.main.engine import Runtime
from sandkit_server.runtimes.memory import (
    MemoryControl,
    MemoryEngine,
    MemoryProbe,
    MemoryRuntime,
    MemorySettings,
    RegistrySettings,
)
from sandkit_server.settings import MemoryOptions

__all__ = ["InProcessEngine"]


class InProcessEngine:
    """A world in this process's memory."""

    def __init__(self, options: MemoryOptions, policy: Policy) -> None:
        self._engine = MemoryEngine(_settings(options))
        self._policy = policy

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Runtime:
        """A new server over the same world."""
        return MemoryRuntime(self._engine, self._policy, endpoint_base=endpoint_base, alter_ports=alter_ports)

    def probe(self) -> Probe:
        """Looks into the world from outside the API."""
        return MemoryProbe(self._engine)

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> Control:
        """Disturbs the world."""
        return MemoryControl(self._engine, restart=restart)


def _settings(options: MemoryOptions) -> MemorySettings:
    return MemorySettings(
        transition_seconds=options.transition_time,
        pause_mode=None if options.pause_mode == "none" else PauseMode(options.pause_mode),
        registry=None if "registry" in options.without else RegistrySettings(),
        max_sandboxes=options.max_sandboxes,
        snapshots="snapshots" not in options.without,
        pools="pools" not in options.without,
    )
