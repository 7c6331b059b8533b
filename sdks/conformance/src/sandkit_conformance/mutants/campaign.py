"""All mutants side by side, each trial in a process of its own."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from fnmatch import fnmatchcase
from multiprocessing import get_context
from typing import Final

from attrs import frozen

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.mutants.listing import MutantEntry
from sandkit_conformance.mutants.serving import Host, OwnProcesses, Servers
from sandkit_conformance.mutants.trial import Manner, Trial, try_mutant
from sandkit_conformance.scenario.loader import shipped_suite

# Where a process can be copied with what it has read; elsewhere every worker reads the suite for itself.
_START: Final = "fork" if sys.platform == "linux" else "spawn"


@frozen
class Command:
    """What serves the mutants, and whether one process of it can host them all."""

    words: tuple[str, ...]
    hosts: bool = False


@frozen
class Attempt:
    """One trial of a campaign."""

    entry: MutantEntry
    manner: Manner


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
    command: Command, attempts: Iterable[Attempt], *, jobs: int, listener: Callable[[Trial], None]
) -> tuple[Trial, ...]:
    """Make all of them, `jobs` at a time; `listener` hears of each at once."""
    attempts = tuple(attempts)
    # Variants that run everything take longest, so they go first.
    order = sorted(range(len(attempts)), key=lambda index: attempts[index].entry.kind.broken)
    done: dict[int, Trial] = {}
    shipped_suite()
    with ProcessPoolExecutor(max_workers=jobs, mp_context=get_context(_START)) as pool:
        waiting: dict[Future[Trial], int] = {
            pool.submit(_attempt, command, attempts[index]): index for index in order
        }
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    trial = done[waiting.pop(future)] = future.result()
                    listener(trial)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(done[index] for index in range(len(attempts)))


def _attempt(command: Command, attempt: Attempt) -> Trial:
    return try_mutant(_servers(command), attempt.entry, attempt.manner)


@functools.cache
def _servers(command: Command) -> Servers:
    """What this worker has its servers from; a host ends with the worker, whose end of the pipe closes."""
    return Host(command.words) if command.hosts else OwnProcesses(command.words)
