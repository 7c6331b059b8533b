"""One request that must be refused, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["ABSENT", "Case", "create", "raw", "volume"]

ABSENT: Final = object()

_VALID: Final[Mapping[str, Any]] = {
    "image": {"uri": "python:3.12"},
    "entrypoint": ["python", "-V"],
    "resourceLimits": {"cpu": "500m", "memory": "512Mi"},
    "timeout": 600,
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """``details`` are pairs of pointer and rule, all of them, in order.

    ``{running}`` and the like in ``path`` are ids.
    """

    name: str
    code: str
    status: int = 400
    method: str = "POST"
    path: str = "/sandboxes"
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    details: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return self.name


def create(
    name: str, code: str = "REQUEST::INVALID_PARAMETER", *details: tuple[str, str], **changes: Any
) -> Case:
    """A create request that is valid but for ``changes``; ABSENT leaves a field out."""
    body = {key: value for key, value in {**_VALID, **changes}.items() if value is not ABSENT}
    return Case(name=name, code=code, content=json.dumps(body).encode(), details=details)


def volume(name: str, code: str, /, *details: tuple[str, str], **changes: Any) -> Case:
    """A create request with one volume that is valid but for ``changes``."""
    valid = {"name": "data", "mountPath": "/data", "pvc": {"claimName": "fresh"}}
    mount = {key: value for key, value in {**valid, **changes}.items() if value is not ABSENT}
    return create(name, code, *[(f"/volumes/0{where}", rule) for where, rule in details], volumes=[mount])


def raw(name: str, content: bytes, code: str = "REQUEST::MALFORMED_JSON", **how: Any) -> Case:
    """A create request whose body is these bytes."""
    return Case(name=name, code=code, content=content, **how)
