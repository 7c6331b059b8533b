"""The mutants of the reference server, as its command lists them."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.mutants.listing import MutantEntry, read_listing
from sandkit_conformance.mutants.serving import Host, Servers

COMMAND = (sys.executable, "-m", "sandkit_server.testing.mutants")


@pytest.fixture(scope="session")
def command() -> tuple[str, ...]:
    return COMMAND


@pytest.fixture(scope="session")
def entries(command: tuple[str, ...]) -> dict[str, MutantEntry]:
    listing = read_listing(command, load_catalogue())
    assert listing.hosts
    return {entry.id: entry for entry in listing.entries}


@pytest.fixture(scope="session")
def servers(command: tuple[str, ...]) -> Iterator[Servers]:
    host = Host(command)
    yield host
    host.close()
