"""The catalogue of mutants, as the command that serves them tells it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.failures import SuiteError

FORMAT: Final = "sandkit-mutants/1"
_LIST_SECONDS: Final = 60.0


class Kind(StrEnum):
    """What the suite is expected to do: find the defect, or find nothing."""

    MUTANT = "mutant"
    PROXY = "proxy"
    BENIGN = "benign"
    CONTROL = "control"

    @property
    def broken(self) -> bool:
        """Whether there is a defect to be found, in the server or in the proxy before it."""
        return self in {Kind.MUTANT, Kind.PROXY}


@frozen
class MutantEntry:
    """One variant of a server, or a proxy in front of one.

    `also` gives further requirements the defect legitimately breaks, each with its reason; `lacks` the
    capabilities the variant does not have, `choices` what it declares where the contract leaves a choice.
    """

    id: str
    kind: Kind
    requirement: str | None
    defect: str
    also: Mapping[str, str] = field(factory=dict)
    lacks: tuple[str, ...] = ()
    choices: Mapping[str, Any] = field(factory=dict)

    @property
    def area(self) -> str:
        """The area of the requirement; for a variant that breaks none, its kind."""
        return self.requirement.partition("-")[0] if self.requirement else str(self.kind)


@frozen
class Listing:
    """What a command has to offer: its variants, and whether one process of it can host them all."""

    entries: tuple[MutantEntry, ...]
    hosts: bool = False


def read_listing(command: tuple[str, ...], catalogue: Catalogue) -> Listing:
    """Ask the command for its mutants with `list --json`.

    Raises:
        SuiteError: the command cannot be run, or says something else.
    """
    try:
        told = subprocess.run(  # noqa: S603 - the very command the user gave
            [*command, "list", "--json"],
            capture_output=True,
            text=True,
            timeout=_LIST_SECONDS,
            check=True,
            env=dict(os.environ),
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        raise SuiteError(f"the mutants could not be listed: {_explained(error)}") from error
    return parse_listing(told, catalogue)


def _explained(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    return f"{error}" + (f": {said.strip()}" if isinstance(said, str) and said.strip() else "")


def parse_listing(text: str, catalogue: Catalogue) -> Listing:
    """Read the document of `list --json`.

    Raises:
        SuiteError: it is no such document, names a requirement nobody knows, or an id twice.
    """
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise SuiteError(f"the list of mutants is {document['format']!r}; this suite reads {FORMAT}")
        entries = tuple(_entry(one) for one in document["mutants"])
        hosts = document.get("host", False) is True
    except (ValueError, KeyError, TypeError) as error:
        raise SuiteError(f"the list of mutants cannot be read: {type(error).__name__}: {error}") from error
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise SuiteError(f"the list of mutants has `{entry.id}` twice")
        seen.add(entry.id)
        if entry.kind is Kind.PROXY:
            raise SuiteError(f"mutant `{entry.id}`: the proxies are the suite's own")
        if entry.kind.broken is (entry.requirement is None):
            raise SuiteError(f"mutant `{entry.id}`: exactly the variants of kind mutant have a requirement")
        for name in (entry.requirement, *entry.also):
            if name is not None and name not in catalogue.requirements:
                raise SuiteError(f"mutant `{entry.id}` cites {name}, which is not in the catalogue")
    return Listing(entries, hosts)


def _entry(data: Mapping[str, Any]) -> MutantEntry:
    return MutantEntry(
        id=data["id"],
        kind=Kind(data["kind"]),
        requirement=data["requirement"],
        defect=data["defect"],
        also={one["requirement"]: one["reason"] for one in data.get("also", ())},
        lacks=tuple(data.get("lacks", ())),
        choices=dict(data.get("choices", {})),
    )
