"""Which faults of a document are told, and where."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType, inspect

from sandkit_server._generated.routes import ROUTES
from sandkit_server.http.violations import faults


class Part(msgspec.Struct, kw_only=True):
    name: Annotated[str, Meta(max_length=3, pattern="^[a-z]*\\Z")]
    size: Annotated[int, Meta(ge=1, le=9)] | UnsetType | None = UNSET


class Thing(msgspec.Struct, kw_only=True):
    part_list: list[Part] | UnsetType = msgspec.field(name="partList", default=UNSET)
    labels: dict[str, str] | UnsetType = UNSET
    words: Annotated[list[str], Meta(min_length=1, max_length=2)] | UnsetType = UNSET
    at: Annotated[datetime, Meta(tz=True)] | UnsetType = UNSET
    on: bool = False


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({}, []),
        ([], [("", "type")]),
        (None, [("", "type")]),
        ({"unknown": {"at": 1}}, []),
        ({"on": 1}, [("/on", "type")]),
        ({"on": None}, [("/on", "type")]),
        ({"at": "2030-01-01T00:00:00Z"}, []),
        ({"at": "2030-01-01T00:00:00"}, [("/at", "format")]),
        ({"at": 1900000000}, [("/at", "type")]),
        ({"words": []}, [("/words", "minItems")]),
        ({"words": ["a", "b", "c"]}, [("/words", "maxItems")]),
        ({"words": "a"}, [("/words", "type")]),
        ({"words": [1, "a"]}, [("/words/0", "type")]),
        (
            {"labels": {"a/b": 1, "m~n": None, "": True}},
            [("/labels/a~1b", "type"), ("/labels/m~0n", "type"), ("/labels/", "type")],
        ),
        ({"partList": [{}]}, [("/partList/0/name", "required")]),
        ({"part_list": 1}, []),
        (
            {"partList": [{"name": "abcD"}]},
            [("/partList/0/name", "maxLength"), ("/partList/0/name", "pattern")],
        ),
        ({"partList": [{"name": "a\n"}]}, [("/partList/0/name", "pattern")]),
        ({"partList": [{"name": "a", "size": None}]}, []),
        ({"partList": [{"name": "a", "size": True}]}, [("/partList/0/size", "type")]),
        ({"partList": [{"name": "a", "size": 1.0}]}, [("/partList/0/size", "type")]),
        (
            {"partList": [{"name": "a", "size": 0}, {"name": "b", "size": 10}]},
            [("/partList/0/size", "minimum"), ("/partList/1/size", "maximum")],
        ),
        (
            {"on": "yes", "labels": 3, "partList": {}},
            [("/partList", "type"), ("/labels", "type"), ("/on", "type")],
        ),
    ],
)
def test_every_fault_is_told_once_with_its_place(document: Any, found: list[tuple[str, str]]) -> None:
    assert [(fault.pointer, fault.rule) for fault in faults(document, Thing)] == found


@pytest.mark.parametrize(
    ("document", "taken"),
    [
        ({"partList": [{"name": "a", "size": 9}], "words": ["x"], "labels": {}}, True),
        ({"partList": [{"name": "a", "size": 10}]}, False),
        ({"words": []}, False),
    ],
)
def test_it_agrees_with_msgspec_about_what_is_wrong(document: Any, taken: bool) -> None:
    try:
        msgspec.convert(document, Thing)
        accepted = True
    except msgspec.ValidationError:
        accepted = False
    assert accepted is taken
    assert (faults(document, Thing) == []) is taken


def test_messages_never_quote_the_value() -> None:
    document = {"on": "hunter2", "partList": [{"name": "hunter2"}], "at": "hunter2"}
    assert "hunter2" not in "".join(fault.message for fault in faults(document, Thing))


@pytest.mark.parametrize(
    "operation", [route for route in ROUTES if route.body_type], ids=lambda r: r.operation_id
)
def test_every_body_of_the_api_can_be_walked(operation: Any) -> None:
    """A kind of type the walk does not know would turn a client's mistake into a crash."""

    def walk(expected: inspect.Type) -> None:
        match expected:
            case inspect.StructType(fields=fields):
                for member in fields:
                    walk(member.type)
            case inspect.ListType(item_type=item):
                walk(item)
            case inspect.DictType(value_type=value):
                walk(value)
            case inspect.UnionType(types=members):
                for each in members:
                    walk(each)
            case _:
                assert isinstance(
                    expected,
                    inspect.StrType
                    | inspect.BoolType
                    | inspect.IntType
                    | inspect.DateTimeType
                    | inspect.NoneType,
                )

    walk(inspect.type_info(operation.body_type))
    assert [fault.rule for fault in faults([], operation.body_type)] == ["type"]
