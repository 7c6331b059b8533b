"""Nothing the suite checks is without a mutant, so that no check is believed that was never seen failing."""

from __future__ import annotations

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.mutants.listing import MutantEntry
from sandkit_conformance.mutants.proxy.catalogue import PROXIES
from sandkit_conformance.mutants.score import checked_elsewhere
from sandkit_conformance.scenario.loader import shipped_suite


def test_every_requirement_that_a_server_alone_can_show_has_a_mutant(entries: dict[str, MutantEntry]) -> None:
    proved = {entry.requirement for entry in entries.values()}
    elsewhere = checked_elsewhere(load_catalogue()).keys()
    assert shipped_suite().checked_requirements() - elsewhere - proved == set()


def test_every_requirement_is_checked_or_says_where_it_is_shown() -> None:
    catalogue = load_catalogue()
    assert (
        catalogue.requirements.keys()
        == shipped_suite().checked_requirements() | checked_elsewhere(catalogue).keys()
    )


def test_ids_of_mutants_and_proxies_are_apart(entries: dict[str, MutantEntry]) -> None:
    assert entries.keys().isdisjoint(PROXIES)
