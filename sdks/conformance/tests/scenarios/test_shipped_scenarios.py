"""The shipped scenarios of pause, resume, expiry, delete, faults and volumes: valid, honest, complete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest

from sandkit_conformance.catalogue import Catalogue, Requirement, load_catalogue
from sandkit_conformance.scenario.loader import parse_suite, shipped_suite
from sandkit_conformance.scenario.model import Needs, Scenario, Step, Suite
from sandkit_conformance.target import DEFAULT_CHOICES

FOLDER: Final = Path(str(resources.files("sandkit_conformance") / "scenarios"))
AREAS: Final = {
    "pause": "PAU",
    "resume": "RES",
    "faults": "FLT",
    "ttl": "TTL",
    "delete": "DEL",
    "volumes": "VOL",
}
FILES: Final = sorted(path for folder in AREAS for path in (FOLDER / folder).glob("*.yaml"))
MOST_LINES, WIDEST_LINE = 400, 125
CONTROL_OF_VERB: Final = {
    "fault": "faults",
    "clear": "faults",
    "gate": "gates",
    "advance": "clock",
    "restart": "restart",
}
MEMORY_CHOICES: Final = {**DEFAULT_CHOICES, "endpoints": "proxied"}
FEATURE_OF_PROBE: Final = {"events": "events", "file": "files", "environment": "environment"}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def suite(catalogue: Catalogue) -> Suite:
    return shipped_suite()


def scenarios_of(suite: Suite) -> Iterator[Scenario]:
    return (scenario for scenario in suite.scenarios if scenario.area in AREAS.values())


def steps_of(suite: Suite) -> Iterator[tuple[Scenario, Step]]:
    return ((scenario, step) for scenario in scenarios_of(suite) for step in scenario.all_steps())


def checks_of(suite: Suite) -> Iterator[tuple[Scenario, Step]]:
    return ((scenario, step) for scenario, step in steps_of(suite) if step.check)


def requirements_of(catalogue: Catalogue) -> list[Requirement]:
    return [one for one in catalogue.requirements.values() if one.area in AREAS.values()]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_file_is_short_valid_alone_and_about_the_area_of_its_folder(
    path: Path, catalogue: Catalogue
) -> None:
    text = path.read_text("utf-8")
    lines = text.splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../../data/scenario.schema.json"
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= WIDEST_LINE
    areas = {scenario.area for scenario in parse_suite([(path.name, text)], catalogue).scenarios}
    assert areas == {AREAS[path.parent.name]}


def test_every_requirement_is_checked_or_its_entry_says_where_it_is(
    suite: Suite, catalogue: Catalogue
) -> None:
    unchecked = {one.id for one in requirements_of(catalogue)} - suite.checked_requirements()
    elsewhere = {one.id for one in requirements_of(catalogue) if one.checked_elsewhere}
    # Some of those have scenarios for targets of that kind, and are not applicable to others.
    assert unchecked <= elsewhere


def test_what_the_memory_runtime_can_show_is_checked_on_a_target_like_it(
    suite: Suite, catalogue: Catalogue
) -> None:
    reachable = {
        step.check
        for scenario, step in checks_of(suite)
        if not scenario.stands_in_for
        and not scenario.unless.capabilities
        and chosen_by_memory(scenario.needs)
        and chosen_by_memory(step.needs)
    }
    wanted = {one.id for one in requirements_of(catalogue) if "memory" in one.testable_on}
    assert wanted - reachable == {"PAU-10", "FLT-01"}, "these are about targets that lack something"


def chosen_by_memory(needs: Needs) -> bool:
    return all(MEMORY_CHOICES.get(name) == value for name, value in needs.choices.items())


def test_a_check_cites_one_requirement_and_says_what_it_shows(suite: Suite) -> None:
    for _, step in checks_of(suite):
        assert isinstance(step.check, str)
        assert step.check.count("-") == 1, step.position
        assert step.says, step.position
        assert step.says[0].isupper(), step.position
        assert not step.says.endswith("."), step.position


def test_no_two_checks_of_a_scenario_say_the_same(suite: Suite) -> None:
    repeated = {
        (scenario.name, says)
        for scenario in scenarios_of(suite)
        for says, count in Counter(step.says for step in scenario.checks()).items()
        if count > 1
    }
    assert not repeated


def test_a_title_is_a_sentence_of_its_own(suite: Suite) -> None:
    owners: dict[str, str] = {}
    for scenario in scenarios_of(suite):
        assert scenario.title[0].isupper(), scenario.position
        assert scenario.title[-1] not in ".!?", scenario.position
        assert owners.setdefault(scenario.title, scenario.id) == scenario.id, scenario.position


def test_a_scenario_asks_for_the_capability_its_requirements_are_about(
    suite: Suite, catalogue: Catalogue
) -> None:
    missing = [
        f"{step.position}: {step.check} is about {capability}"
        for scenario, step in checks_of(suite)
        if (capability := catalogue.requirements[step.check or ""].capability)
        and not any(
            asked == capability or asked.startswith(f"{capability}.")
            for asked in (*scenario.needs.capabilities, *step.needs.capabilities)
        )
    ]
    assert not missing


def test_a_scenario_declares_every_side_port_feature_it_uses(suite: Suite) -> None:
    missing = [
        f"{step.position}: {feature}"
        for scenario, step in steps_of(suite)
        for feature in features_of(step)
        if feature
        not in {
            *(*scenario.needs.probe, *scenario.needs.control),
            *(*step.needs.probe, *step.needs.control),
        }
    ]
    assert not missing


def features_of(step: Step) -> Iterator[str]:
    """Each side port feature the step cannot do without, by the name `needs` has for it."""
    if step.verb in CONTROL_OF_VERB:
        yield CONTROL_OF_VERB[step.verb]
    elif step.verb in {"seed", "edit", "remove"}:
        yield "files" if step.body.get("seed") == "file" else "seed"
    elif step.verb == "probe":
        yield FEATURE_OF_PROBE.get(step.body["probe"], "view")
    elif condition := condition_of(step):
        if "fault" in condition:
            yield "faults"
        if "probe" in condition:
            yield FEATURE_OF_PROBE.get(condition["probe"], "view")


def condition_of(step: Step) -> Mapping[str, Any]:
    """What an `await` or `never` looks at, where it is not a state."""
    looked_at = step.body.get(step.verb) if step.verb in {"await", "never"} else None
    return looked_at if isinstance(looked_at, Mapping) else {}


def test_what_disturbs_is_matched_to_the_scenarios_own_objects(suite: Suite) -> None:
    for _, step in steps_of(suite):
        if "match" in step.body:
            assert "${" in str(step.body["match"]), f"{step.position}: matches what others have, too"


def test_a_named_fault_is_shown_to_have_struck(suite: Suite) -> None:
    for scenario in scenarios_of(suite):
        steps = list(scenario.all_steps())
        named = {step.body["as"] for step in steps if step.verb == "fault" and "as" in step.body}
        proven = {step.body["clear"] for step in steps if step.verb == "clear" and "hits" in step.body}
        proven |= {condition_of(step).get("fault") for step in steps}
        assert named <= proven, f"{scenario.position}: {sorted(named - proven)} may never have struck"


def test_a_refusal_names_its_code(suite: Suite) -> None:
    nameless = [
        str(step.position)
        for _, step in checks_of(suite)
        if step.verb == "call" and is_refusal(step.body["expect"]) and "code" not in step.body["expect"]
    ]
    assert not nameless


def is_refusal(expect: Mapping[str, Any]) -> bool:
    status = expect.get("status")
    return status in ("4xx", "5xx") or (isinstance(status, int) and status >= 400)
