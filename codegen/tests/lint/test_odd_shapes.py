from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandkit_codegen.lint import lint_specs
from sandkit_codegen.load import PlainValue, plain, read_document

from .broken import write_minimal

Place = tuple[str | int, ...]
FILES = ("lifecycle.yaml", "states.yaml", "errors.yaml", "requirements/get.yaml", "crds/boxes.yaml")
SHAPES: tuple[PlainValue, ...] = (
    None,
    1,
    True,
    "x",
    [],
    {},
    [None],
    [{}],
    {"a": None},
    {"$ref": "#/components/schemas/Error"},
)
STRIDE = 23


def _places(value: PlainValue, place: Place = ()) -> Iterator[Place]:
    yield place
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, (*place, index))


def _with(document: PlainValue, place: Place, shape: PlainValue) -> PlainValue:
    if not place:
        return shape
    changed = copy.deepcopy(document)
    owner = changed
    for step in place[:-1]:
        owner = owner[step]  # type: ignore[index]
    owner[place[-1]] = shape  # type: ignore[index]
    return changed


@pytest.mark.parametrize("file", FILES)
def test_any_shape_anywhere_is_taken_or_reported(file: str, tmp_path: Path) -> None:
    """Every shape at every twenty-third place, a different one for each shape; never a traceback."""
    root = write_minimal(tmp_path)
    document = plain(read_document(root / file).root)
    places = list(_places(document))
    reported = 0
    for number, shape in enumerate(SHAPES):
        for place in places[number * 2 % STRIDE :: STRIDE]:
            (root / file).write_text(json.dumps(_with(document, place, shape)), encoding="utf-8")
            found = lint_specs(root)
            reported += bool(found)
            assert all(finding.position.line >= 1 and finding.what and finding.remedy for finding in found)
    assert reported > len(SHAPES)
