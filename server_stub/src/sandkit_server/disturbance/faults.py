"""What the control port arms: faults and gates, and whom they are meant for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal

When = Literal["before", "after"]
ActionName = Literal["error", "latency", "vanish", "steal", "crash"]

# The steps of an engine, by the noun they are about. An engine may have fewer.
POINTS = (
    *(f"claim.{verb}" for verb in ("get", "list", "create", "patch", "delete")),
    *(f"workload.{verb}" for verb in ("create", "get", "list", "delete", "update", "ready")),
    *(f"pod.{verb}" for verb in ("create", "delete", "freeze", "thaw")),
    *(f"snapshot.{verb}" for verb in ("create", "commit", "push", "delete")),
    *(f"image.{verb}" for verb in ("pull", "delete")),
    *(f"job.{verb}" for verb in ("create", "delete")),
    "pool.claim",
    *(f"reconcile.{what}" for what in ("start", "pause", "resume", "stop", "expire", "snapshot", "pool")),
)


class InjectedCrash(RuntimeError):  # noqa: N818 - named for what happens
    """The worker carrying out a step died on the way, as by an unforeseen failure or a kill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a step is about. ``metadata`` is the sandbox's, for telling a create whose id is not known yet."""

    sandbox_id: str | None = None
    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Which passings are meant; ``index`` counts, from 0, those that fit all other fields."""

    sandbox_id: str | None = None
    name: str | None = None
    index: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)

    def fits(self, subject: Subject) -> bool:
        """Whether ``subject`` is meant, leaving ``index`` aside."""
        return (
            self.sandbox_id in (None, subject.sandbox_id)
            and self.name in (None, subject.name)
            and self.metadata.items() <= subject.metadata.items()
        )


@dataclass(slots=True, kw_only=True)
class Fault:
    """An armed fault; ``hits`` counts how often it struck, ``times`` how often it may (``None``: always)."""

    id: str
    point: str
    action: ActionName
    when: When = "before"
    match: Match = field(default_factory=Match)
    times: int | None = None
    status: int = 503
    code: str | None = None
    seconds: float = 0.0
    hits: int = 0
    seen: int = 0

    def strikes(self, point: str, when: When, subject: Subject) -> bool:
        """Whether this passing is one to strike; counts it either way."""
        if when != self.when or not fnmatchcase(point, self.point) or not self.match.fits(subject):
            return False
        self.seen += 1
        if self.match.index is not None and self.match.index != self.seen - 1:
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        self.hits += 1
        return True


class Lifeline:
    """One server process. Once it is cut, nothing that process began can reach the engine any more."""

    def __init__(self) -> None:
        self.cut = False


@dataclass(slots=True, kw_only=True)
class Gate:
    """Holds whoever passes until it is released; then it stays open."""

    id: str
    point: str
    when: When = "before"
    match: Match = field(default_factory=Match)
    open: bool = False
    seen: int = 0
    held: dict[asyncio.Future[None], Lifeline] = field(default_factory=dict)
    arrivals: asyncio.Event = field(default_factory=asyncio.Event)

    def stops(self, point: str, when: When, subject: Subject) -> bool:
        """Whether this passing is to be held."""
        if when != self.when or not fnmatchcase(point, self.point) or not self.match.fits(subject):
            return False
        self.seen += 1
        return not self.open and self.match.index in (None, self.seen - 1)
