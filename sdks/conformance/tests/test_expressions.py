from __future__ import annotations

import pytest

from sandkit_conformance.failures import UnresolvedError
from sandkit_conformance.scenario.expressions import ExpressionError, Scope, fill_case, variables_in

SCOPE = Scope(
    {"sandbox": {"id": "sbx-1", "n": 3, "tags": ["x"]}},
    {"repeat": lambda text, count: text * count, "unique": lambda text: f"u-{text}"},
)


def test_a_string_that_is_one_expression_keeps_the_type() -> None:
    assert SCOPE.resolve("${sandbox.n}") == 3
    assert SCOPE.resolve("${ sandbox.tags }") == ["x"]


def test_expressions_inside_a_text_become_text() -> None:
    assert SCOPE.resolve("id=${sandbox.id}/${sandbox.n}") == "id=sbx-1/3"


def test_expressions_are_found_at_any_depth_also_in_keys() -> None:
    assert SCOPE.resolve({"${sandbox.id}": [{"x": "${sandbox.n}"}], "plain": None}) == {
        "sbx-1": [{"x": 3}],
        "plain": None,
    }


def test_functions_take_texts_numbers_and_variables() -> None:
    assert SCOPE.resolve("${repeat('ab', 2)}") == "abab"
    assert SCOPE.resolve('${repeat("a", sandbox.n)}') == "aaa"


def test_a_variable_that_was_never_set_is_named() -> None:
    with pytest.raises(UnresolvedError, match="`snapshot` was never set"):
        SCOPE.resolve("${snapshot.id}")


def test_a_part_that_is_not_there_is_named() -> None:
    with pytest.raises(UnresolvedError, match="no such part in `sandbox`"):
        SCOPE.resolve("${sandbox.status.state}")


def test_variables_are_known_before_a_run() -> None:
    assert list(variables_in({"a": "${x.y} ${z}", "b": ["${unique('q')}", "${repeat('a', n.m)}"]})) == [
        "x",
        "z",
        "n",
    ]


@pytest.mark.parametrize("text", ["${nope('x')}", "${repeat(,)}", "${a..b}", "${a b}"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        list(variables_in(text))


def test_a_case_is_filled_in_with_its_types_and_the_rest_stays() -> None:
    case = {"name": "one", "count": 2, "body": {"x": "${unique('c')}"}}
    filled = fill_case(
        {"n": "${case.count}", "t": "is ${case.name}: ${sandbox.id}", "b": "${case.body}"}, case
    )
    assert filled == {"n": 2, "t": "is one: ${sandbox.id}", "b": {"x": "${unique('c')}"}}
