"""Uids, as an engine gives them to its objects."""

from __future__ import annotations

import uuid


def new_uid() -> str:
    """A uid as Kubernetes gives to objects: it tells an object from a later one of the same name."""
    return str(uuid.uuid4())
