"""Every variant of the server, by id."""

from __future__ import annotations

from collections.abc import Mapping

from sandkit_server.testing.mutants.benign import BENIGN
from sandkit_server.testing.mutants.changes import CHANGES
from sandkit_server.testing.mutants.claim_requests import CLAIM_REQUESTS
from sandkit_server.testing.mutants.claims import CLAIMS
from sandkit_server.testing.mutants.creation import CREATION
from sandkit_server.testing.mutants.deletion import DELETION
from sandkit_server.testing.mutants.endpoints import ENDPOINTS
from sandkit_server.testing.mutants.expiry import EXPIRY
from sandkit_server.testing.mutants.failures import FAILURES
from sandkit_server.testing.mutants.listing import LISTING
from sandkit_server.testing.mutants.mutant import Kind, Mutant
from sandkit_server.testing.mutants.owners import OWNERS
from sandkit_server.testing.mutants.pause import PAUSE
from sandkit_server.testing.mutants.pools import POOLS
from sandkit_server.testing.mutants.protocol import PROTOCOL
from sandkit_server.testing.mutants.reading import READING
from sandkit_server.testing.mutants.resume import RESUME
from sandkit_server.testing.mutants.rules import RULES
from sandkit_server.testing.mutants.snapshots import SNAPSHOTS

CONTROL = Mutant(
    id="control",
    requirement=None,
    defect="The server as it is: everything has to be green.",
    kind=Kind.CONTROL,
)

_AREAS = (
    *(PAUSE, RESUME, EXPIRY, DELETION, CLAIMS, CLAIM_REQUESTS, OWNERS, FAILURES),
    *(PROTOCOL, READING, RULES, CREATION, LISTING, CHANGES, ENDPOINTS, SNAPSHOTS, POOLS),
)
_ALL = (CONTROL, *BENIGN, *(mutant for area in _AREAS for mutant in area))

MUTANTS: Mapping[str, Mutant] = {mutant.id: mutant for mutant in _ALL}

if len(MUTANTS) < len(_ALL):
    raise ValueError("two mutants have the same id")


def find(identifier: str) -> Mutant:
    """The variant of this id.

    Raises:
        KeyError: there is none.
    """
    return MUTANTS[identifier]
