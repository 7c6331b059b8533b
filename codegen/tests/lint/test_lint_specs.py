from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandkit_codegen.lint import lint_specs
from sandkit_codegen.lint.command import main
from sandkit_codegen.lint.registry import RULES

from . import (
    test_catalogue,
    test_error_codes,
    test_examples,
    test_operations,
    test_resource_definitions,
    test_schema_forms,
    test_state_tables,
)
from .broken import SPECS, replace, write_minimal

THEMES = (
    test_catalogue,
    test_error_codes,
    test_examples,
    test_operations,
    test_resource_definitions,
    test_schema_forms,
    test_state_tables,
)


def test_every_rule_has_a_spec_that_breaks_it() -> None:
    broken = {case.rule for theme in THEMES for case in theme.CASES}
    assert broken == {rule.id for rule in RULES}


def test_rules_have_distinct_names_and_a_summary() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert [rule.id for rule in RULES if not rule.summary.endswith(".")] == []


def test_the_minimal_specs_have_no_findings(tmp_path: Path) -> None:
    assert lint_specs(write_minimal(tmp_path)) == []


def test_the_specs_of_this_repository_have_no_findings() -> None:
    assert [str(finding) for finding in lint_specs(SPECS)] == []


def test_no_findings_exit_0_and_say_how_much_was_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_minimal(tmp_path)
    assert main([str(root)]) == 0
    assert capsys.readouterr().out == f"{root.as_posix()}: {len(RULES)} rules, no findings\n"


def test_findings_exit_1_and_read_from_top_to_bottom(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_minimal(tmp_path)
    replace(root / "states.yaml", "initial: [Pending]", "initial: [Pending, Lost]")
    replace(root / "lifecycle.yaml", "operationId: createSandbox", "operationId: CreateSandbox")
    replace(
        root / "lifecycle.yaml", "          minimum: 60\n", "          minimum: 60\n          example: 90\n"
    )
    assert main([str(root)]) == 1
    lines = capsys.readouterr().out.splitlines()
    places = [line.split(": ")[0] for line in lines[:-1]]
    assert [re.sub(r".*/(\w+)\.yaml:(\d+):\d+$", r"\1 \2", place) for place in places] == [
        "lifecycle 13",
        "lifecycle 177",
        "states 7",
    ]
    assert lines[-1] == "3 findings"


def test_json_holds_the_same_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_minimal(tmp_path)
    replace(root / "states.yaml", "initial: [Pending]", "initial: [Pending, Lost]")
    assert main([str(root), "--format", "json"]) == 1
    assert json.loads(capsys.readouterr().out) == {
        "findings": [
            {
                "file": f"{root.as_posix()}/states.yaml",
                "line": 7,
                "column": 22,
                "rule": "state-declared",
                "what": "The state Lost is not declared.",
                "remedy": "Declare it under `states`, or use one of: Pending, Running, Gone.",
            }
        ]
    }


def test_the_rules_can_be_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rules"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [rule.id for rule in RULES]


def test_a_wrong_option_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--fromat", "json"])
    assert exit_.value.code == 2
    assert "--fromat" in capsys.readouterr().err


def test_an_empty_folder_names_every_missing_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path)]) == 1
    out = capsys.readouterr().out
    for name in ("crds", "errors.yaml", "lifecycle.yaml", "requirements", "states.yaml"):
        assert f"{tmp_path.as_posix()}/{name}:1:1: file-missing: " in out


def test_broken_yaml_is_a_positioned_finding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_minimal(tmp_path)
    replace(root / "errors.yaml", "    status: 503\n", "   status: 503\n")
    assert main([str(root)]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(f"{root.as_posix()}/errors.yaml:19:4: yaml-syntax: Not well-formed YAML: ")
    assert first.endswith("Correct the indentation, quotes or brackets here.")


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_order_does_not_depend_on_hashing(seed: str, tmp_path: Path) -> None:
    root = write_minimal(tmp_path)
    shutil.rmtree(root / "crds")
    (root / "crds").mkdir()
    for name in ("a", "b"):
        (root / "crds" / f"{name}.yaml").write_text("kind: Nothing\n", encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-m", "sandkit_codegen.lint", str(root)],
        env={"PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        check=False,
    )
    findings = [str(finding) for finding in lint_specs(root)]
    assert len(findings) > 10
    assert run.stdout.splitlines() == [*findings, f"{len(findings)} findings"]
    assert run.stderr == ""
    assert run.returncode == 1
