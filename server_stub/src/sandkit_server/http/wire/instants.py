"""Instants of requests, which may come with any offset."""

from __future__ import annotations

from datetime import UTC, datetime

from sandkit_server.core.errors import FieldError, invalid_request

__all__ = ["read_instant"]


def read_instant(instant: datetime, pointer: str) -> datetime:
    """The same instant in UTC, as the core counts and every answer shows it.

    Raises:
        SandkitError: REQUEST::INVALID_PARAMETER at ``pointer`` for one that UTC has no date for, such as
            ``0001-01-01T00:00:00+01:00``.
    """
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        message = "This instant lies outside the years 1 to 9999 of UTC."
        raise invalid_request([FieldError(pointer, "format", message)]) from None
