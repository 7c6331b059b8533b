"""The lines of the protocol: what goes to a driver, what cannot, and which answers are none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.protocol import (
    Address,
    DriverError,
    call_line,
    encode,
    hello,
    read_answer,
    why_raw,
)
from sandkit_conformance.drivers.sameness import same_json
from sandkit_conformance.scenario.schema import load_schema

KEY = "the-key-of-the-target"
JSON = ("Content-Type", "application/json")
RESULT = {"type": "result", "id": 1, "status": 200, "headers": [], "code": None, "requestId": None}


def call(*headers: tuple[str, str], content: bytes | None = None, **changes: Any) -> Call:
    fields: dict[str, Any] = {"operation": "getSandbox", "parameters": {"sandboxId": "a"}, **changes}
    return Call("GET", "/v1/sandboxes/a", 2.0, headers=headers, content=content, **fields)


def test_every_line_to_a_driver_follows_the_published_schema() -> None:
    check = Draft202012Validator(load_schema("driver"))
    whole = call(
        (API_KEY_HEADER, KEY),
        ("Idempotency-Key", "k"),
        ("X-Request-ID", "r"),
        JSON,
        content=b'{"a": null}',
        query=(("state", "Running"), ("state", "Paused")),
    )
    lines = [hello(Address("http://localhost:1", None)), call_line(7, whole)]
    lines += [{"type": "cancel", "id": 7}, {"type": "bye"}]
    assert [error.message for line in lines for error in check.iter_errors(line)] == []
    assert lines[1]["body"] == {"a": None}
    assert (lines[1]["idempotencyKey"], lines[1]["requestId"]) == ("k", "r")
    assert "body" not in call_line(8, call())
    assert encode(lines[1]).count(b"\n") == 1


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (call((API_KEY_HEADER, KEY)), None),
        (call((API_KEY_HEADER, KEY), JSON, content=b'{"a": 1}'), None),
        (call((API_KEY_HEADER, KEY), ("X-Request-ID", "r")), None),
        (call((API_KEY_HEADER, KEY), operation=None), "a request outside the operations"),
        (call(), "another key, or with none"),
        (call((API_KEY_HEADER, "wrong")), "another key, or with none"),
        (call((API_KEY_HEADER, KEY), ("X-Other", "1")), "the header x-other"),
        (call((API_KEY_HEADER, KEY), ("x-request-id", "1"), ("X-Request-ID", "2")), "stands there twice"),
        (call((API_KEY_HEADER, KEY), ("Content-Type", "text/plain"), content=b"{}"), "sent as text/plain"),
        (call((API_KEY_HEADER, KEY), content=b"{}"), "sent as None"),
        (call((API_KEY_HEADER, KEY), JSON), "sent as application/json"),
        (call((API_KEY_HEADER, KEY), JSON, content=b'{"a": 1, "a": 2}'), "not proper JSON"),
        (call((API_KEY_HEADER, KEY), JSON, content=b"\xff\xfe"), "not proper JSON"),
        (call((API_KEY_HEADER, KEY), JSON, content=b'{"a": NaN}'), "not proper JSON"),
        (call((API_KEY_HEADER, KEY), JSON, content=b"[" * 100_000), "not proper JSON"),
    ],
)
def test_what_a_client_library_cannot_send_takes_raw_http(sent: Call, reason: str | None) -> None:
    found = why_raw(sent, KEY, needs_key=True)
    assert found is None if reason is None else reason in (found or "")


def test_an_operation_without_a_key_may_be_called_without_one() -> None:
    assert why_raw(call(), KEY, needs_key=False) is None


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"hello", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[1]", "none of hello, result, error"),
        (b'{"type": "answer"}', "none of hello, result, error"),
        (json.dumps({**RESULT, "status": "200"}).encode(), "/status"),
        (json.dumps({**RESULT, "status": 99}).encode(), "/status"),
        (json.dumps({**RESULT, "id": "1"}).encode(), "/id"),
        (json.dumps({**RESULT, "headers": [["a"]]}).encode(), "/headers/0"),
        (json.dumps({**RESULT, "body": 1, "text": "1"}).encode(), "breaks the protocol"),
        (json.dumps({"type": "result", "id": 1}).encode(), "required"),
        (b'{"type": "error", "id": 1, "kind": "oops", "message": ""}', "/kind"),
    ],
)
def test_an_answer_that_is_none_is_the_drivers_fault_and_says_where(line: bytes, problem: str) -> None:
    with pytest.raises(DriverError, match=problem):
        read_answer(line)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"a": "2030-01-01T00:00:00Z"}, {"a": "2030-01-01T01:00:00.000+01:00"}, True),
        ({"a": "2030-01-01T00:00:00Z"}, {"a": "2030-01-01T00:00:01Z"}, False),
        ("2030-01-01", "2030-01-01T00:00:00", False),
        ([1], [1.0], False),
        ([1], [True], False),
        ({"a": None}, {}, False),
        ([1, 2], [2, 1], False),
        ("a", "b", False),
    ],
)
def test_only_the_spelling_of_instants_may_differ(one: Any, other: Any, same: bool) -> None:
    assert same_json(one, other) is same
