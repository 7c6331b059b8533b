"""How the verdicts of a run become the fate of a mutant, and what a list of mutants has to look like."""

from __future__ import annotations

import json
import shlex
import sys
from typing import Any

import pytest
from attrs import evolve

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.cli import run_command_line
from sandkit_conformance.engine.result import Environment, LeakResult, RunResult
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.mutants.campaign import choose
from sandkit_conformance.mutants.listing import Kind, MutantEntry, parse_listing, read_listing
from sandkit_conformance.mutants.trial import Fate, judge
from sandkit_conformance.verdict import CheckResult, ExitCode, RequirementResult, Verdict

CATALOGUE = load_catalogue()
MUTANT = MutantEntry("second-pause", Kind.MUTANT, "PAU-06", "A second pause is accepted.")
CONTROL = MutantEntry("control", Kind.CONTROL, None, "Nothing.")


def outcome(verdicts: dict[str, Verdict], leaked: tuple[str, ...] = ()) -> RunResult:
    """A run that came to these verdicts."""
    found = []
    for name, verdict in verdicts.items():
        requirement = CATALOGUE.requirements[name]
        check = CheckResult(requirement.id, "scenario", "1", "title", verdict, ("because",))
        found.append(RequirementResult(requirement, verdict, (check,), "because"))
    environment = Environment("t", "1", "raw", "1", "d", "s", "r", 0, "full", (), "all", "now", "")
    leaks = LeakResult(Verdict.FAIL if leaked else Verdict.PASS, leaked)
    return RunResult(environment, tuple(found), (), leaks, ExitCode.GOOD, 0.0)


@pytest.mark.parametrize(
    ("verdicts", "fate"),
    [
        ({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.PASS}, Fate.KILLED),
        ({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.BLOCKED}, Fate.KILLED),
        ({"PAU-06": Verdict.PASS, "PAU-07": Verdict.PASS}, Fate.SURVIVED),
        ({"PAU-06": Verdict.BLOCKED, "PAU-07": Verdict.PASS}, Fate.SURVIVED),
        ({"PAU-06": Verdict.PASS, "PAU-07": Verdict.FAIL}, Fate.WRONG),
        ({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.FAIL}, Fate.BYSTANDER),
        ({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.HARNESS_ERROR}, Fate.ERROR),
    ],
)
def test_a_mutant_is_killed_by_its_own_requirement_alone(verdicts: dict[str, Verdict], fate: Fate) -> None:
    assert judge(MUTANT, outcome(verdicts)).fate is fate


def test_a_second_requirement_may_be_red_when_the_catalogue_says_why() -> None:
    entry = evolve(MUTANT, also={"PAU-07": "the same rule"})
    both = judge(entry, outcome({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.FAIL}))
    assert (both.fate, both.note) == (Fate.KILLED, "")
    one = judge(entry, outcome({"PAU-06": Verdict.FAIL, "PAU-07": Verdict.PASS}))
    assert (one.fate, one.note) == (Fate.KILLED, "PAU-07 was declared and is not red")


@pytest.mark.parametrize(
    ("verdict", "fate"),
    [
        (Verdict.PASS, Fate.GREEN),
        (Verdict.NOT_APPLICABLE, Fate.GREEN),
        (Verdict.FAIL, Fate.RED),
        (Verdict.BLOCKED, Fate.RED),
        (Verdict.INCONCLUSIVE, Fate.RED),
    ],
)
def test_a_sound_server_has_to_be_green_throughout(verdict: Verdict, fate: Fate) -> None:
    assert judge(CONTROL, outcome({"PAU-06": verdict})).fate is fate


def test_a_sound_server_leaves_nothing_behind() -> None:
    trial = judge(CONTROL, outcome({"PAU-06": Verdict.PASS}, ("volume x",)))
    assert (trial.fate, trial.note) == (Fate.RED, "left behind: volume x")


def test_a_sound_server_that_is_red_is_told_with_the_reasons() -> None:
    trial = judge(CONTROL, outcome({"PAU-06": Verdict.INCONCLUSIVE, "PAU-07": Verdict.PASS}))
    assert trial.note == "PAU-06 inconclusive: because"


def listing(**changes: Any) -> str:
    entry = {"id": "x", "kind": "mutant", "requirement": "PAU-06", "defect": "d", **changes}
    return json.dumps({"format": "sandkit-mutants/1", "mutants": [entry]})


def test_a_list_of_mutants_is_read() -> None:
    text = listing(also=[{"requirement": "PAU-07", "reason": "why"}], lacks=["pause"], choices={"a": "b"})
    read = parse_listing(text, CATALOGUE)
    assert not read.hosts
    (entry,) = read.entries
    assert entry == MutantEntry(
        "x", Kind.MUTANT, "PAU-06", "d", also={"PAU-07": "why"}, lacks=("pause",), choices={"a": "b"}
    )
    assert entry.area == "PAU"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<html>", "cannot be read"),
        ('{"format": "sandkit-mutants/2", "mutants": []}', "reads sandkit-mutants/1"),
        (listing(kind="odd"), "'odd' is not a valid Kind"),
        (listing(requirement="PAU-99"), "cites PAU-99"),
        (listing(also=[{"requirement": "XYZ-1", "reason": ""}]), "cites XYZ-1"),
        (listing(requirement=None), "have a requirement"),
        (listing(kind="benign"), "have a requirement"),
        (listing(kind="proxy"), "the suite's own"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused(text: str, message: str) -> None:
    with pytest.raises(SuiteError, match=message):
        parse_listing(text, CATALOGUE)


def test_the_same_id_twice_is_refused() -> None:
    document = json.loads(listing())
    document["mutants"] *= 2
    with pytest.raises(SuiteError, match="`x` twice"):
        parse_listing(json.dumps(document), CATALOGUE)


def test_a_command_that_is_not_there_is_told() -> None:
    with pytest.raises(SuiteError, match="could not be listed"):
        read_listing(("/nowhere/at-all",), CATALOGUE)


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    program = "import sys; sys.exit('no such thing')"
    with pytest.raises(SuiteError, match="no such thing"):
        read_listing((sys.executable, "-c", program), CATALOGUE)


def test_a_trial_that_went_wrong_is_told_with_its_seed_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    told = listing(id="benign-broken", kind="benign", requirement=None)
    program = f"import sys; print({told!r}) if sys.argv[1] == 'list' else sys.exit('no room')"
    server = shlex.join((sys.executable, "-c", program))
    chosen = ("--only", "benign-broken", "--seed", "37", "--seeds", "2")
    assert run_command_line(["mutants", "--server", server, *chosen]) == ExitCode.FAILURES
    out = capsys.readouterr().out
    at_once, _, at_the_end = out.partition("mutant ")
    for part in (at_once, at_the_end):
        assert "benign-broken (seed 37) error: d" in part
        assert "benign-broken (seed 38) error: d" in part
        assert "the server did not get ready; it said: no room" in part


def test_mutants_are_chosen_by_id_or_requirement() -> None:
    assert choose((MUTANT, CONTROL), ()) == (MUTANT, CONTROL)
    assert choose((MUTANT, CONTROL), ("PAU-*",)) == (MUTANT,)
    assert choose((MUTANT, CONTROL), ("contr*",)) == (CONTROL,)
    with pytest.raises(SuiteError, match="--only VOL-"):
        choose((MUTANT, CONTROL), ("PAU-*", "VOL-*"))
