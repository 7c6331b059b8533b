"""The generated SDK code at work on the stress specification."""

from __future__ import annotations

import datetime as dt
import importlib
import json
import uuid
from typing import Any

import pytest

from .conftest import Generated

ODD: dict[str, Any] = {
    "class": "c",
    "must": None,
    "when": "2026-11-02T09:30:00.123456789Z",
    "kind": "a value nobody knew",
    "matrix": [[1, 2.5], []],
}


@pytest.fixture(scope="module")
def models(generated: Generated) -> Any:
    return generated.module("stress_client.models")


@pytest.fixture(scope="module")
def unexpected(generated: Generated) -> type[Exception]:
    error: type[Exception] = generated.module("stress_client.decoding").UnexpectedBody
    return error


def operation(name: str) -> Any:
    return importlib.import_module(f"stress_client.operations.{name}")


def parsed(body: object) -> Any:
    return operation("list").parse(200, {}, json.dumps(body).encode())


def test_an_answer_becomes_typed_values(models: Any) -> None:
    odd = parsed(
        ODD
        | {
            "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
            "date": "2026-02-28",
            "instants": ["2026-11-02T10:30:00+01:00"],
            "dict": {"a": 1},
            "cube": [[[1], []], []],
            "lists": {"x": [{"a/b": "y", "c~d": None}]},
            "tree": {"name": "root", "children": [{"name": "leaf"}]},
            "choice": "text",
            "free": {"deep": [1]},
        }
    )
    assert odd.when == dt.datetime(2026, 11, 2, 9, 30, 0, 123456, tzinfo=dt.UTC)
    assert odd.instants == [dt.datetime(2026, 11, 2, 9, 30, tzinfo=dt.UTC)]
    assert odd.id == uuid.UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
    assert odd.date == dt.date(2026, 2, 28)
    assert odd.lists["x"][0].ab == "y"
    assert odd.tree.children[0] == models.Tree(name="leaf")
    assert (odd.choice, odd.free, odd.cube) == ("text", {"deep": [1]}, [[[1], []], []])


def test_an_unknown_value_of_a_closed_set_is_kept() -> None:
    assert parsed(ODD).kind == "a value nobody knew"


def test_unknown_fields_are_kept_and_given_back() -> None:
    odd = parsed(ODD | {"brandNew": {"x": 1}, "foo_bar": "kept apart", "fooBar": "from this"})
    assert odd.additional_properties == {"brandNew": {"x": 1}}
    again = odd.to_dict()
    assert again["brandNew"] == {"x": 1}
    assert (again["foo_bar"], again["fooBar"]) == ("kept apart", "from this")


def test_absent_and_null_of_an_answer_are_none() -> None:
    odd = parsed(ODD | {"from": None, "tree": None, "self": None})
    assert (odd.from_, odd.tree, odd.self_, odd.text) == (None, None, None, None)


def test_servers_that_leave_empty_collections_out_are_understood() -> None:
    assert parsed({**ODD, "matrix": None}).matrix == []
    assert parsed({name: value for name, value in ODD.items() if name != "matrix"}).matrix == []


def test_an_instant_without_an_offset_is_utc() -> None:
    assert parsed(ODD | {"when": "2026-11-02t09:30:00"}).when == dt.datetime(
        2026, 11, 2, 9, 30, tzinfo=dt.UTC
    )


@pytest.mark.parametrize(
    ("change", "pointer", "message"),
    [
        ({"must": 5}, "/must", "expected a string, found a number"),
        ({"when": "yesterday"}, "/when", "expected an RFC 3339 instant, found 'yesterday'"),
        (
            {"when": "2026-13-02T09:30:00Z"},
            "/when",
            "expected an RFC 3339 instant, found '2026-13-02T09:30:00Z'",
        ),
        ({"when": 0}, "/when", "expected an RFC 3339 instant, found a number"),
        ({"matrix": [[1], [2, "x"]]}, "/matrix/1/1", "expected a number, found a string"),
        ({"matrix": "x"}, "/matrix", "expected an array, found a string"),
        ({"dict": {"a/b": True}}, "/dict/a~1b", "expected a whole number, found a boolean"),
        ({"lists": {"x": [{}]}}, "/lists/x/0/a~1b", "is required and missing"),
        (
            {"tree": {"name": "x", "children": [{"name": []}]}},
            "/tree/children/0/name",
            "expected a string, found an array",
        ),
        ({"id": "no"}, "/id", "expected a UUID, found 'no'"),
        ({"date": "2026-02-30"}, "/date", "expected a date, found '2026-02-30'"),
        ({"choice": {}}, "/choice", "expected a string, found an object"),
        ({"value": 0}, "/value", "expected a boolean, found a number"),
        ({"found": None, "list": [1]}, "/list/0", "expected a string, found a number"),
        ({"größe": 1.5}, "/größe", "expected a whole number, found a number"),
    ],
)
def test_what_does_not_fit_is_named_by_its_place(
    unexpected: type[Exception], change: dict[str, Any], pointer: str, message: str
) -> None:
    with pytest.raises(unexpected) as caught:
        parsed(ODD | change)
    assert (caught.value.pointer, caught.value.message) == (pointer, message)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html><h1>502</h1>",
        b'{"class":',
        b"\xff\xfe\x00",
        b"[]",
        b"null",
        b"1",
        b"[" * 100_000,
        b'"\\ud800',
        b"NaN",
    ],
)
def test_any_body_that_is_not_ours_is_one_kind_of_error(unexpected: type[Exception], content: bytes) -> None:
    with pytest.raises(unexpected):
        operation("list").parse(200, {}, content)


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b'{"detail": "x"}', b'{"code": 1, "message": "x"}', b"\xff"]
)
def test_a_foreign_error_body_is_no_error_of_its_own(generated: Generated, content: bytes) -> None:
    assert generated.module("stress_client.envelope").parse_error(content) is None


def test_the_error_envelope_is_read(generated: Generated) -> None:
    error = generated.module("stress_client.envelope").parse_error(
        b'{"code": "A::B", "message": "m", "more": 1}'
    )
    assert (error.code, error.message, error.additional_properties) == ("A::B", "m", {"more": 1})


def test_a_request_keeps_absent_and_null_apart(models: Any) -> None:
    sent = models.Sent(size="1", expires=None)
    assert sent.to_dict() == {"size": "1", "expires": None}
    assert models.Sent(size="1").to_dict() == {"size": "1"}
    assert models.Sent.from_dict({"size": "1", "expires": None}) == sent
    assert models.Sent.from_dict({"size": "1"}).expires is models.UNSET


def test_a_misspelt_field_is_refused(models: Any, unexpected: type[Exception]) -> None:
    with pytest.raises(TypeError, match="sice"):
        models.Sent(size="1", sice="2")
    with pytest.raises(TypeError):
        models.Sent("1")
    with pytest.raises(unexpected, match="/sice: is not a field of Sent"):
        models.Sent.from_dict({"size": "1", "sice": "2"})
    with pytest.raises(AttributeError):
        models.Sent(size="1").sice = "2"


def test_secrets_are_not_printed(models: Any) -> None:
    sent = models.Sent(size="1", password="hunter2")
    assert "hunter2" not in repr(sent)
    assert "password='***'" in repr(sent)
    assert "password=UNSET" in repr(models.Sent(size="1"))
    odd = parsed(ODD | {"secret": "hunter2", "secretTwo": "hunter3"})
    assert "hunter" not in repr(odd)


def test_instants_are_sent_with_their_offset(models: Any) -> None:
    def sent(at: dt.datetime) -> Any:
        return models.Sent(size="1", at=at).to_dict()["at"]

    zone = dt.timezone(dt.timedelta(hours=5, minutes=30))
    assert sent(dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)) == "2026-01-02T03:04:05Z"
    assert sent(dt.datetime(2026, 1, 2, 3, 4, 5, 600, tzinfo=zone)) == "2026-01-02T03:04:05.000600+05:30"
    with pytest.raises(ValueError, match="has no time zone"):
        sent(dt.datetime(2026, 1, 2))  # noqa: DTZ001


def test_a_request_is_plain_data(models: Any) -> None:
    request = operation("import_").build(item_id="a/b c", class_="..", n_path=7, n_query=False, body=[[1.5]])
    assert (request.method, request.path) == ("PUT", "/things/a%2Fb%20c/parts/%2E%2E/7")
    assert request.query == (("n", "false"),)
    assert request.content == b"[[1.5]]"
    assert request.headers == {"Accept": "application/json", "Content-Type": "application/merge-patch+json"}
    assert request.operation.operation_id == "import"


def test_parameters_become_text() -> None:
    trace = str(uuid.uuid4())
    request = operation("list").build(
        x_trace_id=trace,
        id="x",
        from_=-3,
        class_=[True, False],
        dotted_name=1.5,
        größe="é&",
        query="q",
        x_depth=2,
    )
    assert request.query == (
        ("id", "x"),
        ("from", "-3"),
        ("class", "true"),
        ("class", "false"),
        ("dotted.name[]", "1.5"),
        ("größe", "é&"),
        ("query", "q"),
    )
    assert request.headers == {"Accept": "application/json", "X-Trace-ID": trace, "X-Depth": "2"}
    assert request.content is None


def test_an_absent_optional_body_is_not_sent() -> None:
    module = operation("n2nd_op")
    assert (module.build().content, "Content-Type" in module.build().headers) == (None, False)
    assert module.build(body={"a": None, "b": "ü"}).content == '{"a":null,"b":"ü"}'.encode()
    assert module.parse(200, {}, b'{"x": {"name": "n"}}')["x"].name == "n"


def test_text_is_decoded_by_its_charset() -> None:
    parse = operation("get_http_thing2").parse
    assert parse(200, {"content-type": "text/plain; charset=latin-1"}, b"\xe9") == "é"
    assert parse(200, {}, b"\xe9") == "\ufffd"
    assert parse(200, {"Content-Type": "text/plain; charset=no-such"}, b"ok") == "ok"


def test_the_operation_table(generated: Generated) -> None:
    table = generated.module("stress_client.table").OPERATIONS
    assert list(table) == ["list", "import", "getHTTPThing2", "2nd-op", "sendOdd"]
    put, post = table["import"], table["sendOdd"]
    assert (put.idempotent, put.safe, put.authenticated, put.statuses) == (True, False, True, (201,))
    assert (post.idempotent, post.idempotency_key, post.statuses) == (False, False, (204,))
    assert (table["list"].safe, table["list"].authenticated) == (True, False)


def test_texts_of_the_specification_survive_as_docstrings(models: Any) -> None:
    assert models.Odd.__doc__ == 'Says """hello""" \\ and ends in a quote "'
