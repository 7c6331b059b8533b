from __future__ import annotations

import pytest

from sandkit_conformance.failures import BadFileError
from sandkit_conformance.scenario.document import read_document


def test_words_that_look_like_something_else_stay_words() -> None:
    data = read_document("on: no\nwhen: 2026-01-01T00:00:00Z\n202: 1_000\nport: 08:10\n", "f").data
    assert data == {"on": "no", "when": "2026-01-01T00:00:00Z", "202": "1_000", "port": "08:10"}


def test_numbers_booleans_and_null_are_read() -> None:
    assert read_document("[1, -2, 1.5, true, false, null, ~]", "f").data == [
        1,
        -2,
        1.5,
        True,
        False,
        None,
        None,
    ]


def test_every_part_knows_its_line() -> None:
    document = read_document("a:\n  - x\n  - b: 1\n    c: 2\n", "f.yaml")
    assert str(document.position(("a", 1, "c"))) == "f.yaml:4"
    assert str(document.position(("a", 1, "missing", 0))) == "f.yaml:3"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3: `a` stands here twice"),
        ("a: !!python/object:os.system x\n", "f:1: tag .* is not allowed"),
        ("base: &b {x: 1}\nc:\n  <<: *b\n", "f:3: merge keys are not allowed"),
        ("a: {b: ${x.y}}\n", "f:1: .*quote"),
        ("a: [1\n", "f:2: "),
        ("a: b: c\n", "f:1: mapping values"),
        ("\x00", "f:1: "),
    ],
)
def test_what_cannot_be_read_is_said_with_its_line(text: str, message: str) -> None:
    with pytest.raises(BadFileError, match=message):
        read_document(text, "f")
