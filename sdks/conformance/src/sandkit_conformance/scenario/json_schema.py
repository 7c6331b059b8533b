"""JSON Schemas: what is wrong with a value, and where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from jsonschema_rs import Draft202012Validator, ValidationError, ValidationErrorKind

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.matchers import parse_instant

_FORMATS: Final = {"date-time": lambda text: parse_instant(text) is not None}
_ALTERNATIVES: Final = (
    ValidationErrorKind.AnyOf,
    ValidationErrorKind.OneOfMultipleValid,
    ValidationErrorKind.OneOfNotValid,
)


class TooDeepError(SuiteError):
    """The value is nested deeper than any schema here describes."""


class Check:
    """One schema, ready to be held against values."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._validator = Draft202012Validator(schema, formats=_FORMATS, validate_formats=True)

    def errors(self, value: Any) -> list[ValidationError]:
        """What is wrong with a value.

        Raises:
            TooDeepError: something is wrong with a part that is too large to be shown.
        """
        try:
            return list(self._validator.iter_errors(value))
        except UnicodeEncodeError:
            # JSON can write half a surrogate pair, and Rust's strings cannot hold it. No schema asks for more
            # than the number of characters there.
            text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
            return list(self._validator.iter_errors(json.loads(text)))
        except ValueError as error:
            raise TooDeepError(f"nested too deep to be judged: {error}") from None

    def around(self, error: ValidationError) -> Mapping[str, Any]:
        """The part of the schema whose keyword is broken."""
        part: Any = self._schema
        for step in error.schema_path[:-1]:
            part = part[step]
        return part if isinstance(part, Mapping) else {}


def pointer(error: ValidationError) -> str:
    """Where in the value an error is; empty for the whole."""
    return "".join(f"/{step}" for step in error.instance_path)


def closest(error: ValidationError) -> ValidationError:
    """Follow a failed `oneOf` to the alternative that came nearest, by type first and then by depth."""
    while inner := [one for branch in _branches(error) for one in branch]:
        above = len(error.instance_path)
        same_type = [one for one in inner if one.kind.name != "type" or len(one.instance_path) > above]
        error = max(
            same_type or inner,
            key=lambda one: (len(one.instance_path), one.kind.name == "additionalProperties"),
        )
    return error


def _branches(error: ValidationError) -> list[list[ValidationError]]:
    return error.kind.context if isinstance(error.kind, _ALTERNATIVES) else []
