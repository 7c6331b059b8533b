"""Every variant of the server, by id."""

from __future__ import annotations

from collections.abc import Mapping

from sandkit_server.testing.mutants.mutant import Kind, Mutant
from sandkit_server.testing.mutants.pause import PAUSE

CONTROL = Mutant(
    id="control",
    requirement=None,
    defect="The server as it is: everything has to be green.",
    kind=Kind.CONTROL,
)

_ALL = (CONTROL, *PAUSE)

MUTANTS: Mapping[str, Mutant] = {mutant.id: mutant for mutant in _ALL}

if len(MUTANTS) < len(_ALL):
    raise ValueError("two mutants have the same id")


def find(identifier: str) -> Mutant:
    """The variant of this id.

    Raises:
        KeyError: there is none.
    """
    return MUTANTS[identifier]
