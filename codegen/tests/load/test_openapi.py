from __future__ import annotations

import json

import pytest

from sandkit_codegen.load import MapNode, OpenApi, SpecError, check_references, parse_document, plain

DOCUMENT = """
openapi: 3.1.0
paths:
  /b/{id}:
    parameters:
      - $ref: '#/components/parameters/Id'
      - {name: limit, in: query, schema: {type: integer}}
    get:
      operationId: getB
      tags: [B]
      parameters:
        - {name: limit, in: query, schema: {type: string}}
      responses:
        200: {$ref: '#/components/responses/Fine'}
        '404': {description: Not there.}
      x-sandkit-errors: [B::NOT_FOUND]
    delete: {responses: {}}
  /a:
    summary: not an operation
    post:
      operationId: createA
      requestBody: {$ref: '#/components/requestBodies/A'}
      responses: {}
components:
  parameters:
    Id: {name: id, in: path, required: true, schema: {type: string}}
  requestBodies:
    A: {content: {}}
  responses:
    Fine: {$ref: '#/components/responses/Good'}
    Good: {description: Good.}
  schemas:
    With/Slash~Tilde: {type: string}
    Refers: {$ref: '#/components/schemas/With~1Slash~0Tilde'}
"""


def _api(text: str) -> OpenApi:
    return OpenApi(parse_document("api.yaml", text.encode()))


API = _api(DOCUMENT)


def test_operations_come_in_document_order() -> None:
    assert [(item.operation_id, item.method, item.path) for item in API.operations] == [
        ("getB", "GET", "/b/{id}"),
        ("", "DELETE", "/b/{id}"),
        ("createA", "POST", "/a"),
    ]


def test_an_operation_knows_its_tags_codes_and_place() -> None:
    operation = API.operation("getB")
    assert operation.tags == ("B",)
    assert operation.error_codes == ("B::NOT_FOUND",)
    assert str(operation.position) == "api.yaml:8:5"


def test_an_unknown_operation_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="getC"):
        API.operation("getC")


def test_parameters_are_resolved_and_those_of_the_operation_win() -> None:
    parameters = API.parameters(API.operation("getB"))
    assert [plain(parameter) for parameter in parameters] == [
        {"name": "limit", "in": "query", "schema": {"type": "string"}},
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}},
    ]


def test_responses_are_resolved_through_chains() -> None:
    responses = API.responses(API.operation("getB"))
    assert {status: plain(node) for status, node in responses.items()} == {
        "200": {"description": "Good."},
        "404": {"description": "Not there."},
    }


def test_the_request_body_is_resolved_or_absent() -> None:
    body = API.request_body(API.operation("createA"))
    assert body is not None
    assert plain(body) == {"content": {}}
    assert API.request_body(API.operation("getB")) is None


def test_references_follow_json_pointer_escapes() -> None:
    resolved = API.resolve(API.components("schemas")["Refers"])
    assert plain(resolved) == {"type": "string"}


def test_components_of_a_section_that_is_not_there_are_none() -> None:
    assert dict(API.components("links")) == {}


def test_the_bundle_is_plain_json_with_its_references() -> None:
    bundle = API.bundled()
    assert json.loads(json.dumps(bundle)) == bundle
    assert bundle["openapi"] == "3.1.0"
    assert list(bundle) == ["openapi", "paths", "components"]
    bundle.clear()
    assert "paths" in API.bundled()


def test_sound_references_have_no_findings() -> None:
    assert check_references(API) == []


@pytest.mark.parametrize(
    ("reference", "finding"),
    [
        (
            "#/components/schemas/C",
            "ref-dangling: The reference #/components/schemas/C leads nowhere. "
            "Define it, or use one of: A, B.",
        ),
        (
            "#/components/nothing/C",
            "ref-dangling: The reference #/components/nothing/C leads nowhere. "
            "Define it, or correct the path.",
        ),
        (
            "other.yaml#/C",
            "ref-external: The reference other.yaml#/C leaves the file. "
            "Move its target under `components` and refer to it by `#/…`.",
        ),
        (
            "#/components/schemas/B",
            "ref-dangling: The reference #/components/schemas/A leads in a circle. "
            "Let one of them hold the content.",
        ),
    ],
)
def test_broken_references_are_findings_in_their_place(reference: str, finding: str) -> None:
    text = (
        "openapi: 3.1.0\ncomponents:\n  schemas:\n"
        f"    A:\n      $ref: '{reference}'\n    B: {{$ref: '#/components/schemas/A'}}\n"
    )
    found = [str(item) for item in check_references(_api(text))]
    assert f"api.yaml:5:7: {finding}" in found or f"api.yaml:6:9: {finding}" in found
    assert all("ref-" in item for item in found)


def test_a_direct_circle_is_found() -> None:
    api = _api("components:\n  schemas:\n    A: {$ref: '#/components/schemas/A'}\n")
    (finding,) = check_references(api)
    assert str(finding).startswith("api.yaml:3:9: ref-dangling: ")


def test_what_looks_like_a_reference_in_an_example_is_data() -> None:
    text = "paths:\n  /a:\n    get:\n      example: {$ref: '#/nowhere'}\n      value: {$ref: nowhere}\n"
    assert check_references(_api(text)) == []


def test_a_property_called_value_or_example_is_no_literal() -> None:
    text = (
        "components:\n  schemas:\n    A:\n      properties:\n        value: {$ref: '#/nowhere'}\n"
        "        example: {$ref: '#/nowhere'}\n"
    )
    assert [str(item.position) for item in check_references(_api(text))] == ["api.yaml:5:17", "api.yaml:6:19"]


def test_resolving_a_dangling_reference_raises() -> None:
    api = _api("a: {$ref: '#/nowhere'}\n")
    root = api.root
    assert isinstance(root, MapNode)
    with pytest.raises(SpecError, match="leads nowhere"):
        api.resolve(root.entries["a"])


def test_a_document_that_is_no_mapping_has_no_operations() -> None:
    assert _api("[1, 2]").operations == ()
