"""What the composition root needs from a runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from sandkit_server.core.observation import Control, DataPlane, Probe
from sandkit_server.core.ports import Ports
from sandkit_server.core.service import LifecycleService

__all__ = ["Engine", "Runtime"]


class Runtime(Protocol):
    """One server process over an engine: ``start``, use, then ``close`` or ``kill``.

    A killed one reaches the engine no more; a new one over the same engine goes on where it stopped.
    """

    @property
    def service(self) -> LifecycleService:
        """The operations of the API."""
        ...

    @property
    def data_plane(self) -> DataPlane:
        """The sandboxes' own ports."""
        ...

    async def start(self) -> None:
        """Get to know the engine and finish what an earlier process left.

        Raises:
            StartError: the engine cannot be worked with as things are.
        """
        ...

    async def close(self) -> None:
        """End in order: no new creates, those under way finish, the rest stops where it is."""
        ...

    async def kill(self) -> None:
        """End as by SIGKILL: whatever is under way is dropped where it stands and cleans up nothing."""
        ...


class Engine(Protocol):
    """What runs the sandboxes; it outlives every runtime over it."""

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Runtime:
        """A new runtime. ``endpoint_base`` tells host and port under which clients reach this server."""
        ...

    def probe(self) -> Probe | None:
        """The view behind the API, where this engine has one of its own."""
        ...

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> Control | None:
        """Faults, gates and the clock, where this engine has them. ``restart`` replaces the runtime."""
        ...
