"""Servers with one known defect each: the suite finds it, names the right requirement, and accuses no other.

A choice across all areas; `make mutants` tries the whole catalogue.
"""

from __future__ import annotations

import pytest

from sandkit_conformance.mutants.listing import MutantEntry
from sandkit_conformance.mutants.serving import Servers
from sandkit_conformance.mutants.trial import Fate, Manner, try_mutant

CHOSEN = {
    "pause-second-pause-accepted": "PAU-06",
    "pause-runs-before-the-key-is-checked": "PAU-04",
    "pause-removes-the-pod-first": "PAU-14",
    "pause-race-has-many-winners": "PAU-15",
    "resume-reuses-the-first-snapshot": "RES-07",
    "resume-stays-in-its-pool": "RES-11",
    "expiry-renewal-refused-while-paused": "TTL-01",
    "expiry-renewal-into-the-past-accepted": "TTL-03",
    "deletion-second-delete-refused": "DEL-03",
    "volumes-delete-takes-every-claim": "VOL-01",
    "volumes-adopts-a-claim-of-before": "VOL-03",
    "volumes-sweep-by-one-label": "VOL-05",
    "volumes-owner-reference-lost": "VOL-06",
    "volumes-sweep-after-a-failed-delete": "VOL-10",
    "volumes-pause-recreates-claims": "VOL-23",
    "volumes-restart-forgets-the-sweep": "VOL-25",
    "envelope-without-message": "API-01",
    "body-with-a-trailing-comma": "API-16",
    "endpoint-port-with-a-fraction": "API-108",
    "idempotency-other-body-accepted": "API-69",
    "pool-only-grows": "API-136",
    "secret-quoted-where-it-is-wrong": "API-25",
    "snapshot-with-volumes": "API-119",
    "fault-of-the-pod-removal-ignored": "FLT-11",
    "fault-releases-the-pod-before-the-registry-is-asked": "FLT-01",
    "metadata-patched-entry-by-entry": "API-97",
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "requirement"), CHOSEN.items(), ids=list(CHOSEN))
def test_the_suite_finds_exactly_the_defect(
    name: str, requirement: str, servers: Servers, entries: dict[str, MutantEntry]
) -> None:
    trial = try_mutant(servers, entries[name], Manner())
    assert trial.fate is Fate.KILLED, trial
    assert trial.entry.requirement == requirement
    assert set(trial.accused) <= {requirement, *trial.entry.also}
