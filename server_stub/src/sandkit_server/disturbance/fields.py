"""Reading the bodies of the test ports: typed, and strict about names, since a typo would test nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandkit_server.core.errors import FieldError, SandkitError, invalid_request
from sandkit_server.core.naming import pointer


class Fields:
    """The fields of one JSON object. Every method raises SandkitError for a value of the wrong type."""

    def __init__(self, body: Mapping[str, Any], known: set[str], where: str = "") -> None:
        self._body = body
        self._where = where
        for name in body:
            if name not in known:
                raise self._wrong(name, "known-name", f"is not one of {', '.join(sorted(known))}")

    def text(self, name: str, default: str | None = None) -> str:
        """A string, required unless there is a default."""
        value = self._body.get(name, default)
        if not isinstance(value, str):
            raise self._wrong(name, "type", "is a string")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, or ``None`` when it is null or absent."""
        return None if self._body.get(name) is None else self.text(name)

    def number(self, name: str, default: int) -> int:
        """A whole number of at least 0."""
        value = self._body.get(name, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._wrong(name, "type", "is a whole number of at least 0")
        return value

    def optional_number(self, name: str) -> int | None:
        """A whole number of at least 0, or ``None`` when it is null or absent."""
        return None if self._body.get(name) is None else self.number(name, 0)

    def seconds(self, name: str, default: float | None = None) -> float:
        """A duration in seconds, required unless there is a default."""
        value = self._body.get(name, default)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e9:
            raise self._wrong(name, "type", "is a number of seconds from 0 to 1e9")
        return float(value)

    def flag(self, name: str) -> bool:
        """True or false; false when absent."""
        value = self._body.get(name, False)
        if not isinstance(value, bool):
            raise self._wrong(name, "type", "is true or false")
        return value

    def texts(self, name: str) -> dict[str, str]:
        """An object of strings; empty when absent."""
        value = self._body.get(name) or {}
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            raise self._wrong(name, "type", "is an object of strings")
        return dict(value)

    def object(self, name: str) -> dict[str, Any]:
        """An object; empty when absent."""
        value = self._body.get(name) or {}
        if not isinstance(value, dict):
            raise self._wrong(name, "type", "is an object")
        return value

    def objects(self, name: str) -> list[dict[str, Any]]:
        """A list of objects; empty when absent."""
        value = self._body.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "type", "is a list of objects")
        return value

    def choice(self, name: str, allowed: tuple[str, ...], default: str | None = None) -> str:
        """One of the allowed words, required unless there is a default."""
        value = self.text(name, default)
        if value not in allowed:
            raise self._wrong(name, "known-value", f"is one of {', '.join(allowed)}")
        return value

    def _wrong(self, name: str, rule: str, message: str) -> SandkitError:
        return invalid_request([FieldError(self._where + pointer(name), rule, f"{name} {message}.")])
