"""Absent and null on the wire, None in the core.

Answers leave out what is not there: clients in use stumble over an explicit null where they expect a string.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from msgspec import UNSET, UnsetType

__all__ = ["filled", "given", "present"]

T = TypeVar("T")


def given(value: T | UnsetType | None) -> T | None:
    """A field of a request: None when it is absent or null."""
    return None if value is UNSET else value


def present(value: T | None) -> T | UnsetType:
    """A field of an answer: left out when there is nothing to tell."""
    return UNSET if value is None else value


def filled(value: Mapping[str, str]) -> dict[str, str] | UnsetType:
    """A map of an answer: left out when it is empty."""
    return dict(value) if value else UNSET
