"""Options of the memory runtime."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from sandkit_server.settings.error import SettingsError, require_choice, require_duration

__all__ = ["OPTIONAL_PARTS", "PAUSE_MODES", "MemoryOptions"]

PAUSE_MODES: Final = ("rootfs", "freeze", "none")
OPTIONAL_PARTS: Final = ("snapshots", "pools", "registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """What the operator chooses for an engine in this process's memory. Times are seconds.

    Attributes:
        pause_mode: ``rootfs`` keeps the files, ``freeze`` the processes, ``none`` cannot pause.
        transition_time: How long each step takes, so that states in between can be seen.
        without: What there is not, out of ``snapshots``, ``pools`` and ``registry``.
        max_sandboxes: Quota; ``None`` for none.

    Raises:
        SettingsError: on construction.
    """

    runtime: ClassVar[str] = "memory"

    pause_mode: str = "rootfs"
    transition_time: float = 0.01
    without: tuple[str, ...] = ()
    max_sandboxes: int | None = None

    def __post_init__(self) -> None:
        require_choice("--pause-mode", self.pause_mode, PAUSE_MODES)
        for part in self.without:
            require_choice("--without", part, OPTIONAL_PARTS)
        require_duration("--transition-time", self.transition_time)
        if self.max_sandboxes is not None and self.max_sandboxes < 1:
            raise SettingsError(f"--max-sandboxes {self.max_sandboxes}: give at least 1.")
