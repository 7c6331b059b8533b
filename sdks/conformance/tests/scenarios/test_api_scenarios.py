"""The shipped scenarios about the API: complete, honest, careful with what is others'."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Final

import pytest

from sandkit_conformance.catalogue import Catalogue, load_catalogue
from sandkit_conformance.scenario.loader import shipped_suite
from sandkit_conformance.scenario.model import Scenario, Step, Suite

FOLDER: Final = Path(str(resources.files("sandkit_conformance") / "scenarios")) / "api"
FILES: Final = sorted(FOLDER.glob("*.yaml"))
MOST_LINES, WIDEST_LINE = 400, 125
# What every answer of a run is held against; no scenario alone could show it.
STANDING: Final = {"API-01", "API-02", "API-03", "API-07", "API-11", "API-24", "API-25", "API-87"}
MAKES_NOTHING: Final = "MUST NOT make anything"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture(scope="module")
def suite(catalogue: Catalogue) -> Suite:
    return shipped_suite()


def scenarios_of(suite: Suite) -> Iterator[Scenario]:
    return (scenario for scenario in suite.scenarios if scenario.area == "API")


def steps_of(suite: Suite) -> Iterator[tuple[Scenario, Step]]:
    return ((scenario, step) for scenario in scenarios_of(suite) for step in scenario.all_steps())


def checks_of(suite: Suite) -> Iterator[tuple[Scenario, Step]]:
    return ((scenario, step) for scenario, step in steps_of(suite) if step.check)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_can_be_read_by_people(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../../data/scenario.schema.json"
    assert len(lines) <= MOST_LINES
    assert max(map(len, lines)) <= WIDEST_LINE


def test_every_promise_of_the_api_is_checked_unless_it_binds_clients(
    suite: Suite, catalogue: Catalogue
) -> None:
    promises = {name: one for name, one in catalogue.requirements.items() if one.area == "API"}
    unchecked = set(promises) - suite.checked_requirements()
    assert unchecked == {name for name, one in promises.items() if one.checked_elsewhere}


def test_what_holds_in_every_exchange_is_looked_at_in_all_of_them(suite: Suite) -> None:
    assert {standing.check for standing in suite.standing} == STANDING


def test_scenarios_of_the_api_cite_its_promises_only(suite: Suite) -> None:
    assert all((step.check or "").startswith("API-") for _, step in checks_of(suite))


def test_a_check_says_what_it_shows_once_in_its_scenario(suite: Suite) -> None:
    for scenario in scenarios_of(suite):
        told = Counter(step.says for step in scenario.checks())
        assert None not in told, scenario.position
        assert max(told.values()) == 1, f"{scenario.position}: {told.most_common(1)}"


def test_titles_are_sentences_of_their_own(suite: Suite) -> None:
    owners: dict[str, str] = {}
    for scenario in suite.scenarios:
        assert owners.setdefault(scenario.title, scenario.id) == scenario.id, scenario.position
    assert all(title[0].isupper() and title[-1] not in ".!?" for title in owners)


def test_a_request_that_must_not_make_anything_is_looked_after(suite: Suite, catalogue: Catalogue) -> None:
    """The refusal alone is half of the promise: the probe must look for a workload, in the same scenario."""
    looked_after: dict[str, list[bool]] = defaultdict(list)
    for scenario in scenarios_of(suite):
        refused = {step.check for step in scenario.checks() if is_refusal(step, catalogue)}
        searched = {step.check for step in scenario.checks() if step.body.get("probe") == "workloads"}
        for name in refused:
            looked_after[name or ""].append(name in searched)
    promising = {
        name
        for name, one in catalogue.requirements.items()
        if one.area == "API" and MAKES_NOTHING in one.text and "view" in one.probe
    }
    assert promising <= set(looked_after)
    assert not {name for name in promising if not any(looked_after[name])}


def is_refusal(step: Step, catalogue: Catalogue) -> bool:
    expect = step.body.get("expect") if step.verb == "call" else None
    if not isinstance(expect, Mapping):
        return False
    cell = catalogue.cell(expect["table"]) if "table" in expect else None
    status = cell.status if cell else expect.get("status", 0)
    smallest = min(status) if isinstance(status, list) else status
    return status == "4xx" or (isinstance(smallest, int) and smallest >= 400)


def test_what_must_not_be_there_is_looked_for_by_a_name_of_the_scenarios_own(suite: Suite) -> None:
    for _, step in steps_of(suite):
        if step.verb == "probe" and step.body["probe"] not in {"file", "environment", "events"}:
            assert "${" in str(step.body.get("where")), f"{step.position}: looks at what others have, too"


def test_faults_and_gates_are_matched_to_the_scenarios_own_objects(suite: Suite) -> None:
    for scenario, step in steps_of(suite):
        assert not scenario.exclusive, f"{scenario.position}: makes all others wait"
        if step.verb == "fault" or step.body.get("gate") == "hold":
            assert "${" in str(step.body["match"]), f"{step.position}: disturbs others"


def test_a_named_fault_is_shown_to_have_struck(suite: Suite) -> None:
    for scenario in scenarios_of(suite):
        steps = list(scenario.all_steps())
        named = {step.body["as"] for step in steps if step.verb == "fault" and "as" in step.body}
        proven = {step.body["clear"] for step in steps if step.verb == "clear" and "hits" in step.body}
        assert named <= proven, f"{scenario.position}: {sorted(named - proven)} may never have struck"


def test_a_state_that_passes_quickly_is_held_and_seen(suite: Suite) -> None:
    """A refusal in Pending or Stopping shows something only when the sandbox is known to be there."""
    for scenario in scenarios_of(suite):
        held = {str(step.body["expect"]["table"]) for step in scenario.checks() if has_table(step)}
        for state in ("Pending", "Stopping"):
            if any(cell.endswith(f"/{state}") for cell in held):
                assert any(sees(step, state) for step in scenario.all_steps()), scenario.position


def has_table(step: Step) -> bool:
    return isinstance(step.body.get("expect"), Mapping) and "table" in step.body["expect"]


def sees(step: Step, state: str) -> bool:
    body: Any = step.body.get("expect", {}).get("body", {}) if step.verb == "call" else {}
    return bool(body.get("status.state") == state) and not step.check
