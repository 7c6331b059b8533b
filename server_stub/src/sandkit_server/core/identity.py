"""Identifiers: unguessable, valid as DNS labels and label values."""

from __future__ import annotations

import secrets


class RandomIds:
    """New ids of 128 random bits."""

    def new(self, prefix: str) -> str:
        """A fresh id that begins with ``prefix``."""
        return f"{prefix}-{secrets.token_hex(16)}"
