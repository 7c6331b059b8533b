"""The specs as JSON documents, without positions and comments; requirements with the digest of each."""

from __future__ import annotations

from sandkit_codegen.load import PlainValue, Requirement, plain, requirement_digest, spec_digest
from sandkit_codegen.rendering import NOTICE, json_text
from sandkit_codegen.source import Source

_PACKAGE = f"""# {NOTICE}
\"\"\"The specs as package data: openapi, states, errors and the catalogue of requirements.\"\"\"
"""


def render_conformance(source: Source) -> dict[str, str]:
    """catalogue.json, states.json, errors.json, openapi.json, and the module that makes them a package."""
    specs = source.specs
    return {
        "__init__.py": _PACKAGE,
        "catalogue.json": json_text({"specDigest": spec_digest(specs), "areas": _areas(source)}),
        "states.json": json_text(_document(plain(specs.states_document.root))),
        "errors.json": json_text(_document(plain(specs.errors_document.root))),
        "openapi.json": json_text(specs.openapi.bundled(), notice_key="x-generated"),
    }


def _areas(source: Source) -> list[PlainValue]:
    return [
        {
            "area": area.area,
            "title": area.title,
            "requirements": [_requirement(requirement) for requirement in area.requirements],
        }
        for area in source.specs.areas
    ]


def _requirement(requirement: Requirement) -> PlainValue:
    entry = {key: _stripped(value) for key, value in _document(plain(requirement.node)).items()}
    return {**entry, "digest": requirement_digest(requirement)}


def _stripped(value: PlainValue) -> PlainValue:
    """Folded paragraphs of YAML end with a line end that means nothing."""
    return value.strip() if isinstance(value, str) else value


def _document(value: PlainValue) -> dict[str, PlainValue]:
    if not isinstance(value, dict):
        raise TypeError("a mapping was expected; check the document against its schema first")
    return value
