"""The tables of errors, states and requirements say what the specs say."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from sandkit_codegen.load import SpecSet, load_spec_set, requirement_digest
from sandkit_codegen.source import read_source
from sandkit_codegen.targets.chart import render_chart
from sandkit_codegen.targets.conformance import render_conformance

from .conftest import Generated


@pytest.fixture(scope="module")
def specs(repository: Path) -> SpecSet:
    return load_spec_set(repository / "specs")


@pytest.fixture(scope="module", params=["stress_server", "stress_client"])
def tables(request: pytest.FixtureRequest, generated: Generated) -> tuple[Any, Any, Any]:
    errors, states, known = (
        generated.module(f"{request.param}.{name}") for name in ("errors", "states", "known_values")
    )
    return errors, states, known


def test_every_error_is_there(tables: tuple[Any, Any, Any], specs: SpecSet) -> None:
    errors, _, _ = tables
    assert [code.value for code in errors.ERRORS] == [error.code for error in specs.errors]
    for error in specs.errors:
        found = errors.ERRORS[errors.ErrorCode(error.code)]
        assert (found.status, found.meaning, found.remedy) == (error.status, error.meaning, error.remedy)
        assert found.retryable == error.retryable
    with pytest.raises(TypeError):
        errors.ERRORS[errors.ErrorCode.REQUEST_FORBIDDEN] = None


def test_every_state_and_answer_is_there(tables: tuple[Any, Any, Any], specs: SpecSet) -> None:
    _, states, _ = tables
    sandbox = specs.states["sandbox"]
    assert [state.value for state in states.SandboxState] == list(sandbox.state_names)
    assert [(each.source, each.target, each.cause) for each in states.SANDBOX_TRANSITIONS] == [
        (each.source, each.target, each.cause) for each in sandbox.transitions
    ]
    assert states.SANDBOX_INITIAL == ("Pending",)
    assert states.SANDBOX_STATES["Pausing"].transitional
    assert states.SNAPSHOT_STATES["Deleting"].terminal
    cells = {
        (operation, state): (outcome.status, outcome.code, outcome.to)
        for machine in specs.states.values()
        for operation, row in machine.operations.items()
        for state, outcome in row.items()
    }
    found = {key: (outcome.status, outcome.code, outcome.to) for key, outcome in states.OPERATIONS.items()}
    assert found == cells
    assert ("pauseSandbox", states.UNKNOWN) in found


def test_the_suite_gets_the_specs_unchanged(specs: SpecSet) -> None:
    files = {
        name: text for name, text in render_conformance(read_source(specs)).items() if name.endswith(".json")
    }
    loaded = {name: json.loads(text) for name, text in files.items()}
    assert {**specs.openapi.bundled(), "x-generated": loaded["openapi.json"]["x-generated"]} == loaded[
        "openapi.json"
    ]
    assert [error["code"] for error in loaded["errors.json"]["errors"]] == [
        error.code for error in specs.errors
    ]
    assert set(loaded["states.json"]) == {"$comment", "version", *specs.states}
    entries = [entry for area in loaded["catalogue.json"]["areas"] for entry in area["requirements"]]
    assert [entry["id"] for entry in entries] == [requirement.id for requirement in specs.requirements]
    assert entries[0]["digest"] == requirement_digest(specs.requirements[0])


def test_a_reworded_promise_has_another_digest(specs: SpecSet) -> None:
    requirement = specs.requirements[0]
    assert requirement_digest(
        dataclasses.replace(requirement, text="Another promise.")
    ) != requirement_digest(requirement)


def test_open_sets_list_what_is_known_today(generated: Generated) -> None:
    known = generated.module("stress_client.known_values")
    assert not hasattr(known, "ODD_KIND"), "a closed set is not an open one"


def test_the_chart_gets_every_definition_unchanged(specs: SpecSet, repository: Path) -> None:
    files = render_chart(read_source(specs))
    written = {path.name: path.read_text("utf-8") for path in (repository / "specs" / "crds").glob("*.yaml")}
    assert written
    assert {name: text.partition("\n")[2] for name, text in files.items()} == written
    assert all(text.startswith("# Code generated") for text in files.values())
