"""The generated server code at work on the stress specification."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from .conftest import Generated

TRACE = {"x-trace-id": "t"}
ODD = {"class": "c", "must": None, "when": "2026-11-02T10:30:00+01:00", "kind": "a", "matrix": [[1]]}


class Service:
    """Answers every operation with what was prepared, and keeps what it was called with."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.called: tuple[str, tuple[Any, ...], dict[str, Any]] = ("", (), {})

    def __getattr__(self, name: str) -> Any:
        async def method(*arguments: Any, **named: Any) -> Any:
            self.called = (name, arguments, named)
            return self.answer

        return method


@pytest.fixture(scope="module")
def models(generated: Generated) -> Any:
    return generated.module("stress_server.models")


@pytest.fixture(scope="module")
def exchange(generated: Generated) -> Any:
    return generated.module("stress_server.exchange")


@pytest.fixture(scope="module")
def routes(generated: Generated) -> Any:
    return generated.module("stress_server.routes")


class Caller:
    """Sends requests to one generated package."""

    def __init__(self, routes: Any, exchange: Any) -> None:
        self.routes = {route.operation_id: route for route in routes.ROUTES}
        self.exchange = exchange

    async def call(
        self,
        operation_id: str,
        service: Service,
        *,
        path: Mapping[str, str] | None = None,
        query: tuple[tuple[str, str], ...] = (),
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Any:
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        inbound = self.exchange.Inbound(path or {}, query, headers or {}, content)
        return await self.routes[operation_id].invoke(service, "the context", inbound)


@pytest.fixture
def caller(routes: Any, exchange: Any) -> Caller:
    return Caller(routes, exchange)


async def test_parameters_arrive_typed_under_their_names(caller: Caller, models: Any) -> None:
    service = Service(msgspec.json.decode(json.dumps(ODD), type=models.Odd))
    query = (
        ("from", "-3"),
        ("class", "true"),
        ("class", "false"),
        ("dotted.name[]", "1.5"),
        ("größe", "éé"),
        ("new", "1"),
    )
    answer = await caller.call("list", service, query=query, headers=TRACE)
    name, arguments, named = service.called
    assert (name, arguments) == ("list", ("the context",))
    assert (named["from_"], named["class_"], named["dotted_name"], named["größe"]) == (
        -3,
        (True, False),
        1.5,
        "éé",
    )
    assert (named["id_"], named["query_"], named["x_depth"], named["context_"]) == (None, "x\"y'z\\", 0, None)
    assert (answer.status, answer.media_type) == (200, "application/json")
    assert json.loads(answer.content) == {**ODD, "when": "2026-11-02T10:30:00+01:00"}


@pytest.mark.parametrize(
    ("query", "headers", "expected"),
    [
        ([("from", "4")], TRACE, [("query:from", "maximum", "Must be at most 3.")]),
        ([("from", "-4")], TRACE, [("query:from", "minimum", "Must be at least -3.")]),
        ([("from", "1.0")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", "٣")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", "03")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", "+3")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", " 3")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", "3\n")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        ([("from", "9" * 5000)], TRACE, [("query:from", "maximum", "Must be at most 3.")]),
        ([("from", "")], TRACE, [("query:from", "type", "Must be a whole number.")]),
        (
            [("from", "1"), ("from", "1")],
            TRACE,
            [("query:from", "repeated", "This parameter may be given once only.")],
        ),
        (
            [("any", "9223372036854775808")],
            TRACE,
            [("query:any", "maximum", "Must be at most 9223372036854775807.")],
        ),
        (
            [("any", "-9" + "9" * 40)],
            TRACE,
            [("query:any", "minimum", "Must be at least -9223372036854775808.")],
        ),
        ([("class", "True")], TRACE, [("query:class", "type", "Must be true or false.")]),
        ([("dotted.name[]", "nan")], TRACE, [("query:dotted.name[]", "type", "Must be a number.")]),
        ([("größe", "abc")], TRACE, [("query:größe", "maxLength", "Must have at most 2 characters.")]),
        ([], {}, [("header:X-Trace-ID", "required", "This parameter is required.")]),
        (
            [],
            TRACE | {"x-depth": "2147483648"},
            [("header:X-Depth", "maximum", "Must be at most 2147483647.")],
        ),
        (
            [("from", "x"), ("class", "true"), ("class", "0")],
            {"x-depth": "-"},
            [
                ("query:from", "type", "Must be a whole number."),
                ("query:class", "type", "Must be true or false."),
                ("header:X-Trace-ID", "required", "This parameter is required."),
                ("header:X-Depth", "type", "Must be a whole number."),
            ],
        ),
    ],
)
async def test_every_parameter_at_fault_is_named(
    caller: Caller,
    exchange: Any,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    expected: list[tuple[str, str, str]],
) -> None:
    service = Service()
    with pytest.raises(exchange.InvalidParameters) as caught:
        await caller.call("list", service, query=tuple(query), headers=headers)
    assert [(each.pointer, each.rule, each.message) for each in caught.value.violations] == expected
    assert {each.code for each in caught.value.violations} == {"REQUEST::INVALID_PARAMETER"}
    assert service.called[0] == ""


async def test_path_parameters_by_place_and_code(
    caller: Caller, exchange: Any, models: Any, generated: Generated
) -> None:
    created = generated.module("stress_server.api").Created(models.Tree(name="n"), "/things/1")
    service = Service(created)
    path = {"item-id": "é"[:0] + "x", "class": "c", "n": "7"}
    answer = await caller.call("import", service, path=path, query=(("n", "false"),), body=[[1, 2.5], []])
    assert service.called == ("import_", ("the context", "x", "c", 7, [[1.0, 2.5], []]), {"query_n": False})
    assert (answer.status, answer.headers) == (201, (("Location", "/things/1"),))
    assert json.loads(answer.content) == {"name": "n"}
    with pytest.raises(exchange.InvalidParameters) as caught:
        await caller.call("import", service, path={**path, "n": "x", "item-id": "é"}, body=[])
    assert [(each.pointer, each.rule, each.code) for each in caught.value.violations] == [
        ("path:item-id", "pattern", "REQUEST::INVALID_PARAMETER"),
        ("path:n", "type", "SANDBOX::INVALID_PORT"),
    ]
    assert caught.value.violations[0].message == r"Must match ^\w[^/]*$."


async def test_bodies_that_are_missing_or_optional(caller: Caller, exchange: Any) -> None:
    with pytest.raises(exchange.MissingBody):
        await caller.call("sendOdd", Service())
    service = Service({})
    answer = await caller.call("2nd-op", service)
    assert service.called == ("n2nd_op", ("the context", None), {})
    assert answer.content == b"{}"
    await caller.call("2nd-op", service, body={"a": None})
    assert service.called[1][1] == {"a": None}


async def test_answers_without_a_body_and_as_text(caller: Caller) -> None:
    sent = await caller.call("sendOdd", Service(), body={"size": "1"})
    assert (sent.status, sent.content, sent.media_type) == (204, b"", None)
    path = {"item-id": "x", "class": "c", "n": "1"}
    text = await caller.call("getHTTPThing2", Service("é"), path=path)
    assert (text.content, text.media_type) == ("é".encode(), "text/plain; charset=utf-8")


async def test_a_body_keeps_absent_null_and_default_apart(caller: Caller) -> None:
    service = Service()
    await caller.call("sendOdd", service, body={"size": "1", "expires": None, "unknown": 1})
    sent = service.called[1][1]
    assert (sent.expires, sent.at, sent.flag, sent.name) == (
        None,
        msgspec.UNSET,
        True,
        'it\'s "fine" \\ {here}',
    )


@pytest.mark.parametrize(
    "change",
    [
        {"size": "1\n"},
        {"size": "٣"},
        {"size": 1},
        {"size": None},
        {"line": "a\nc"},
        {"word": "é"},
        {"count": 0},
        {"count": True},
        {"count": "1"},
        {"count": 1.5},
        {"count": 10**30},
        {"ratio": 0},
        {"flag": "true"},
        {"flag": None},
        {"names": []},
        {"names": ["a", "b", "c"]},
        {"names": ["abcd"]},
        {"at": "2026-11-02T09:30:00"},
        {"at": 0},
        {"at": None},
        {"at": "2026-11-02"},
        {"expires": ""},
        {"note": "x"},
        {"parts": {"x": {"a/b": ""}}},
        {"shared": {}},
        {"shared": []},
    ],
)
async def test_bodies_against_the_schema_are_refused(caller: Caller, change: dict[str, Any]) -> None:
    service = Service()
    with pytest.raises(msgspec.ValidationError):
        await caller.call("sendOdd", service, body={"size": "1"} | change)
    assert service.called[0] == ""


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"{'size': 1}",
        b'{"size": "1"} x',
        b'{"size": "\xed\xa0\x80"}',
        b'{"more": ' + b"[" * 100_000,
        b'{"size": "1", "ratio": NaN}',
    ],
)
async def test_bodies_that_are_not_json_are_refused(caller: Caller, content: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        await caller.call("sendOdd", Service(), body=content)


def test_structs_take_keywords_only_and_do_not_change(models: Any) -> None:
    part = models.Part(a_b="x")
    with pytest.raises(TypeError):
        models.Part("x")
    with pytest.raises(TypeError):
        models.Part(a_b="x", misspelt=1)
    with pytest.raises(AttributeError):
        part.a_b = "y"


def test_odd_names_round_trip(models: Any) -> None:
    wire = ODD | {
        "from": None,
        "self": "s",
        "uuid": str(uuid.uuid4()),
        "date": "2026-02-28",
        "datetime": None,
        "UNSET": "u",
        "with-dash": "1",
        "with.dot": "2",
        "with space": "3",
        "2fast": "6",
        "日本": "7",
        "fooBar": "8",
        "foo_bar": "9",
        "field": "10",
        "lists": {"x": [{"a/b": "y", "c~d": None}]},
        "tree": {"name": "t", "children": [{"name": "u"}]},
        "choice": 3,
        "free": [None],
        "cube": [[[0]]],
    }
    odd = msgspec.json.decode(json.dumps(wire), type=models.Odd)
    assert odd.when == dt.datetime(2026, 11, 2, 9, 30, tzinfo=dt.UTC)
    assert json.loads(msgspec.json.encode(odd)) == wire


def test_secrets_are_not_printed(models: Any) -> None:
    sent = models.Sent(size="1", password="hunter2")
    assert "hunter2" not in repr(sent)
    assert "password='***'" in repr(sent)
    assert "password=UNSET" in repr(models.Sent(size="1"))


@pytest.mark.parametrize(
    ("operation_id", "pointer", "code"),
    [
        ("sendOdd", "/size", "VOLUME::INVALID_STORAGE"),
        ("sendOdd", "/names/0", "VOLUME::INVALID_NAME"),
        ("sendOdd", "/names", None),
        ("sendOdd", "/parts/any key/a~1b", "VOLUME::INVALID_SUB_PATH"),
        ("sendOdd", "/shared/a~1b", "VOLUME::INVALID_SUB_PATH"),
        ("sendOdd", "/shared/a~1bc", None),
        ("sendOdd", "", None),
        ("import", "path:n", "SANDBOX::INVALID_PORT"),
        ("import", "query:n", None),
        ("list", "query:from", None),
        ("noSuchOperation", "/x", None),
    ],
)
def test_the_code_of_a_field(routes: Any, operation_id: str, pointer: str, code: str | None) -> None:
    assert routes.field_code(operation_id, pointer) == code


def test_routes_are_data(routes: Any) -> None:
    by_id = {route.operation_id: route for route in routes.ROUTES}
    assert [route.operation_id for route in routes.ROUTES] == [
        "list",
        "import",
        "getHTTPThing2",
        "2nd-op",
        "sendOdd",
    ]
    assert (by_id["list"].authenticated, by_id["list"].statuses) == (False, (200, 520))
    assert by_id["getHTTPThing2"].authenticated
    assert by_id["2nd-op"].media_types == ("application/json", "application/merge-patch+json")
    assert (by_id["2nd-op"].body_required, by_id["import"].body_required, by_id["list"].media_types) == (
        False,
        True,
        (),
    )
    assert routes.API_VERSION == '0.0.1-"quoted"\\'
    assert routes.ROUTELESS_CODES == ("REQUEST::ROUTE_NOT_FOUND",)
