from __future__ import annotations

from collections.abc import Iterable

import pytest

from sandkit_conformance.catalogue import Authority, Level, Requirement
from sandkit_conformance.verdict import CheckResult, ExitCode, Gate, Verdict, aggregate, exit_code, worst


def requirement(authority: Authority = "spec", level: Level = "MUST") -> Requirement:
    return Requirement("PAU-01", level, authority, "It MUST.", "PAU")


def checks(verdicts: Iterable[Verdict]) -> list[CheckResult]:
    return [
        CheckResult("PAU-01", "s", str(index), "t", verdict, (f"reason {verdict}",))
        for index, verdict in enumerate(verdicts)
    ]


def code(*verdicts: Verdict, gate: Gate = "all", authority: Authority = "spec", **more: bool) -> ExitCode:
    return exit_code([aggregate(requirement(authority), checks(verdicts))], gate, **more)


def test_a_requirement_is_as_good_as_its_worst_check() -> None:
    found = aggregate(
        requirement(), checks([Verdict.PASS, Verdict.BLOCKED, Verdict.FAIL, Verdict.UNOBSERVABLE])
    )
    assert (found.verdict, found.reason) == (Verdict.FAIL, "reason fail")


def test_the_part_that_was_not_seen_is_not_hidden_by_the_part_that_was() -> None:
    assert worst([Verdict.PASS, Verdict.UNOBSERVABLE]) is Verdict.UNOBSERVABLE
    assert worst([Verdict.PASS, Verdict.INCONCLUSIVE]) is Verdict.INCONCLUSIVE


def test_not_applicable_counts_only_alone() -> None:
    assert worst([Verdict.NOT_APPLICABLE, Verdict.PASS]) is Verdict.PASS
    assert worst([Verdict.NOT_APPLICABLE]) is Verdict.NOT_APPLICABLE


def test_no_check_is_no_pass() -> None:
    found = aggregate(requirement(), [])
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "no scenario" in found.reason


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ((Verdict.PASS,), ExitCode.GOOD),
        ((Verdict.PASS, Verdict.NOT_APPLICABLE), ExitCode.GOOD),
        ((Verdict.EXCUSED,), ExitCode.GOOD),
        ((Verdict.PASS, Verdict.FAIL), ExitCode.FAILURES),
        ((Verdict.FAIL, Verdict.BLOCKED), ExitCode.FAILURES),
        ((Verdict.PASS, Verdict.BLOCKED), ExitCode.INCOMPLETE),
        ((Verdict.PASS, Verdict.UNOBSERVABLE), ExitCode.INCOMPLETE),
        ((Verdict.INCONCLUSIVE,), ExitCode.INCOMPLETE),
        ((Verdict.PASS, Verdict.HARNESS_ERROR), ExitCode.CANNOT_RUN),
        ((Verdict.FAIL, Verdict.HARNESS_ERROR), ExitCode.CANNOT_RUN),
        ((), ExitCode.CANNOT_RUN),
        ((Verdict.BLOCKED,), ExitCode.CANNOT_RUN),
        ((Verdict.UNOBSERVABLE,), ExitCode.CANNOT_RUN),
        ((Verdict.NOT_APPLICABLE,), ExitCode.CANNOT_RUN),
    ],
)
def test_verdicts_fold_into_an_exit_code(verdicts: tuple[Verdict, ...], expected: ExitCode) -> None:
    assert code(*verdicts) is expected


def test_only_musts_of_the_contract_gate_unless_asked_otherwise() -> None:
    failed = [aggregate(requirement("proposed"), checks([Verdict.FAIL]))]
    assert exit_code(failed, "spec") is ExitCode.GOOD
    assert exit_code(failed, "proposed") is ExitCode.FAILURES
    should = [aggregate(requirement("spec", "SHOULD"), checks([Verdict.FAIL]))]
    assert exit_code(should, "proposed") is ExitCode.GOOD
    assert exit_code(should, "all") is ExitCode.FAILURES


def test_a_leak_is_red_and_a_stale_baseline_has_its_own_code() -> None:
    assert code(Verdict.PASS, leaked=True) is ExitCode.FAILURES
    assert code(Verdict.PASS, stale_baseline=True) is ExitCode.STALE_BASELINE
    assert code(Verdict.FAIL, stale_baseline=True) is ExitCode.FAILURES


def test_every_verdict_has_a_meaning() -> None:
    assert all(verdict.meaning.endswith(".") for verdict in Verdict)
