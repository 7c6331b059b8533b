"""Puts the pages of the docs target together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandkit_codegen.rendering import Renderer
from sandkit_codegen.source import Source
from sandkit_codegen.targets.docs.diagram import state_diagram
from sandkit_codegen.targets.docs.examples import example_views
from sandkit_codegen.targets.docs.markdown import code_anchor, in_cell, in_code, in_text, linker
from sandkit_codegen.targets.docs.schemas import schema_views

_TEMPLATES = Path(__file__).parent / "templates"
_PARTICULAR = 7
_PAGES = ("operations", "states", "errors", "requirements")


def render_docs(source: Source) -> dict[str, str]:
    """The pages by their names."""
    renderer = Renderer(_TEMPLATES)
    links = linker({error.code for error in source.errors})
    renderer.add_filters(anchor=code_anchor, cell=in_cell, code=in_code, text=in_text, codes=links)
    context = {
        "api": source.api,
        "examples": example_views(source.openapi),
        "schemas": schema_views(source.openapi),
        "machines": tuple(source.states.values()),
        "diagrams": {machine.resource: state_diagram(machine) for machine in source.states.values()},
        "errors": source.errors,
        "errors_by_area": _errors_by_area(source),
        "given_by": _given_by(source),
        "particular": _PARTICULAR,
        "areas": source.specs.areas,
        "cited_by": _cited_by(source),
    }
    return {f"{name}.md": renderer.render(f"{name}.md.jinja", **context) for name in _PAGES}


def _errors_by_area(source: Source) -> Mapping[str, list[object]]:
    areas: dict[str, list[object]] = {}
    for error in source.errors:
        areas.setdefault(error.code.partition("::")[0], []).append(error)
    return areas


def _given_by(source: Source) -> Mapping[str, list[str]]:
    """Which operations answer a code."""
    found: dict[str, list[str]] = {error.code: [] for error in source.errors}
    for operation in source.api.operations:
        for code in operation.error_codes:
            found.setdefault(code, []).append(operation.operation_id)
    return found


def _cited_by(source: Source) -> Mapping[str, list[str]]:
    """Which requirements speak of an operation in particular; those of nearly every exchange are left out."""
    found: dict[str, list[str]] = {operation.operation_id: [] for operation in source.api.operations}
    for requirement in source.specs.requirements:
        if len(requirement.operation) <= _PARTICULAR:
            for operation_id in requirement.operation:
                found.setdefault(operation_id, []).append(requirement.id)
    return found
