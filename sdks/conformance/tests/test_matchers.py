from __future__ import annotations

from typing import Any

import pytest

from sandkit_conformance.scenario.matchers import MATCHER_NAMES, match, match_fields, parse_instant
from sandkit_conformance.scenario.paths import NOTHING
from sandkit_conformance.scenario.schema import load_schema

ROW = {"name": "v1", "labels": {"a": "1", "b": "2"}}

HOLDS: list[tuple[Any, Any]] = [
    (3, 3.0),
    ([1, {"a": None}], [1, {"a": None}]),
    ({"equals": {"b": 1, "a": 2}}, {"a": 2, "b": 1}),
    ({"not": 4}, 3),
    ({"not": {"contains": "x"}}, "abc"),
    ({"any_of": [{"gt": 5}, {"lt": 0}]}, 7),
    ({"fields": {"labels.a": "1", "name": {"matches": "^v"}}}, ROW),
    ({"one_of": ["a", None]}, None),
    ({"matches": "b.d"}, "abcde"),
    ({"contains": "bc"}, "abcd"),
    ({"contains": {"x": 1}}, [{"x": 1}, 2]),
    ({"contains": {"a": "1"}}, ROW["labels"]),
    ({"excludes": ["z"]}, ROW["labels"]),
    ({"excludes": {"a": "2"}}, ROW["labels"]),
    ({"excludes": "z"}, None),
    ({"mentions": "deep"}, {"a": [{"x": "so deeply"}]}),
    ({"mentions": "key"}, {"a": {"the key": 1}}),
    ({"exists": True}, None),
    ({"exists": False}, NOTHING),
    ({"absent": True}, NOTHING),
    ({"absent": True}, None),
    ({"type": "integer"}, 3),
    ({"type": "null"}, None),
    ({"type": "instant"}, "2026-01-02T03:04:05.123456789+02:00"),
    ({"length": 2}, ROW["labels"]),
    ({"length": {"ge": 1}}, "x"),
    ({"gt": 1, "lt": 3}, 2),
    ({"ge": 2, "le": 2}, 2),
    ({"same_instant": "2026-01-01T12:00:00Z"}, "2026-01-01T14:00:00.000400+02:00"),
    ({"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00.001Z"),
    ({"before": "2026-01-01T00:00:00Z"}, "2025-12-31T23:59:59Z"),
    ({"each": {"gt": 0}}, [1, 2]),
    ({"any": {"fields": {"name": "v1"}}}, [{}, ROW]),
    ({"unique": True}, [1, True, "1"]),
    ({"same_set": [2, 1]}, [1, 2]),
]

FAILS: list[tuple[Any, Any]] = [
    (True, 1),
    (1, True),
    (None, NOTHING),
    ({"equals": {"a": 1}}, {"a": 1, "b": 2}),
    ({"not": {"contains": "b"}}, "abc"),
    ({"any_of": [{"gt": 5}, {"lt": 0}]}, 3),
    ({"fields": {"labels.a": "2"}}, ROW),
    ({"one_of": [1]}, NOTHING),
    ({"matches": "^b"}, "ab"),
    ({"matches": "1"}, 1),
    ({"contains": "x"}, NOTHING),
    ({"contains": {"a": "2"}}, ROW["labels"]),
    ({"excludes": ["a"]}, ROW["labels"]),
    ({"excludes": "b"}, "abc"),
    ({"mentions": "deep"}, {"a": [1, None]}),
    ({"exists": True}, NOTHING),
    ({"exists": False}, None),
    ({"absent": True}, ""),
    ({"type": "integer"}, True),
    ({"type": "number"}, "1"),
    ({"type": "instant"}, "2026-01-02T03:04:05"),
    ({"length": 0}, None),
    ({"gt": 2}, 2),
    ({"lt": 2}, "1"),
    ({"same_instant": "2026-01-01T12:00:00Z"}, "2026-01-01T12:00:00.002Z"),
    ({"after": "2026-01-01T00:00:00Z"}, "2026-01-01T00:00:00Z"),
    ({"before": "2026-01-01T00:00:00Z"}, "soon"),
    ({"each": {"gt": 0}}, []),
    ({"each": {"gt": 1}}, [2, 1]),
    ({"any": 3}, [1, 2]),
    ({"unique": True}, [1, 2, 1.0]),
    ({"same_set": [1, 1, 2]}, [1, 2, 2]),
    ({"gt": 1, "lt": 2}, 3),
]


@pytest.mark.parametrize(("matcher", "value"), HOLDS)
def test_it_matches(matcher: Any, value: Any) -> None:
    assert match(matcher, value) == []


@pytest.mark.parametrize(("matcher", "value"), FAILS)
def test_it_does_not_match_and_says_why(matcher: Any, value: Any) -> None:
    found = match(matcher, value, "the.path")
    assert found
    assert all("the.path" in one.where and one.expected and one.observed for one in found)


def test_every_matcher_is_seen_to_hold_and_to_fail() -> None:
    for table in (HOLDS, FAILS):
        seen = {name for matcher, _ in table if isinstance(matcher, dict) for name in matcher}
        assert seen >= set(MATCHER_NAMES) - {"ge", "le"}


def test_schema_and_code_know_the_same_matchers() -> None:
    assert set(load_schema("scenario")["$defs"]["matchers"]["properties"]) == set(MATCHER_NAMES)


def test_a_failing_entry_is_named_and_not_the_whole_mapping() -> None:
    (found,) = match({"contains": {"a": "1", "b": "9"}}, ROW["labels"], "labels")
    assert str(found) == 'labels.b: expected "9", observed "2"'


def test_fields_name_their_paths() -> None:
    found = match_fields({"labels.c": {"exists": True}, "name": "v1"}, ROW)
    assert [str(one) for one in found] == ["labels.c: expected to be there, observed nothing (absent)"]


def test_long_values_are_shortened_in_the_middle() -> None:
    (found,) = match("short", "x" * 5000)
    assert len(found.observed) < 500


@pytest.mark.parametrize("text", ["2026-02-30T00:00:00Z", "2026-01-01 00:00:00Z", 5, None, "2026-01-01"])
def test_what_is_no_instant_is_none(text: Any) -> None:
    assert parse_instant(text) is None
