"""Patterns of the contract accept in Python exactly what they accept in JSON Schema."""

from __future__ import annotations

import re

import pytest

from sandkit_codegen.patterns import UntranslatablePatternError, python_pattern


@pytest.mark.parametrize(
    ("pattern", "accepted", "refused"),
    [
        (r"^\d+(\.\d+)?(Ki|Mi)?$", ["1", "10Gi"[:2], "1.5Mi"], ["1\n", "٣", "1.", "Ki", "1Kib"]),
        (r"^[\d-]+$", ["1-2"], ["1\n", "٣"]),
        (r"^\w+$", ["a_1"], ["é", "a\n", ""]),
        (r"^[\w.$-]+$", ["a.$-b"], ["é", "a b", "a\n"]),
        (r"^a.c$", ["abc", "aéc"], ["a\nc", "a\rc", "a\u2028c", "abc\n"]),
        (r"^/.*", ["/", "/x", "/x\n"], ["x", ""]),
        (r"^[^$]$", ["a"], ["$", "ab"]),
        (r"^\$\.$", ["$."], ["$x", "."]),
        (r"^[[]$", ["["], ["]", "[]"]),
        (r"^(/|[A-Za-z]:[\\/])", ["/x", "C:\\", "c:/"], ["x", "C:x"]),
        (r"^\D\W$", ["a-", "٣é"], ["1-", "ab"]),
        (r"^[\x21-\x7e]+$", ["!~"], [" ", "\x7f", "!\n"]),
    ],
)
def test_translation(pattern: str, accepted: list[str], refused: list[str]) -> None:
    compiled = re.compile(python_pattern(pattern))
    assert [text for text in accepted if compiled.search(text) is None] == []
    assert [text for text in refused if compiled.search(text) is not None] == []


@pytest.mark.parametrize("pattern", [r"\p{L}", r"(?<x>a)\k<x>", r"[\D]", r"[\W]", r"\cJ"])
def test_what_has_no_counterpart_is_refused(pattern: str) -> None:
    with pytest.raises(UntranslatablePatternError, match="not supported"):
        python_pattern(pattern)
