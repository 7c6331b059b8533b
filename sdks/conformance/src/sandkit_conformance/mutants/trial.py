"""One mutant: serve it, play the suite against it, judge what the suite said."""

from __future__ import annotations

import secrets
import time
import traceback
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final

import anyio
from attrs import evolve, field, frozen

from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.engine.options import RunOptions
from sandkit_conformance.engine.result import RunResult
from sandkit_conformance.engine.run import Run
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.mutants.listing import Kind, MutantEntry
from sandkit_conformance.mutants.proxy.catalogue import PROXIES
from sandkit_conformance.mutants.proxy.relay import interposed
from sandkit_conformance.mutants.serving import Served, Servers, served
from sandkit_conformance.profile import PROFILES
from sandkit_conformance.scenario.loader import shipped_suite
from sandkit_conformance.scenario.model import Suite
from sandkit_conformance.sweeping import sweep_run
from sandkit_conformance.target import Target, TargetOptions, load_target
from sandkit_conformance.verdict import Verdict

# A defect that makes the suite wait costs these each time; a sound server needs a small part of them.
_BUDGETS: Final[Mapping[str, float]] = {
    "request": 10.0,
    "start": 5.0,
    "pause": 5.0,
    "resume": 5.0,
    "stop": 5.0,
    "snapshot": 5.0,
    "settle": 3.0,
    "scenario": 30.0,
}
_NOT_GREEN: Final = frozenset({Verdict.FAIL, Verdict.BLOCKED, Verdict.HARNESS_ERROR, Verdict.INCONCLUSIVE})
_UNSEEN: Final = frozenset(
    {Verdict.BLOCKED, Verdict.UNOBSERVABLE, Verdict.NOT_APPLICABLE, Verdict.INCONCLUSIVE}
)


class Scope(StrEnum):
    """How much of the suite is played against a mutant; sound servers always get all of it.

    `near` is the scenario files that check what the mutant breaks, or have the standing check that does.
    """

    NEAR = "near"
    AREA = "area"
    ALL = "all"


class Fate(StrEnum):
    """What became of a variant."""

    KILLED = "killed"
    SURVIVED = "survived"
    WRONG = "killed by the wrong requirement"
    BYSTANDER = "bystander red"
    GREEN = "green"
    RED = "red"
    ERROR = "error"
    UNSEEN = "cannot be seen here"

    @property
    def good(self) -> bool:
        """Whether this is how it should be, or at least nothing against the suite."""
        return self in {Fate.KILLED, Fate.GREEN, Fate.UNSEEN}


@frozen
class Trial:
    """One variant and what the suite said about it.

    `accused` are the requirements the suite found broken, each with its first reason; `blocked` those it
    could not look at because the defect stood in the way.
    """

    entry: MutantEntry
    fate: Fate
    accused: Mapping[str, str] = field(factory=dict)
    blocked: tuple[str, ...] = ()
    note: str = ""
    seconds: float = 0.0
    seed: int = 0


@frozen
class Manner:
    """How trials are made.

    `behind_proxies` is the variant that proxies stand in front of. A `shared` server goes on after the trial.
    """

    scope: Scope = Scope.NEAR
    seed: int = 0
    behind_proxies: str = "control"
    shared: bool = False


def try_mutant(servers: Servers, entry: MutantEntry, manner: Manner) -> Trial:
    """Have one variant served, and play the suite, as far as the scope goes, against it."""
    began = time.monotonic()
    try:
        with served(servers, manner.behind_proxies if entry.kind is Kind.PROXY else entry.id) as server:
            result = anyio.run(play, _target(server, entry, load_catalogue()), entry, manner)
        trial = judge(entry, result)
    except SuiteError as error:
        trial = Trial(entry, Fate.ERROR, note=str(error))
    except Exception:  # noqa: BLE001 - a defect of the suite itself spoils this trial, not the whole campaign
        trial = Trial(entry, Fate.ERROR, note=traceback.format_exc())
    return evolve(trial, seconds=time.monotonic() - began, seed=manner.seed)


def try_proxy(target: Target, entry: MutantEntry, manner: Manner) -> Trial:
    """Play against a running server through one faulty proxy."""
    began = time.monotonic()
    budgets = {name: min(seconds, _BUDGETS.get(name, seconds)) for name, seconds in target.budgets.items()}
    try:
        result = anyio.run(play, evolve(target, budgets=budgets), entry, manner)
        trial = _unless_unseen(judge(entry, result), result)
    except SuiteError as error:
        trial = Trial(entry, Fate.ERROR, note=str(error))
    except Exception:  # noqa: BLE001 - a defect of the suite itself spoils this trial, not the whole campaign
        trial = Trial(entry, Fate.ERROR, note=traceback.format_exc())
    return evolve(trial, seconds=time.monotonic() - began, seed=manner.seed)


def _unless_unseen(trial: Trial, result: RunResult) -> Trial:
    """Nothing can be found by checks that this target gives no occasion to."""
    found = {one.requirement.id: one for one in result.requirements}.get(trial.entry.requirement or "")
    if trial.fate is Fate.SURVIVED and found is not None and found.verdict in _UNSEEN:
        return evolve(trial, fate=Fate.UNSEEN, note=f"{found.requirement.id} is {found.verdict} here")
    return trial


def judge(entry: MutantEntry, result: RunResult) -> Trial:
    """Hold the verdicts of a run against what the variant was made for."""
    verdicts = {one.requirement.id: one for one in result.requirements if one.checks}
    errors = [name for name, one in verdicts.items() if one.verdict is Verdict.HARNESS_ERROR]
    accused = {name: one.reason for name, one in verdicts.items() if one.verdict is Verdict.FAIL}
    blocked = tuple(name for name, one in verdicts.items() if one.verdict is Verdict.BLOCKED)
    if errors:
        note = f"the suite itself went wrong at {', '.join(errors)}: {verdicts[errors[0]].reason}"
        return Trial(entry, Fate.ERROR, accused, blocked, note)
    if not entry.kind.broken:
        bad = [
            f"{name} {one.verdict}: {one.reason}"
            for name, one in verdicts.items()
            if one.verdict in _NOT_GREEN
        ]
        bad += [f"left behind: {one}" for one in result.leaks.leaked]
        return Trial(entry, Fate.RED if bad else Fate.GREEN, accused, blocked, "\n".join(bad))
    return Trial(entry, _fate(entry, accused), accused, blocked, _note(entry, accused))


def _fate(entry: MutantEntry, accused: Iterable[str]) -> Fate:
    found = set(accused)
    if entry.requirement not in found:
        return Fate.WRONG if found else Fate.SURVIVED
    return Fate.BYSTANDER if found - {entry.requirement, *entry.also} else Fate.KILLED


def _note(entry: MutantEntry, accused: Mapping[str, str]) -> str:
    expected = {entry.requirement, *entry.also}
    unexpected = [f"{name}: {reason}" for name, reason in accused.items() if name not in expected]
    missing = [f"{name} was declared and is not red" for name in entry.also if name not in accused]
    return "; ".join([*unexpected, *missing])


async def play(target: Target, entry: MutantEntry, manner: Manner) -> RunResult:
    """Play what there is to play against a target, through the entry's proxy if it is one.

    Raises:
        SuiteError: the suite cannot run against it.
    """
    catalogue, suite = load_catalogue(), shipped_suite()
    options = RunOptions(
        profile=PROFILES["full"],
        patterns=_patterns(entry, suite, manner.scope),
        gate="all",
        seed=manner.seed,
        run_id=secrets.token_hex(3),
    )
    if entry.kind is not Kind.PROXY:
        return await Run(target, catalogue, suite, options).execute()
    try:
        async with interposed(target.root, PROXIES[entry.id].behaviour()) as address:
            return await Run(evolve(target, root=address), catalogue, suite, options).execute()
    finally:
        if manner.shared:
            # What the proxy did behind the suite's back is for the suite to take away, past the proxy.
            await sweep_run(target, catalogue, options.run_id, None)


def _patterns(entry: MutantEntry, suite: Suite, scope: Scope) -> tuple[str, ...]:
    """The requirements a run against the variant is about; none for all of them."""
    own = {entry.requirement, *entry.also} - {None}
    if scope is Scope.ALL or not own:
        return ()
    standing = {check.check for check in suite.standing}
    if scope is Scope.AREA:
        areas = {name.partition("-")[0] for name in own if name}
        return tuple(sorted({f"{area}-*" for area in areas} | standing))
    checked = [(one.position.file, {step.check for step in one.checks()}) for one in suite.scenarios]
    files = {file for file, checks in checked if checks & own}
    # A standing check looks at every answer there is; those of its own file show enough.
    files |= {check.position.file for check in suite.standing if check.check == entry.requirement}
    near = {check for file, checks in checked if file in files for check in checks if check}
    return tuple(sorted(near | standing | {name for name in own if name}))


def _target(server: Served, entry: MutantEntry, catalogue: Catalogue) -> Target:
    options = TargetOptions(
        base_url=server.base_url,
        api_key_env="api",
        probe_url=server.probe_url,
        probe_key_env="probe",
        control_url=server.control_url,
        control_key_env="control",
    )
    keys = {"api": server.api_key, "probe": server.probe_key, "control": server.control_key}
    target = load_target(None, options, keys)
    everything = {one.capability for one in catalogue.requirements.values() if one.capability}
    return evolve(
        target,
        name=entry.id,
        capabilities=frozenset(everything - set(entry.lacks)) if entry.lacks else None,
        choices={**target.choices, **entry.choices},
        # A sound server makes nobody wait, except on a machine that has too much to do.
        budgets={**target.budgets, **(_BUDGETS if entry.kind.broken else {})},
    )
