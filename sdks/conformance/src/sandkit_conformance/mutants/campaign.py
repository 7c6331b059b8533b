"""All mutants side by side, and the score: how much of the catalogue is proved to be seen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from fnmatch import fnmatchcase
from multiprocessing import get_context
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.mutants.listing import Kind, MutantEntry
from sandkit_conformance.mutants.trial import Fate, Scope, Trial, try_mutant

FORMAT: Final = "sandkit-mutants-report/1"


@frozen
class Score:
    """How many mutants of one requirement or area there are, and how many were killed as intended."""

    name: str
    mutants: int
    killed: int


def choose(entries: Iterable[MutantEntry], patterns: tuple[str, ...]) -> tuple[MutantEntry, ...]:
    """The entries whose id or requirement matches one of the patterns; without patterns all of them.

    Raises:
        SuiteError: a pattern matches nothing.
    """
    entries = tuple(entries)
    for pattern in patterns:
        if not any(_matches(entry, pattern) for entry in entries):
            raise SuiteError(f"--only {pattern}: no mutant has such an id or requirement")
    return tuple(
        entry for entry in entries if not patterns or any(_matches(entry, pattern) for pattern in patterns)
    )


def _matches(entry: MutantEntry, pattern: str) -> bool:
    return fnmatchcase(entry.id, pattern) or fnmatchcase(entry.requirement or "", pattern)


def run_campaign(
    command: tuple[str, ...],
    entries: tuple[MutantEntry, ...],
    *,
    scope: Scope,
    jobs: int,
    listener: Callable[[Trial], None],
) -> tuple[Trial, ...]:
    """Try all of them, `jobs` at a time, each in a process of its own; `listener` hears of each at once."""
    # Variants that run everything take longest, so they go first.
    order = sorted(entries, key=lambda entry: entry.kind is Kind.MUTANT)
    done: dict[str, Trial] = {}
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[Trial]] = {pool.submit(try_mutant, command, entry, scope) for entry in order}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    trial = future.result()
                    done[trial.entry.id] = trial
                    listener(trial)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(done[entry.id] for entry in entries)


def scores(trials: Iterable[Trial], by: Callable[[MutantEntry], str]) -> tuple[Score, ...]:
    """Count the mutants by what `by` says of each."""
    grouped: dict[str, list[Trial]] = {}
    for trial in trials:
        if trial.entry.kind is Kind.MUTANT:
            grouped.setdefault(by(trial.entry), []).append(trial)
    return tuple(
        Score(name, len(found), sum(trial.fate is Fate.KILLED for trial in found))
        for name, found in grouped.items()
    )


def unproved(trials: Iterable[Trial], checked: Iterable[str]) -> tuple[str, ...]:
    """Requirements the suite checks and no mutant of the run was killed by."""
    proved = {trial.entry.requirement for trial in trials if trial.fate is Fate.KILLED}
    return tuple(name for name in checked if name not in proved)


def campaign_document(trials: tuple[Trial, ...], checked: tuple[str, ...]) -> dict[str, Any]:
    """The whole campaign as JSON."""
    return {
        "format": FORMAT,
        "good": all(trial.fate.good for trial in trials),
        "requirements": [_score(one) for one in scores(trials, lambda entry: entry.requirement or "")],
        "areas": [_score(one) for one in scores(trials, lambda entry: entry.area)],
        "unproved": list(unproved(trials, checked)),
        "mutants": [_trial(trial) for trial in trials],
    }


def _score(score: Score) -> Mapping[str, Any]:
    return {"name": score.name, "mutants": score.mutants, "killed": score.killed}


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
    }
