"""Identifiers: unguessable, valid as DNS labels and label values."""

from __future__ import annotations

import secrets
import uuid


def new_uid() -> str:
    """A uid as Kubernetes gives to objects: it tells an object from a later one of the same name."""
    return str(uuid.uuid4())


class RandomIds:
    """New ids of 128 random bits."""

    def new(self, prefix: str) -> str:
        """A fresh id that begins with ``prefix``."""
        return f"{prefix}-{secrets.token_hex(16)}"
