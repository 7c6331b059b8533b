"""The scenarios that are explored: together they ask everything of two sandboxes, whatever their state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sandkit_server.testing.explorer.scenarios import LIFETIME, A, Asked, B, Scenario
from sandkit_server.testing.explorer.setting import Budget

_EXPIRING: Final = {A: LIFETIME, B: None}
_LASTING: Final[Mapping[str, int | None]] = {A: None, B: None}


def _made(*sandboxes: str) -> tuple[Asked, ...]:
    return tuple(Asked(what="create", sandbox=each) for each in sandboxes)


_SCENARIOS: Final = (
    Scenario(
        name="creates-and-deletes",
        asked=(
            Asked(what="create", sandbox=A),
            Asked(what="create", sandbox=B),
            Asked(what="delete", sandbox=A, after=(0,)),
            Asked(what="delete", sandbox=B, after=(1,)),
        ),
        budget=Budget(faults=2, crashes=1, looks=1, misfortunes=1),
        depth=11,
        weight=4,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="repeated-creates",
        asked=(
            Asked(what="create keyed", sandbox=A),
            Asked(what="create keyed", sandbox=A),
            Asked(what="delete", sandbox=A, after=(0,)),
        ),
        budget=Budget(faults=2, crashes=1, looks=1),
        depth=13,
        weight=2,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="pauses-and-resumes",
        given=_made(A),
        asked=(
            Asked(what="pause", sandbox=A),
            Asked(what="pause", sandbox=A),
            Asked(what="resume", sandbox=A),
            Asked(what="delete", sandbox=A),
        ),
        budget=Budget(faults=1, crashes=1, misfortunes=1, stalls=1),
        depth=8,
        weight=6,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="a-pause-that-fails",
        given=_made(A),
        asked=(Asked(what="pause", sandbox=A), Asked(what="pause", sandbox=A, after=(0,))),
        budget=Budget(misfortunes=2),
        depth=14,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="a-renewal-in-time",
        given=_made(A),
        asked=(Asked(what="renew", sandbox=A),),
        budget=Budget(stalls=1, faults=1),
        depth=12,
        lifetimes=_EXPIRING,
    ),
    Scenario(
        name="two-pauses-at-once",
        given=_made(A, B),
        asked=(
            Asked(what="pause", sandbox=A),
            Asked(what="pause", sandbox=B),
            Asked(what="delete", sandbox=A),
        ),
        budget=Budget(misfortunes=1, faults=1),
        depth=9,
        weight=4,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="resumes",
        given=(*_made(A, B), Asked(what="pause", sandbox=A)),
        asked=(
            Asked(what="resume", sandbox=A),
            Asked(what="resume", sandbox=A),
            Asked(what="delete", sandbox=A),
            Asked(what="delete", sandbox=B),
        ),
        budget=Budget(faults=1, crashes=1, misfortunes=2, stalls=1),
        depth=7,
        weight=3,
        lifetimes=_LASTING,
    ),
    Scenario(
        name="expiry-and-renewal",
        given=_made(A, B),
        asked=(
            Asked(what="renew", sandbox=A),
            Asked(what="pause", sandbox=A),
            Asked(what="resume", sandbox=A),
            Asked(what="delete", sandbox=B),
        ),
        budget=Budget(faults=1, stalls=1, misfortunes=1, looks=1, crashes=1),
        depth=7,
        weight=5,
        lifetimes=_EXPIRING,
    ),
    Scenario(
        name="starts-that-fail",
        asked=(
            Asked(what="create", sandbox=A),
            Asked(what="give up", sandbox=A, after=(0,)),
            Asked(what="delete", sandbox=A, after=(0,)),
        ),
        budget=Budget(misfortunes=1, faults=1, crashes=1, stalls=1, looks=1),
        depth=11,
        weight=3,
        lifetimes=_EXPIRING,
    ),
)

SCENARIOS: Final[Mapping[str, Scenario]] = {each.name: each for each in _SCENARIOS}
