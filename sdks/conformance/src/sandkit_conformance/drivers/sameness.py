"""Whether two JSON values say the same, where a client may write an instant in its own way."""

from __future__ import annotations

from datetime import datetime
from typing import Any


def same_json(one: Any, other: Any) -> bool:
    """Equal, but for the spelling of RFC 3339 instants; 1, 1.0 and true are three different things."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _instant(one) == _instant(other) is not None
    return type(one) is type(other) and bool(one == other)


def _instant(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
