"""Where a running server is reached."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Addresses"]


@dataclass(frozen=True, slots=True)
class Addresses:
    """The URLs of a running server; ``base_url`` ends in ``/v1``, the others have no path."""

    base_url: str
    probe_url: str | None
    control_url: str | None
