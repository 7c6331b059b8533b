from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sandkit_codegen.load import SpecError, load_spec_set

SPECS = Path(__file__).parents[3] / "specs"
MINIMAL = Path(__file__).parents[1] / "lint" / "minimal"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    shutil.copytree(MINIMAL, folder)
    shutil.copytree(SPECS / "schemas", folder / "schemas")
    return folder


def _change(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def _findings(root: Path) -> list[str]:
    with pytest.raises(SpecError) as raised:
        load_spec_set(root)
    return [str(finding).replace(f"{root.as_posix()}/", "") for finding in raised.value.findings]


def test_state_machines_are_typed(root: Path) -> None:
    machine = load_spec_set(root).states["sandbox"]
    assert machine.state_names == ("Pending", "Running", "Gone")
    assert machine.initial == ("Pending",)
    assert [(state.name, state.transitional, state.terminal) for state in machine.states] == [
        ("Pending", True, False),
        ("Running", False, False),
        ("Gone", False, True),
    ]
    assert [(item.source, item.target, item.cause) for item in machine.transitions][1] == (
        "Pending",
        "Gone",
        "deleted while starting",
    )
    row = machine.operations["deleteSandbox"]
    assert [(state, cell.status, cell.code, cell.to) for state, cell in row.items()] == [
        ("Pending", 204, None, "Gone"),
        ("Running", 204, None, "Gone"),
        ("Gone", 204, None, None),
        ("(unknown)", 404, "SANDBOX::NOT_FOUND", None),
    ]


def test_errors_are_typed(root: Path) -> None:
    errors = load_spec_set(root).errors
    assert [error.code for error in errors][:2] == ["REQUEST::ROUTE_NOT_FOUND", "REQUEST::INVALID"]
    error = errors[3]
    assert (error.status, error.meaning, error.retryable, error.remedy) == (
        503,
        "The engine is away.",
        "retry-after",
        "Retry later on.",
    )


def test_requirements_are_typed_area_by_area(root: Path) -> None:
    specs = load_spec_set(root)
    assert [(area.area, area.title, len(area.requirements)) for area in specs.areas] == [
        ("DEL", "Deleting", 1),
        ("GET", "Reading", 2),
    ]
    assert [requirement.id for requirement in specs.requirements] == ["DEL-01", "GET-01", "GET-02"]
    last = specs.requirements[-1]
    assert (last.level, last.authority, last.capability, last.check) == (
        "SHOULD",
        "proposed",
        "snapshots",
        "docker",
    )
    assert (last.operation, last.probe, last.control, last.testable_on) == (
        ("getSandbox", "getSnapshot"),
        ("view",),
        ("clock",),
        ("docker", "kubernetes"),
    )
    assert (last.text, last.rationale, last.source, last.notes) == (
        "A read SHOULD be answered within a second.",
        "People wait in front of the screen.",
        "reference design, latency",
        "Memory is always fast enough.",
    )
    first = specs.requirements[0]
    assert (first.capability, first.check, first.notes) == (None, None, None)


def test_positions_spell_the_root_as_given(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root.parent)
    specs = load_spec_set(Path("specs"))
    assert str(specs.requirements[0].node.position) == "specs/requirements/del.yaml:5:5"
    assert specs.crds[0].path == "specs/crds/boxes.yaml"


def test_where_a_promise_stands_does_not_count_in_comparisons(root: Path) -> None:
    before = load_spec_set(root).requirements[0]
    _change(root / "requirements" / "del.yaml", "title: Deleting\n", "\n\ntitle: Deleting\n")
    after = load_spec_set(root).requirements[0]
    assert before == after
    assert before.node.position != after.node.position


def test_every_broken_file_is_reported_at_once(root: Path) -> None:
    _change(root / "states.yaml", "initial: [Pending]", "initial: []")
    _change(root / "errors.yaml", "    status: 503\n", "    status: 203\n")
    _change(root / "requirements" / "del.yaml", "level: MUST", "level: HAS TO")
    _change(
        root / "lifecycle.yaml",
        "$ref: '#/components/schemas/CreateRequest'",
        "$ref: '#/components/schemas/Nix'",
    )
    (root / "crds" / "boxes.yaml").write_text("a: [\n", encoding="utf-8")
    assert [finding.split(": ")[:2] for finding in _findings(root)] == [
        ["crds/boxes.yaml:2:1", "yaml-syntax"],
        ["errors.yaml:19:13", "structure"],
        ["lifecycle.yaml:25:22", "ref-dangling"],
        ["requirements/del.yaml:6:12", "structure"],
        ["states.yaml:7:12", "structure"],
    ]


@pytest.mark.parametrize(
    ("file", "old", "new", "finding"),
    [
        (
            "lifecycle.yaml",
            "      operationId: createSandbox\n",
            "      operationid: createSandbox\n",
            "lifecycle.yaml:13:7: unknown-field: The field `operationid` is not known here. "
            "Did you mean `operationId`?",
        ),
        (
            "lifecycle.yaml",
            "          pattern: '^[a-z]+$'\n",
            "          pattern: '^[a-z+$'\n",
            'lifecycle.yaml:170:20: structure: The field `pattern` is "^[a-z+$", '
            "which is not a regular expression. Write a regular expression.",
        ),
        (
            "states.yaml",
            "      Gone: {status: 204}\n",
            "      Gone: {status: 409}\n",
            "states.yaml:21:13: structure: The field `Gone` lacks `code`. Add `code`.",
        ),
        (
            "states.yaml",
            "      Gone: {status: 204}\n",
            "      Gone: {status: 204, code: SANDBOX::NOT_FOUND}\n",
            "states.yaml:21:27: structure: The field `code` is not allowed here. Remove it.",
        ),
        (
            "errors.yaml",
            "code: REQUEST::INVALID\n",
            "code: request_invalid\n",
            'errors.yaml:8:11: structure: The field `code` is "request_invalid". '
            "Write a value that matches ^[A-Z][A-Z0-9_]*::[A-Z][A-Z0-9_]*$.",
        ),
        (
            "requirements/del.yaml",
            "    source: ",
            "    sourcce: x\n    source: ",
            "requirements/del.yaml:15:5: unknown-field: The field `sourcce` is not known here. "
            "Did you mean `source`?",
        ),
        (
            "requirements/del.yaml",
            "probe: []",
            "probe: [eyes]",
            'requirements/del.yaml:10:13: structure: The item 1 is "eyes", which is not a known value. '
            "Use one of: view, files, environment, events, seed.",
        ),
    ],
)
def test_our_files_have_a_closed_form(file: str, old: str, new: str, finding: str, root: Path) -> None:
    _change(root / file, old, new)
    assert _findings(root) == [finding]


def test_a_folder_without_files_is_reported(root: Path) -> None:
    shutil.rmtree(root / "requirements")
    (finding,) = _findings(root)
    assert finding == "requirements:1:1: file-missing: The folder holds no YAML file. Add at least one."


def test_a_missing_schema_is_reported(root: Path) -> None:
    (root / "schemas" / "states.schema.json").unlink()
    (finding,) = _findings(root)
    assert finding.startswith("schemas/states.schema.json:1:1: schema-file: The schema cannot be read")


def test_the_specs_of_this_repository_load() -> None:
    specs = load_spec_set(SPECS)
    assert [area.area for area in specs.areas] == ["API", "DEL", "FLT", "PAU", "RES", "TTL", "VOL"]
    assert {len(machine.operations) > 1 for machine in specs.states.values()} == {True}
    assert [Path(document.path).stem for document in specs.crds] == [
        "batchsandboxes",
        "pools",
        "sandboxsnapshots",
    ]
