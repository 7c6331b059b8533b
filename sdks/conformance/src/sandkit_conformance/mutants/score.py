"""The score of a campaign: how much of the catalogue is proved to be seen, by area and by probe level."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.mutants.trial import Fate, Trial

FORMAT: Final = "sandkit-mutants-report/1"


@frozen
class Score:
    """Of one requirement, area or probe level: its mutants, and how many were killed as intended.

    `musts` and `musts_killed` count those of the mutants that break a MUST.
    """

    name: str
    mutants: int
    killed: int
    musts: int = 0
    musts_killed: int = 0


def scores(
    trials: Iterable[Trial], catalogue: Catalogue, by: Callable[[Requirement], str]
) -> tuple[Score, ...]:
    """Count the mutants by what `by` says of the requirement each breaks."""
    grouped: dict[str, list[tuple[bool, bool]]] = {}
    for trial in trials:
        if trial.entry.requirement is None or trial.fate is Fate.UNSEEN:
            continue
        requirement = catalogue.requirements[trial.entry.requirement]
        row = (requirement.level == "MUST", trial.fate is Fate.KILLED)
        grouped.setdefault(by(requirement), []).append(row)
    return tuple(
        Score(
            name,
            mutants=len(rows),
            killed=sum(killed for _, killed in rows),
            musts=sum(must for must, _ in rows),
            musts_killed=sum(must and killed for must, killed in rows),
        )
        for name, rows in grouped.items()
    )


def by_requirement(requirement: Requirement) -> str:
    """The requirement itself."""
    return requirement.id


def by_area(requirement: Requirement) -> str:
    """Its area."""
    return requirement.area


def by_probe(requirement: Requirement) -> str:
    """What a probe has to show for it to be seen whole: `none`, or features like `view` and `files`."""
    return "+".join(requirement.probe) or "none"


def unproved(trials: Iterable[Trial], checked: Iterable[str]) -> tuple[str, ...]:
    """Requirements the suite checks and no mutant of the run was killed by."""
    proved = {trial.entry.requirement for trial in trials if trial.fate is Fate.KILLED}
    return tuple(name for name in checked if name not in proved)


_ELSEWHERE: Final[Mapping[str, str]] = {
    "sdk": "a promise of clients: shown by the tests of every SDK",
    "cluster": "shown on a cluster only",
}


def checked_elsewhere(catalogue: Catalogue) -> Mapping[str, str]:
    """Requirements no scenario can show on a target like these, so that they kill no mutant, and why."""
    return {
        name: ". ".join(
            filter(None, (_ELSEWHERE.get(one.checked_elsewhere, one.checked_elsewhere), one.notes))
        )
        for name, one in catalogue.requirements.items()
        if one.checked_elsewhere
    }


def campaign_document(
    trials: tuple[Trial, ...], checked: tuple[str, ...], catalogue: Catalogue
) -> dict[str, Any]:
    """The whole campaign as JSON."""
    return {
        "format": FORMAT,
        "good": all(trial.fate.good for trial in trials),
        "requirements": [_score(one) for one in scores(trials, catalogue, by_requirement)],
        "areas": [_score(one) for one in scores(trials, catalogue, by_area)],
        "probes": [_score(one) for one in scores(trials, catalogue, by_probe)],
        "unproved": list(unproved(trials, checked)),
        "elsewhere": dict(checked_elsewhere(catalogue)),
        "mutants": [_trial(trial) for trial in trials],
    }


def _score(score: Score) -> Mapping[str, Any]:
    return {
        "name": score.name,
        "mutants": score.mutants,
        "killed": score.killed,
        "musts": score.musts,
        "mustsKilled": score.musts_killed,
    }


def _trial(trial: Trial) -> Mapping[str, Any]:
    return {
        "id": trial.entry.id,
        "kind": trial.entry.kind,
        "requirement": trial.entry.requirement,
        "defect": trial.entry.defect,
        "also": dict(trial.entry.also),
        "verdict": trial.fate,
        "accused": dict(trial.accused),
        "blocked": list(trial.blocked),
        "note": trial.note,
        "seconds": round(trial.seconds, 2),
        "seed": trial.seed,
    }
