"""Holds data against the suite's own JSON Schemas, and words what is wrong so that it can be mended."""

from __future__ import annotations

import difflib
import functools
import json
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import Any

from jsonschema_rs import ValidationError, ValidationErrorKind

from sandkit_conformance.failures import Problem
from sandkit_conformance.scenario.document import Document, Path
from sandkit_conformance.scenario.json_schema import Check, closest


@functools.cache
def load_schema(name: str) -> dict[str, Any]:
    """A schema of this distribution by its name: scenario, target, baseline or report."""
    text = (resources.files("sandkit_conformance") / "data" / f"{name}.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


@functools.cache
def whole(name: str) -> Check:
    """The check of a whole file of that kind."""
    return Check(load_schema(name))


@functools.cache
def part_of(name: str, definition: str) -> Check:
    """The check of one definition of a schema."""
    return Check({"$defs": load_schema(name)["$defs"], "$ref": f"#/$defs/{definition}"})


@functools.cache
def scenario_frame() -> Check:
    """The scenario schema with the steps left open: each is held against its own verb's part instead."""
    return Check({**load_schema("scenario"), "$defs": _open_steps()})


@functools.cache
def verb_check(verb: str) -> Check:
    """The part of the scenario schema for one verb."""
    return Check({"$defs": _open_steps(), "$ref": f"#/$defs/{verb}"})


def _open_steps() -> dict[str, Any]:
    return {**load_schema("scenario")["$defs"], "step": {"type": "object"}}


def problems(document: Document, check: Check, data: Any, base: Path = ()) -> Iterator[Problem]:
    """What is wrong with `data`, which stands at `base` in the document."""
    for error in check.errors(data):
        inner = closest(error)
        path: Path = (*base, *inner.instance_path)
        if isinstance(inner.kind, ValidationErrorKind.AdditionalProperties):
            path = (*path, inner.kind.unexpected[0])
        yield Problem(document.position(path), f"{_where(path)}{_words(inner, check.around(inner))}")


def _where(path: Path) -> str:
    inner = [str(part) for part in path if not isinstance(part, int)]
    return f"`{inner[-1]}`: " if inner else ""


def _words(error: ValidationError, schema: Mapping[str, Any]) -> str:
    match error.kind:
        case ValidationErrorKind.AdditionalProperties(unexpected):
            known = list(schema.get("properties", {}))
            near = difflib.get_close_matches(unexpected[0], known, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known here: {', '.join(known)}"
            return f"not known here; {hint}"
        case ValidationErrorKind.Required() if error.schema_path[-1] == "dependentRequired":
            return "a check must say what it expects; add `expect`"
        case ValidationErrorKind.Required(name):
            return f"{name!r} is a required property; add it"
        case ValidationErrorKind.Enum(options):
            return f"{error.instance!r} is none of {', '.join(str(option) for option in options)}"
        case ValidationErrorKind.Pattern(pattern):
            return f"{error.instance!r} has the wrong form; {schema.get('description', '') or pattern}"
    return error.message
