"""The mutants of the reference server, as its command lists them."""

from __future__ import annotations

import sys

import pytest

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.mutants.listing import MutantEntry, read_listing

COMMAND = (sys.executable, "-m", "sandkit_server.testing.mutants")


@pytest.fixture(scope="session")
def command() -> tuple[str, ...]:
    return COMMAND


@pytest.fixture(scope="session")
def entries(command: tuple[str, ...]) -> dict[str, MutantEntry]:
    return {entry.id: entry for entry in read_listing(command, load_catalogue())}
