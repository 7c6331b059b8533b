"""The one error of settings, and the checks that several of them share."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["SettingsError", "require_choice", "require_duration"]


class SettingsError(ValueError):
    """Settings that contradict each other or would be unsafe; the text says what to change."""


def require_choice(option: str, value: str, choices: Sequence[str]) -> None:
    """Raise SettingsError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise SettingsError(f"{option} {value}: choose one of {', '.join(choices)}.")


def require_duration(option: str, seconds: float) -> None:
    """Raise SettingsError unless ``seconds`` is finite and not negative."""
    if not 0 <= seconds < float("inf"):
        raise SettingsError(f"{option} {seconds}: give a number of seconds, 0 or more.")
