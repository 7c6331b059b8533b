"""What is a JSON document and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.document import parse


def _nested(levels: int) -> list[Any]:
    document: list[Any] = []
    for _ in range(levels - 1):
        document = [document]
    return document


@pytest.mark.parametrize(
    ("body", "document"),
    [
        (b'{"a": [1, 2.5, true, null, "x"]}', {"a": [1, 2.5, True, None, "x"]}),
        ('"ä€😀"'.encode(), "ä€😀"),
        (rb'"\u00e4\ud83d\ude00\u0000"', "ä😀\x00"),
        (b" \n{} \t", {}),
        (b"12345678901234567890123", 12345678901234567890123),
        (b"[" * 100 + b"]" * 100, _nested(100)),
        (b"[" + b"[]," * 500 + b"[]]", [[]] * 501),
        (b'{"a": {"a": 1}, "b": {"a": 2}}', {"a": {"a": 1}, "b": {"a": 2}}),
    ],
)
def test_a_document_is_read(body: bytes, document: Any) -> None:
    assert parse(body) == document


@pytest.mark.parametrize(
    ("body", "trouble"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{", "at byte 1"),
        ('{"ä": }'.encode(), "at byte 7"),
        (b"{} {}", "at byte 3"),
        (b"{'a': 1}", "at byte 1"),
        (b'{"a": 1,}', "at byte"),
        (b'["\x01"]', "at byte"),
        (b"\xef\xbb\xbf{}", "at byte 0"),
        (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8 at byte 0"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (rb'{"a": "\ud800"}', "surrogate"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1, "a": 1}', "same name twice"),
        (b'[{"b": {"a": 1, "\\u0061": 2}}]', "same name twice"),
        (b"[" * 100_000, "deeper than 100 levels"),
        (b"[" * 101 + b"]" * 101, "deeper than 100 levels"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "deeper than 100 levels"),
        (b"1" * 5_000, "too many digits"),
        (b"01", "at byte 1"),
        (b"truth", "at byte 0"),
    ],
)
def test_anything_else_is_malformed(body: bytes, trouble: str) -> None:
    with pytest.raises(SandkitError, match=trouble) as refusal:
        parse(body)
    assert refusal.value.code is ErrorCode.REQUEST_MALFORMED_JSON


def test_a_refusal_never_quotes_the_text() -> None:
    with pytest.raises(SandkitError) as refusal:
        parse(b'{"password": "hunter2", "password": "hunter3"}')
    assert "hunter" not in str(refusal.value)
    assert "password" not in str(refusal.value)
