from __future__ import annotations

from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import sandkit_conformance
from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.failures import BadFileError
from sandkit_conformance.scenario.document import read_document
from sandkit_conformance.scenario.loader import parse_suite, shipped_suite
from sandkit_conformance.scenario.model import VERBS
from sandkit_conformance.scenario.schema import load_schema

HEAD = """version: 1
area: PAU
scenarios:
  - id: one
    title: A scenario of a test
    steps:
"""
GOOD = """      - call: createSandbox
        as: sandbox
      - call: pauseSandbox
        for: ${sandbox.id}
        expect: {table: pauseSandbox/Running}
        check: PAU-01
        says: The pause is accepted
"""


def problems(text: str, catalogue: Catalogue) -> str:
    with pytest.raises(BadFileError) as caught:
        parse_suite([("bad.yaml", text)], catalogue)
    return str(caught.value)


def test_a_scenario_is_read_with_its_checks_and_places(catalogue: Catalogue) -> None:
    (scenario,) = parse_suite([("f.yaml", HEAD + GOOD)], catalogue).scenarios
    (check,) = scenario.checks()
    assert (check.check, check.number, str(check.position)) == ("PAU-01", "2", "f.yaml:9")
    assert check.title == "The pause is accepted"


def test_the_suites_own_scenarios_are_good(catalogue: Catalogue) -> None:
    suite = shipped_suite()
    assert suite.checked_requirements() <= set(catalogue.requirements)
    assert {scenario.area for scenario in suite.scenarios} >= {"PAU", "RES", "TTL", "DEL", "VOL"}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("- {cal: getSandbox}", "bad.yaml:14: this step has no verb"),
        ("- {call: getSandbox, probe: volumes}", "bad.yaml:14: this step has several verbs"),
        ("- {call: getSandbox, fro: x}", "bad.yaml:14: `fro`: not known here; did you mean `for`"),
        ("- {call: getSandbx}", "there is no operation `getSandbx` in the spec; did you mean `getSandbox`"),
        ("- {call: getSandbox, check: PAU-01}", "a check must say what it expects"),
        ("- {call: getSandbox, expect: {table: getSandbox/Dead}}", "has no cell `getSandbox/Dead`"),
        (
            "- {call: getSandbox, expect: {body: {a: {equal: 1}}}}",
            "`equal`: not known here; did you mean `equals`",
        ),
        ("- {call: getSandbox, expect: {body: {a..b: 1}}}", "not a path"),
        ("- {call: getSandbox, expect: {body: {a: {matches: '('}}}}", "not a regular expression"),
        ("- {call: getSandbox, expect: {status: 42}}", "bad.yaml:14: `status`"),
        (
            "- {call: getSandbox, for: '${sandbx.id}'}",
            "variable `sandbx` is not set here; did you mean `sandbox`",
        ),
        ("- {call: getSandbox, for: \"${uniq('x')}\"}", "there is no function `uniq`"),
        ("- {await: running, for: x}", "`await`: 'running'"),
        ("- {await: {probe: volumes}}", "'expect' is a required property; add it"),
        ("- {verify: 1}", "'is' is a required property"),
        ("- {probe: volume}", "`probe`: 'volume' is none of volumes"),
        ("- {verify: 1, is: 1, check: PAU-99}", "there is no requirement PAU-99"),
        ("- {advance: 60}", "touches what other scenarios use"),
        ("- {restart: abrupt}", "touches what other scenarios use"),
        ("- {fault: claim.list, action: error}", "touches what other scenarios use"),
        ("- {gate: hold, point: claim.list, as: g}", "touches what other scenarios use"),
        ("- {probe: census}", "touches what other scenarios use"),
        ("- {clear: f}", "no earlier fault step is named `f`"),
        ("- {gate: release, of: g}", "no earlier gate step is named `g`"),
        ("- {await: {fault: f, expect: {hits: 1}}}", "no earlier fault step is named `f`"),
        ("- {parallel: [[{call: getSandbx}], []]}", "there is no operation `getSandbx`"),
        ("- {race: [{call: pauseSandbox, times: 0}], expect: {statuses: [202]}}", "`times`: 0 is less than"),
    ],
)
def test_a_bad_step_is_said_with_its_place_and_how_to_mend_it(
    step: str, message: str, catalogue: Catalogue
) -> None:
    assert message in problems(f"{HEAD}{GOOD}      {step}\n", catalogue)


def test_every_problem_of_every_file_is_said_at_once(catalogue: Catalogue) -> None:
    bad = HEAD + GOOD.replace("PAU-01", "PAU-77")
    with pytest.raises(BadFileError) as caught:
        parse_suite([("a.yaml", bad), ("b.yaml", "version: 2\narea: PAU\n")], catalogue)
    assert [str(problem.position) for problem in caught.value.problems] == ["a.yaml:9", "b.yaml:1"]


def test_a_scenario_that_checks_nothing_is_refused(catalogue: Catalogue) -> None:
    assert "checks nothing" in problems(HEAD + "      - {call: listSandboxes}\n", catalogue)


def test_names_are_unique(catalogue: Catalogue) -> None:
    with pytest.raises(BadFileError, match="`one` is used 2 times"):
        parse_suite([("a.yaml", HEAD + GOOD), ("b.yaml", HEAD + GOOD)], catalogue)


def test_a_stand_in_needs_somebody_to_stand_in_for(catalogue: Catalogue) -> None:
    text = HEAD.replace("    steps:", "    standsInFor: nobody\n    steps:") + GOOD
    assert "there is no scenario `nobody`" in problems(text, catalogue)


CASES = HEAD.replace(
    "    steps:",
    "    cases:\n      - {name: a, id: PAU-01, status: 202}\n"
    "      - {name: b, id: PAU-02, status: 409}\n    steps:",
)


def test_cases_become_scenarios_of_their_own(catalogue: Catalogue) -> None:
    call = "call: listSandboxes, expect: {status: '${case.status}'}"
    step = f"      - {{{call}, check: '${{case.id}}', says: 'is ${{case.name}}'}}\n"
    first, second = parse_suite([("f.yaml", CASES + step)], catalogue).scenarios
    assert (first.name, second.name) == ("one[a]", "one[b]")
    assert [step.check for step in (*first.checks(), *second.checks())] == ["PAU-01", "PAU-02"]
    assert [step.body["expect"] for step in second.checks()] == [{"status": 409}]


def test_a_field_that_a_case_lacks_is_said_once_per_case(catalogue: Catalogue) -> None:
    call = "call: listSandboxes, expect: {status: '${case.nope}'}"
    step = f"      - {{{call}, check: '${{case.id}}', says: something}}\n"
    text = problems(CASES + step, catalogue)
    assert "the case `a` has no field `nope`" in text
    assert "the case `b` has no field `nope`" in text


def test_a_key_that_a_case_fills_is_a_word_whatever_fills_it(catalogue: Catalogue) -> None:
    call = "call: listSandboxes, expect: {body: {'${case.status}': absent}}"
    step = f"      - {{{call}, check: '${{case.id}}', says: something}}\n"
    first, _ = parse_suite([("f.yaml", CASES + step)], catalogue).scenarios
    assert [step.body["expect"] for step in first.checks()] == [{"body": {"202": "absent"}}]


def test_a_variable_of_one_branch_is_there_after_all_branches(catalogue: Catalogue) -> None:
    text = (
        GOOD
        + "      - parallel:\n"
        + "          - [{call: listSandboxes, as: page}]\n"
        + "          - [{call: getVersion}]\n"
    )
    parse_suite(
        [("f.yaml", HEAD + text + "      - {verify: '${page.items}', is: {type: array}}\n")], catalogue
    )


def test_the_schema_itself_is_a_schema_and_names_every_verb() -> None:
    for name in ("scenario", "target", "baseline", "report"):
        Draft202012Validator.check_schema(load_schema(name))
    schema = load_schema("scenario")
    named = [option["$ref"].rpartition("/")[2] for option in schema["$defs"]["step"]["oneOf"]]
    assert sorted(named) == sorted(VERBS)


def test_the_whole_schema_accepts_what_the_loader_accepts() -> None:
    """Editors use the schema as one piece; the loader uses its parts."""
    whole = Draft202012Validator(load_schema("scenario"))
    folder = Path(sandkit_conformance.__file__).parent / "scenarios"
    for path in sorted(folder.rglob("*.yaml")):
        if "${case." not in path.read_text():
            data = read_document(path.read_text(), path.name).data
            assert [error.message for error in whole.iter_errors(data)] == [], path.name
