from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

SPECS = Path(__file__).parents[3] / "specs"
SCHEMAS = sorted((SPECS / "schemas").glob("*.json"))


def _fields(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in schema.get("properties", {}).items():
        if isinstance(field, dict):
            yield f"{path}/{name}", field
            yield from _fields(field, f"{path}/{name}")
    for name, inner in schema.get("$defs", {}).items():
        yield from _fields(inner, f"{path}/{name}")


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_a_schema_is_one_of_2020_12_with_its_own_name(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"urn:sandkit:schema:{path.name.removesuffix('.schema.json')}:1"
    assert schema["title"]
    assert schema["description"]


@pytest.mark.parametrize("name", ["errors", "requirements", "states"])
def test_an_editor_can_explain_every_field(name: str) -> None:
    schema = json.loads((SPECS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
    silent = [
        path
        for path, field in _fields(schema)
        if "description" not in field and not field.get("$ref", "").endswith("/machine")
    ]
    assert silent == []


def test_our_files_tell_editors_their_schema() -> None:
    files = [SPECS / "states.yaml", SPECS / "errors.yaml", *sorted((SPECS / "requirements").glob("*.yaml"))]
    for file in files:
        first = file.read_text(encoding="utf-8").splitlines()[0]
        prefix = "# yaml-language-server: $schema="
        assert first.startswith(prefix), file
        assert (file.parent / first.removeprefix(prefix)).resolve() in SCHEMAS, file
