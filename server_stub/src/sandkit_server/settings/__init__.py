"""What the operator decides about one server process, checked as a whole before anything is started."""

from __future__ import annotations

from sandkit_server.settings.error import SettingsError
from sandkit_server.settings.kubernetes import KubernetesOptions
from sandkit_server.settings.memory import MemoryOptions
from sandkit_server.settings.sandboxes import SandboxOptions
from sandkit_server.settings.server import (
    API_KEY_VARIABLE,
    CONTROL_KEY_VARIABLE,
    LOG_LEVELS,
    PROBE_KEY_VARIABLE,
    RUNTIMES,
    Settings,
)

__all__ = [
    "API_KEY_VARIABLE",
    "CONTROL_KEY_VARIABLE",
    "LOG_LEVELS",
    "PROBE_KEY_VARIABLE",
    "RUNTIMES",
    "KubernetesOptions",
    "MemoryOptions",
    "SandboxOptions",
    "Settings",
    "SettingsError",
]
