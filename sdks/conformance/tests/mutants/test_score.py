"""How a campaign is summed up: by area, by probe level, and what no mutant stands for."""

from __future__ import annotations

from attrs import evolve

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.mutants.listing import Kind, MutantEntry
from sandkit_conformance.mutants.score import (
    Score,
    by_area,
    by_probe,
    by_requirement,
    campaign_document,
    checked_elsewhere,
    scores,
    unproved,
)
from sandkit_conformance.mutants.trial import Fate, Trial

CATALOGUE = load_catalogue()
MUTANT = MutantEntry("second-pause", Kind.MUTANT, "PAU-06", "A second pause is accepted.")
OTHER = evolve(MUTANT, id="other", requirement="PAU-13")
CONTROL = MutantEntry("control", Kind.CONTROL, None, "Nothing.")
TRIALS = (Trial(MUTANT, Fate.KILLED), Trial(OTHER, Fate.BYSTANDER), Trial(CONTROL, Fate.GREEN))


def test_what_was_killed_as_intended_is_counted_by_area() -> None:
    assert scores(TRIALS, CATALOGUE, by_area) == (Score("PAU", 2, 1, musts=2, musts_killed=1),)


def test_it_is_counted_by_what_a_probe_has_to_show() -> None:
    assert [(one.name, one.killed, one.mutants) for one in scores(TRIALS, CATALOGUE, by_probe)] == [
        ("none", 1, 1),
        ("view", 0, 1),
    ]


def test_what_cannot_be_seen_on_a_target_counts_for_nothing() -> None:
    assert scores((Trial(MUTANT, Fate.UNSEEN),), CATALOGUE, by_requirement) == ()


def test_requirements_that_no_mutant_was_killed_by_are_named() -> None:
    assert unproved(TRIALS, ("PAU-06", "PAU-13", "PAU-14")) == ("PAU-13", "PAU-14")


def test_whatever_is_checked_elsewhere_says_why() -> None:
    elsewhere = checked_elsewhere(CATALOGUE)
    assert elsewhere["FLT-14"].endswith("Only a real committer starts processes on a node.")
    assert elsewhere["API-149"] == "a promise of clients: shown by the tests of every SDK"


def test_the_document_has_it_all() -> None:
    document = campaign_document(TRIALS, ("PAU-06", "PAU-13"), CATALOGUE)
    assert document["good"] is False
    assert document["unproved"] == ["PAU-13"]
    assert [one["verdict"] for one in document["mutants"]] == ["killed", "bystander red", "green"]
    assert document["areas"] == [{"name": "PAU", "mutants": 2, "killed": 1, "musts": 2, "mustsKilled": 1}]
    assert document["elsewhere"] == checked_elsewhere(CATALOGUE)
