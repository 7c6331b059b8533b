"""Where the commands print."""

from __future__ import annotations

from typing import Final

from rich.console import Console

PLAIN_WIDTH: Final = 160


def console() -> Console:
    """A console that does not fold lines when nobody looks at it."""
    probe = Console()
    return probe if probe.is_terminal else Console(width=PLAIN_WIDTH)
