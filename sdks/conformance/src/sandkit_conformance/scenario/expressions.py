"""Expressions: `${sandbox.id}`, `${unique('data')}`, `${instant(3600)}`, `${repeat('a', 300)}`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.failures import UnresolvedError
from sandkit_conformance.scenario.paths import NOTHING, PathError, parse_path, select

FUNCTIONS: Final = ("unique", "instant", "repeat", "bytes")
_EXPRESSION: Final = re.compile(r"\$\{([^{}]*)\}")
_CALL: Final = re.compile(r"^([a-z]+)\((.*)\)$", re.DOTALL)
_ARGUMENT: Final = re.compile(
    r"""\s*(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"|(?P<number>-?\d+(?:\.\d+)?)|(?P<path>[A-Za-z][^,\s]*))\s*(?:,|$)"""
)


class ExpressionError(ValueError):
    """The text between `${` and `}` is not an expression of this format."""


@frozen
class Scope:
    """Where expressions find their values: variables by name, and the closed set of functions."""

    variables: Mapping[str, Any]
    functions: Mapping[str, Callable[..., Any]]

    def evaluate(self, expression: str) -> Any:
        """The value of one expression, without its `${}`.

        Raises:
            UnresolvedError: the variable, or the part of it, is not there.
        """
        called = _CALL.match(expression)
        if called:
            arguments = (self._value_of(argument) for argument in _arguments(called[2]))
            return self.functions[called[1]](*arguments)
        return self._variable(expression)

    def _value_of(self, argument: Any) -> Any:
        return self._variable(argument.path) if isinstance(argument, _Reference) else argument

    def _variable(self, expression: str) -> Any:
        name = root_name(expression)
        if name not in self.variables:
            raise UnresolvedError(
                f"${{{expression}}}: `{name}` was never set, because the step that sets it did not run"
            )
        value = select(self.variables, expression)
        if value is NOTHING:
            raise UnresolvedError(f"${{{expression}}}: there is no such part in `{name}`")
        return value

    def resolve(self, value: Any) -> Any:
        """`value` with its expressions replaced; a string that is one expression keeps the value's type."""
        if isinstance(value, str):
            return self._resolve_text(value)
        if isinstance(value, dict):
            return {self._key(key): self.resolve(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self.resolve(part) for part in value]
        return value

    def _key(self, key: str) -> str:
        return str(self._resolve_text(key)) if "${" in key else key

    def _resolve_text(self, text: str) -> Any:
        if "${" not in text:
            return text
        whole = _EXPRESSION.fullmatch(text)
        if whole:
            return self.evaluate(whole[1].strip())
        return _EXPRESSION.sub(lambda found: str(self.evaluate(found[1].strip())), text)


@frozen
class _Reference:
    """An argument that is a variable, such as `case.seconds`."""

    path: str


def _arguments(text: str) -> list[Any]:
    arguments: list[Any] = []
    at = 0
    while at < len(text):
        found = _ARGUMENT.match(text, at)
        if not found:
            raise ExpressionError(
                f"cannot read the arguments ({text}); write quoted texts, numbers and variables"
            )
        arguments.append(_argument(found))
        at = found.end()
    return arguments


def _argument(found: re.Match[str]) -> Any:
    if found["path"] is not None:
        return _Reference(found["path"])
    if found["number"] is not None:
        return float(found["number"]) if "." in found["number"] else int(found["number"])
    return found["single"] if found["single"] is not None else found["double"]


def root_name(expression: str) -> str:
    """The variable an expression starts from: `sandbox` in `sandbox.volumes[0]`."""
    return re.split(r"[.\[]", expression, maxsplit=1)[0]


def expressions_in(value: Any) -> Iterator[str]:
    """Every expression inside a value, without its `${}`."""
    texts: list[str] = []
    _collect(value, texts)
    for text in texts:
        for found in _EXPRESSION.finditer(text):
            yield found[1].strip()


def _collect(value: Any, texts: list[str]) -> None:
    """The texts with expressions in them, in the order they are written."""
    if isinstance(value, str):
        if "${" in value:
            texts.append(value)
    elif isinstance(value, dict):
        for key, part in value.items():
            _collect(key, texts)
            _collect(part, texts)
    elif isinstance(value, list):
        for part in value:
            _collect(part, texts)


def variables_in(value: Any) -> Iterator[str]:
    """The variables a value needs.

    Raises:
        ExpressionError: an expression is malformed or calls an unknown function.
    """
    for expression in expressions_in(value):
        called = _CALL.match(expression)
        if called:
            if called[1] not in FUNCTIONS:
                raise ExpressionError(
                    f"${{{expression}}}: there is no function `{called[1]}`; there are {', '.join(FUNCTIONS)}"
                )
            yield from (root_name(one.path) for one in _arguments(called[2]) if isinstance(one, _Reference))
            continue
        try:
            parse_path(expression)
        except PathError as error:
            raise ExpressionError(f"${{{expression}}}: {error}") from error
        yield root_name(expression)


def fill_case(value: Any, case: Mapping[str, Any]) -> Any:
    """`value` with every `${case.field}` replaced by the case's field; other expressions stay for later.

    A field that the case lacks stays as it is written, for the loader to complain about.
    """
    if isinstance(value, str):
        if "${" not in value:
            return value
        whole = _EXPRESSION.fullmatch(value)
        if whole and whole[1].strip().startswith("case."):
            found = select({"case": case}, whole[1].strip())
            return value if found is NOTHING else found
        return _EXPRESSION.sub(lambda found: _filled(found, case), value)
    if isinstance(value, dict):
        return {
            str(fill_case(key, case)): fill_case(part, case) for key, part in value.items() if key != "cases"
        }
    if isinstance(value, list):
        return [fill_case(part, case) for part in value]
    return value


def _filled(found: re.Match[str], case: Mapping[str, Any]) -> str:
    expression = found[1].strip()
    value = select({"case": case}, expression) if expression.startswith("case.") else NOTHING
    return found[0] if value is NOTHING else str(value)
