from __future__ import annotations

import pytest

from sandkit_conformance.scenario.paths import NOTHING, PathError, parse_path, select

DATA = {"a": {"b": [1, {"c": None}]}, "k.x/y": {"z": 2}, "list": [{"id": 1}, {"id": 2}, {}]}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.b[0]", 1),
        ("a.b[-1].c", None),
        ('["k.x/y"].z', 2),
        ("['k.x/y'].z", 2),
        ("list[*].id", [1, 2]),
        ("$", DATA),
        ("$.a.b[0]", 1),
    ],
)
def test_a_path_leads_to_its_part(path: str, found: object) -> None:
    assert select(DATA, path) == found


@pytest.mark.parametrize("path", ["a.x", "a.b[7]", "a[0]", "list.id", "a.b[0].c", "a[*]"])
def test_a_path_that_leads_nowhere_is_not_null(path: str) -> None:
    assert select(DATA, path) is NOTHING


def test_every_element_of_an_empty_list_is_an_empty_list() -> None:
    assert select({"items": []}, "items[*].id") == []


@pytest.mark.parametrize("path", ["a..b", ".a", "a[", "a[x]", "a b", "a[0]b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(PathError, match="not a path"):
        parse_path(path)
