"""Profiles: named selections of requirements, and the selection a run works with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.failures import SuiteError


@frozen
class Profile:
    """A named part of the catalogue."""

    name: str
    title: str
    patterns: tuple[str, ...]

    def includes(self, requirement: str) -> bool:
        """Whether a requirement id belongs to the profile."""
        return any(fnmatchcase(requirement, pattern) for pattern in self.patterns)


PROFILES: Final[Mapping[str, Profile]] = {
    profile.name: profile
    for profile in (
        Profile("core", "create, list, read, patch, expire, delete", ("API-*", "TTL-*", "DEL-*")),
        Profile("pause", "core, and pause and resume", ("API-*", "TTL-*", "DEL-*", "PAU-*", "RES-*")),
        Profile("volumes", "core, and who owns a volume", ("API-*", "TTL-*", "DEL-*", "VOL-*")),
        Profile(
            "lifecycle", "pause and volumes together", ("API-*", "TTL-*", "DEL-*", "PAU-*", "RES-*", "VOL-*")
        ),
        Profile("faults", "what holds when things break underneath", ("FLT-*",)),
        Profile("full", "the whole catalogue", ("*",)),
    )
}
DEFAULT_PROFILE: Final = "lifecycle"


def select_requirements(
    catalogue: Catalogue, profile: Profile, patterns: Iterable[str]
) -> tuple[Requirement, ...]:
    """The requirements a run is about: those that match a pattern, or without patterns the profile's.

    Raises:
        SuiteError: a pattern matches nothing in the catalogue.
    """
    patterns = tuple(patterns)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in catalogue.requirements):
            raise SuiteError(
                f"--req {pattern}: no requirement has such an id; `sandkit-conformance list` prints them"
            )
    if patterns:
        return tuple(
            requirement
            for name, requirement in catalogue.requirements.items()
            if any(fnmatchcase(name, pattern) for pattern in patterns)
        )
    return tuple(
        requirement for name, requirement in catalogue.requirements.items() if profile.includes(name)
    )
