"""Text of the specs stays text, whatever it holds: no literal and no docstring ends early."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandkit_codegen.rendering import FormattingError, docstring, formatted, literal

TEXTS = st.text(
    st.sampled_from(list("ab'\"\\{}%\n\t\r\0\x7f \u2028é\U0001f600N"))
    | st.characters(exclude_categories=["Cs"])
)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_a_literal_reads_back(text: str) -> None:
    source = literal(text)
    assert ast.literal_eval(source) == text
    assert source.startswith('"')
    assert all(character.isprintable() for character in source)


@pytest.mark.parametrize("value", [None, True, 0, -1.5, (), ("a",), ("a", 'b"'), [1, None], {"k": ["v"]}])
def test_other_values_read_back(value: object) -> None:
    assert ast.literal_eval(literal(value)) == value


def test_what_has_no_literal_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no literal form"):
        literal(object())


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_a_docstring_ends_where_it_should(text: str) -> None:
    source = f"class A:\n    {docstring(text)}\n    after = 1\n"
    parsed = ast.parse(source).body[0]
    assert isinstance(parsed, ast.ClassDef)
    assert isinstance(parsed.body[-1], ast.Assign)
    found = ast.get_docstring(parsed, clean=False) or ""
    assert found.split() == text.split()


def test_long_paragraphs_are_wrapped_and_lists_are_not() -> None:
    wrapped = docstring("word " * 60 + "\n\n- an item\n- another")
    assert max(map(len, wrapped.splitlines())) <= 110
    assert "    - an item\n    - another\n" in wrapped


def test_text_that_is_not_python_is_refused_by_name() -> None:
    with pytest.raises(FormattingError, match=r"broken\.py"):
        formatted({"sound.py": "x = 1\n", "broken.py": "def (\n"})


def test_only_python_is_formatted() -> None:
    files = {"a.py": "import os\nx = {  'a':1}\n", "b.json": "{ }"}
    assert formatted(files) == {"a.py": 'x = {"a": 1}\n', "b.json": "{ }"}
