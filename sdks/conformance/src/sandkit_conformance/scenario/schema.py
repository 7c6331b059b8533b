"""Holds data against the suite's own JSON Schemas, and words what is wrong so that it can be mended."""

from __future__ import annotations

import copy
import difflib
import functools
import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from sandkit_conformance.failures import Problem
from sandkit_conformance.scenario.document import Document, Path


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """A schema of this distribution by its name: scenario, target, baseline or report."""
    text = (resources.files("sandkit_conformance") / "data" / f"{name}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@functools.cache
def validator(name: str) -> Draft202012Validator:
    """A validator for a whole file of that kind."""
    return Draft202012Validator(load_schema(name))


@functools.cache
def scenario_frame() -> Draft202012Validator:
    """The scenario schema with the steps left open: each is held against its own verb's part instead."""
    schema = copy.deepcopy(load_schema("scenario"))
    schema["$defs"]["step"] = {"type": "object"}
    return Draft202012Validator(schema)


@functools.cache
def verb_validator(verb: str) -> Draft202012Validator:
    """The part of the scenario schema for one verb."""
    schema = copy.deepcopy(load_schema("scenario"))
    schema["$defs"]["step"] = {"type": "object"}
    return Draft202012Validator({"$defs": schema["$defs"], "$ref": f"#/$defs/{verb}"})


def problems(
    document: Document, check: Draft202012Validator, data: Any, base: Path = ()
) -> Iterator[Problem]:
    """What is wrong with `data`, which stands at `base` in the document."""
    for error in check.iter_errors(data):
        closest = _closest(error)
        path: Path = (*base, *closest.absolute_path)
        extra = _unexpected_keys(closest)
        if extra:
            path = (*path, extra[0])
        yield Problem(document.position(path), f"{_where(path)}{_words(closest, extra)}")


def _closest(error: ValidationError) -> ValidationError:
    """Follow a failed `oneOf` to the alternative that came nearest, by type first and then by depth."""
    while error.context:
        same_type = [
            inner for inner in error.context if inner.validator != "type" or len(inner.relative_path) > 0
        ]
        candidates = same_type or error.context
        error = max(
            candidates,
            key=lambda inner: (len(inner.relative_path), inner.validator == "additionalProperties"),
        )
    return error


def _where(path: Path) -> str:
    inner = [str(part) for part in path if not isinstance(part, int)]
    return f"`{inner[-1]}`: " if inner else ""


def _unexpected_keys(error: ValidationError) -> list[str]:
    if error.validator != "additionalProperties" or not isinstance(error.instance, dict):
        return []
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    return [key for key in error.instance if key not in known]


def _words(error: ValidationError, extra: list[str]) -> str:
    if extra and isinstance(error.schema, dict):
        known = list(error.schema.get("properties", {}))
        near = difflib.get_close_matches(extra[0], known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
        return f"not known here; {hint}"
    if error.validator == "required":
        return f"{error.message}; add it"
    if error.validator == "enum":
        return f"{error.instance!r} is none of {', '.join(str(option) for option in _options(error))}"
    if error.validator == "pattern":
        description = error.schema.get("description", "") if isinstance(error.schema, dict) else ""
        return f"{error.instance!r} has the wrong form; {description or error.validator_value}"
    if error.validator == "dependentRequired":
        return "a check must say what it expects; add `expect`"
    return error.message


def _options(error: ValidationError) -> list[Any]:
    return error.validator_value if isinstance(error.validator_value, list) else []
