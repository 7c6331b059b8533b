"""What cannot be generated is said at its place in the file, before anything is written."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sandkit_codegen.load import OpenApi, SpecError, load_spec_set, parse_document
from sandkit_codegen.source import Source, read_source
from sandkit_codegen.targets.python import render_python
from sandkit_codegen.targets.server import render_server
from sandkit_codegen.toolchain import Toolchain
from sandkit_codegen.wire import build_api

OPERATION = """\
openapi: 3.1.0
paths:
  /things/{thing}:
    get:
      operationId: getThing
      parameters:
        - {name: thing, in: path, required: true, schema: {type: string}}
      responses:
        '200':
          description: A thing.
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
components:
  schemas:
    Thing:
      type: object
      properties:
        name: {type: string}
"""


def document(text: str) -> OpenApi:
    return OpenApi(parse_document("api.yaml", text.encode()))


@pytest.mark.parametrize(
    ("old", "new", "finding"),
    [
        (
            "      operationId: getThing\n",
            "",
            "api.yaml:5:7: operation-id: GET /things/{thing} has no operationId.",
        ),
        ("in: path", "in: cookie", "api.yaml:7:25: parameter-cookie: "),
        (
            ", schema: {type: string}}",
            "}",
            "api.yaml:7:11: parameter-schema: The parameter 'thing' has no schema.",
        ),
        ("schema: {type: string}}", "schema: {type: object}}", "api.yaml:7:60: parameter-type: "),
        (
            "        '200':",
            "        '404':",
            "api.yaml:8:7: one-success: getThing must have exactly one answer in 2xx.",
        ),
        ("{$ref: '#/components/schemas/Thing'}", "{type: object}", "api.yaml:11:40: inline-schema: "),
        (
            "    Thing:\n",
            "    thing:\n      type: object\n    Thing:\n",
            "api.yaml:15:7: schema-name: The schema name 'thing'",
        ),
        (
            "      responses:\n",
            "      requestBody: {content: {application/json: {schema: {type: object}}}}\n      responses:\n",
            "api.yaml:8:50: inline-schema: ",
        ),
    ],
)
def test_operations_that_cannot_be_generated(old: str, new: str, finding: str) -> None:
    assert old in OPERATION
    with pytest.raises(SpecError) as caught:
        build_api(document(OPERATION.replace(old, new, 1)))
    assert any(str(each).startswith(finding) for each in caught.value.findings), caught.value


def test_all_findings_come_at_once() -> None:
    broken = OPERATION.replace("in: path", "in: cookie").replace("      operationId: getThing\n", "")
    with pytest.raises(SpecError) as caught:
        build_api(document(broken))
    assert {each.rule for each in caught.value.findings} == {"parameter-cookie", "operation-id"}


def source_of(text: str, repository: Path) -> Source:
    specs = load_spec_set(repository / "specs")
    return read_source(dataclasses.replace(specs, openapi=document(text)))


@pytest.mark.parametrize("name", ["toDict", "from_dict", "additionalProperties", "decode"])
def test_names_the_client_models_need_are_refused(name: str, repository: Path, toolchain: Toolchain) -> None:
    source = source_of(OPERATION.replace("name: {type", f"{name}: {{type"), repository)
    with pytest.raises(SpecError, match=rf"api\.yaml:17:9: property-name: The property '{name}'"):
        render_python(source, toolchain)


@pytest.mark.parametrize("name", ["'a\"b'", "'a\\b'"])
def test_names_the_server_models_cannot_have_are_refused(
    name: str, repository: Path, toolchain: Toolchain
) -> None:
    source = source_of(OPERATION.replace("name: {type", f"{name}: {{type"), repository)
    with pytest.raises(SpecError, match=r"api\.yaml:17:9: property-name: "):
        render_server(source, toolchain)


def test_patterns_the_server_cannot_check_are_refused(repository: Path, toolchain: Toolchain) -> None:
    source = source_of(
        OPERATION.replace("{type: string}\n", "{type: string, pattern: '\\p{L}'}\n"), repository
    )
    with pytest.raises(SpecError, match=r"api\.yaml:17:30: pattern: The server cannot check this pattern"):
        render_server(source, toolchain)


def test_a_body_has_one_schema_whatever_its_media_type() -> None:
    body = (
        "      requestBody:\n        content:\n"
        "          application/json: {schema: {$ref: '#/components/schemas/Thing'}}\n"
        "          application/merge-patch+json: {schema: {$ref: '#/components/schemas/Other'}}\n"
    )
    text = (
        OPERATION.replace("      responses:\n", f"{body}      responses:\n") + "    Other: {type: object}\n"
    )
    with pytest.raises(SpecError, match="body-schema: The body of getThing must hold one named schema"):
        build_api(document(text))
