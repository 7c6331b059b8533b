from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandkit_codegen.load import SpecError, check_structure, parse_document, schema_of

SCHEMA = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z]+$", "minLength": 2},
        "size": {"type": ["integer", "null"], "minimum": 1, "maximum": 9},
        "kind": {"enum": ["small", "large", None]},
        "version": {"const": 1},
        "parts": {
            "type": "array",
            "items": {"type": "string"},
            "minItems": 1,
            "uniqueItems": True,
            "maxItems": 3,
        },
        "form": {"type": "string", "format": "regex"},
        "never": {"not": {}},
        "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    },
}


def _check(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA), encoding="utf-8")
    document = parse_document("a.yaml", text.encode())
    return [str(finding) for finding in check_structure(document, schema_of(path))]


def test_a_document_that_matches_has_no_findings(tmp_path: Path) -> None:
    assert _check(tmp_path, "name: abc\nsize: null\nkind: null\nparts: [a, b]\nform: a+\n") == []


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("size: 3\n", "1:1: structure: The document lacks `name`. Add `name`."),
        (
            "name: abc\nsiez: 3\n",
            "2:1: unknown-field: The field `siez` is not known here. Did you mean `size`?",
        ),
        (
            "name: abc\nqqq: 3\n",
            "2:1: unknown-field: The field `qqq` is not known here. Remove it, or use one of: "
            "either, form, kind, name, never, parts, size, version.",
        ),
        (
            "name: 12\n",
            "1:7: structure: The field `name` is 12, which has the wrong type. Write a value of type string.",
        ),
        (
            "name: abc\nsize: x\n",
            '2:7: structure: The field `size` is "x", which has the wrong type. '
            "Write a value of type integer or null.",
        ),
        ("name: Abc\n", '1:7: structure: The field `name` is "Abc". Write a value that matches ^[a-z]+$.'),
        ("name: a\n", "1:7: structure: The field `name` is too short or empty. Give at least 2."),
        (
            "name: abc\nsize: 0\n",
            "2:7: structure: The field `size` is 0, out of range. Keep to minimum 1.",
        ),
        (
            "name: abc\nsize: 10\n",
            "2:7: structure: The field `size` is 10, out of range. Keep to maximum 9.",
        ),
        (
            "name: abc\nkind: huge\n",
            '2:7: structure: The field `kind` is "huge", which is not a known value. '
            "Use one of: small, large, null.",
        ),
        ("name: abc\nversion: 2\n", "2:10: structure: The field `version` is 2. Write 1."),
        (
            "name: abc\nparts: []\n",
            "2:8: structure: The field `parts` is too short or empty. Give at least 1.",
        ),
        (
            "name: abc\nparts: [x, y, x]\n",
            '2:8: structure: The field `parts` repeats "x". Remove the repetition.',
        ),
        (
            "name: abc\nparts: [x, 2]\n",
            "2:12: structure: The item 2 is 2, which has the wrong type. Write a value of type string.",
        ),
        (
            "name: abc\nform: '('\n",
            '2:7: structure: The field `form` is "(", which is not a regular expression. '
            "Write a regular expression.",
        ),
        ("name: abc\nnever: 1\n", "2:1: structure: The field `never` is not allowed here. Remove it."),
        (
            "name: abc\neither: []\n",
            "2:9: structure: The field `either` breaks the rule `oneOf`. "
            'Satisfy oneOf: [{"type": "string"}, {"type": "integer"}].',
        ),
    ],
)
def test_departures_say_where_and_how_to_mend(text: str, finding: str, tmp_path: Path) -> None:
    assert _check(tmp_path, text) == [f"a.yaml:{finding}"]


def test_long_values_are_shortened(tmp_path: Path) -> None:
    (finding,) = _check(tmp_path, f"name: {'A' * 500}\n")
    assert len(finding) < 200


def test_findings_read_from_top_to_bottom(tmp_path: Path) -> None:
    found = _check(tmp_path, "zzz: 1\nname: 1\nsize: x\naaa: 2\n")
    assert [finding.split(":")[1] for finding in found] == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, ":1:1: schema-file: The schema cannot be read: No such file or directory."),
        ('{\n  "type": }', ":2:11: schema-file: Not JSON: Expecting value."),
        ('{"type": "text"}', ":1:1: schema-file: Not a JSON Schema: "),
    ],
)
def test_an_unusable_schema_is_a_finding(content: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(SpecError) as raised:
        schema_of(path)
    assert f"{path.as_posix()}{message}" in str(raised.value)
