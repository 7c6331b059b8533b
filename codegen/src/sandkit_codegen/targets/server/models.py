"""Wire models of the server: msgspec structs out of datamodel-code-generator.

The generator gets the schemas in a form it reads without loss: patterns in Python's spelling, instants as a
type of their own, descriptions and secrets beside the schemas for our template to place.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandkit_codegen.load import Finding, MapNode, Node, OpenApi, SpecError, plain, walk
from sandkit_codegen.patterns import UntranslatablePatternError, python_pattern
from sandkit_codegen.rendering import docstring
from sandkit_codegen.toolchain import MODELS, Toolchain
from sandkit_codegen.wire import description_of

_TEMPLATES = Path(__file__).parent / "templates" / "datamodel"
_INSTANT = "sandkit_placeholder.instants.Instant"
_OPTIONS = (
    "--input-file-type=openapi",
    "--openapi-scopes=schemas",
    "--output-model-type=msgspec.Struct",
    "--target-python-version=3.11",
    "--snake-case-field",
    "--use-annotated",
    "--field-constraints",
    "--keyword-only",
    "--strict-nullable",
    "--use-type-alias",
    "--use-standard-primitive-types",
    "--output-datetime-class=datetime",
    "--disable-timestamp",
    "--disable-warnings",
    "--formatters=builtin",
)


def render_models(api: OpenApi, package: str, toolchain: Toolchain) -> str:
    """The text of models.py without its notice.

    Raises SpecError for a pattern with no counterpart in Python, ToolchainError when the generator fails.
    """
    document = _prepared(api)
    with tempfile.TemporaryDirectory(prefix="sandkit-models-") as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "extra.json").write_text(json.dumps(_template_data(api)), encoding="utf-8")
        arguments = (
            "--input=openapi.json",
            "--output=models.py",
            "--extra-template-data=extra.json",
            f"--custom-template-dir={_TEMPLATES}",
            *_OPTIONS,
        )
        toolchain.run(MODELS, arguments, folder)
        text = (folder / "models.py").read_text(encoding="utf-8")
    code = text[text.index("from __future__") :]
    return code.replace("sandkit_placeholder", package)


def _prepared(api: OpenApi) -> dict[str, Any]:
    """The document with only its schemas, in the generator's terms."""
    findings = [*_pattern_findings(api), *_name_findings(api)]
    if findings:
        raise SpecError(findings)
    schemas = {name: _schema(node) for name, node in api.components("schemas").items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "models", "version": "1"},
        "paths": {},
        "components": {"schemas": schemas},
    }


def _pattern_findings(api: OpenApi) -> Iterator[Finding]:
    for schema in api.components("schemas").values():
        for _, node in walk(schema):
            pattern = node.text("pattern") if isinstance(node, MapNode) else None
            if pattern is None or not isinstance(node, MapNode):
                continue
            try:
                python_pattern(pattern)
            except UntranslatablePatternError as error:
                what = f"The server cannot check this pattern: {error}."
                yield Finding(node.at("pattern"), "pattern", what, "Spell it with ranges such as [0-9a-z].")


def _name_findings(api: OpenApi) -> Iterator[Finding]:
    """Names that JSON has to escape: a msgspec struct cannot have them."""
    for schema in api.components("schemas").values():
        for path, node in walk(schema):
            if path[-1:] != ("properties",) or not isinstance(node, MapNode):
                continue
            for name, position in node.keys.items():
                if json.dumps(name, ensure_ascii=False) != f'"{name}"':
                    what = f"The property name {name!r} has a character that JSON escapes."
                    yield Finding(position, "property-name", what, "Use other characters.")


def _schema(node: Node) -> Any:
    """A schema, and every schema inside it, without what the templates place themselves."""
    if not isinstance(node, MapNode):
        return plain(node)
    made: dict[str, Any] = {}
    for key, value in node.entries.items():
        if key in ("properties", "patternProperties", "$defs") and isinstance(value, MapNode):
            made[key] = {name: _schema(inner) for name, inner in value.entries.items()}
        elif key in ("items", "additionalProperties", "not"):
            made[key] = _schema(value)
        elif key in ("allOf", "anyOf", "oneOf", "prefixItems"):
            made[key] = [_schema(inner) for inner in node.items_of(key)]
        elif key == "pattern":
            made[key] = python_pattern(node.text(key) or "")
        elif key == "format" and node.text(key) == "date-time":
            made["customTypePath"] = _INSTANT
        elif key not in ("description", "example", "examples", "title") and not key.startswith("x-"):
            made[key] = plain(value)
    return made


def _template_data(api: OpenApi) -> dict[str, Any]:
    """What our template needs to know of each model beside its schema."""
    data: dict[str, Any] = {}
    for name, node in api.components("schemas").items():
        if not isinstance(node, MapNode):
            continue
        properties = node.map("properties")
        fields = properties.entries if properties else {}
        description = node.text("description")
        data[name] = {
            "base_class_kwargs": {"frozen": True},
            "documentation": docstring(description) if description else "",
            "field_documentation": {
                field: docstring(text)
                for field, inner in fields.items()
                if (text := description_of(api, inner))
            },
            "secrets": [
                field
                for field, inner in fields.items()
                if isinstance(inner, MapNode) and inner.get("x-sandkit-secret") is not None
            ],
        }
    return data
