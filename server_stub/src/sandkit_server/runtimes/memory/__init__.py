"""A runtime that keeps its world in memory: complete, observable, and made to be disturbed."""

from __future__ import annotations

from sandkit_server.runtimes.memory.assembly import MemoryRuntime
from sandkit_server.runtimes.memory.control import MemoryControl
from sandkit_server.runtimes.memory.engine import MemoryEngine
from sandkit_server.runtimes.memory.probe import MemoryProbe
from sandkit_server.runtimes.memory.settings import MemorySettings, RegistrySettings

__all__ = [
    "MemoryControl",
    "MemoryEngine",
    "MemoryProbe",
    "MemoryRuntime",
    "MemorySettings",
    "RegistrySettings",
]
