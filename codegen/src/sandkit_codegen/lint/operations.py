"""Rules about operations: their names, tags, security, parameters and answers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sandkit_codegen.lint.rule import Defect, listed, rule
from sandkit_codegen.load import (
    ListNode,
    MapNode,
    OpenApi,
    Operation,
    ScalarNode,
    SpecSet,
    plain,
    text_of,
    texts_of,
)

_OPERATION_ID = re.compile(r"[a-z][A-Za-z0-9]*")
_REQUEST_ID = "X-Request-ID"
_RETRY_AFTER = "Retry-After"


def _name(operation: Operation) -> str:
    return operation.operation_id or f"{operation.method} {operation.path}"


@rule("operation-id")
def operation_id(specs: SpecSet) -> Iterator[Defect]:
    """Every operation has an operationId in lowerCamelCase."""
    for operation in specs.openapi.operations:
        if not operation.operation_id:
            remedy = "Add an operationId in lowerCamelCase; generated code is named after it."
            yield Defect(
                operation.position, f"{operation.method} {operation.path} has no operationId.", remedy
            )
        elif not _OPERATION_ID.fullmatch(operation.operation_id):
            remedy = "Use letters and digits only, beginning with a small letter."
            yield Defect(
                operation.node.entries["operationId"].position,
                f"{operation.operation_id!r} is not lowerCamelCase.",
                remedy,
            )


@rule("operation-id-unique")
def operation_id_unique(specs: SpecSet) -> Iterator[Defect]:
    """No operationId is used twice."""
    first: dict[str, Operation] = {}
    for operation in specs.openapi.operations:
        if not operation.operation_id:
            continue
        other = first.setdefault(operation.operation_id, operation)
        if other is not operation:
            what = f"The operationId {operation.operation_id} is already that of {other.method} {other.path}."
            yield Defect(
                operation.node.entries["operationId"].position, what, "Give this operation another one."
            )


@rule("operation-tag")
def operation_tag(specs: SpecSet) -> Iterator[Defect]:
    """Every operation has exactly one tag, which is declared."""
    declared = [tag.text("name") for tag in specs.openapi.root.items_of("tags") if isinstance(tag, MapNode)]
    for operation in specs.openapi.operations:
        if len(operation.tags) != 1:
            what = f"{_name(operation)} has {len(operation.tags)} tags."
            yield Defect(operation.node.at("tags"), what, "Give it exactly one; clients are grouped by tag.")
        for node in operation.node.items_of("tags"):
            if text_of(node) not in declared:
                remedy = f"Declare it under `tags`, or use one of: {listed(tag for tag in declared if tag)}."
                yield Defect(node.position, f"The tag {text_of(node)} is not declared.", remedy)


@rule("operation-security")
def operation_security(specs: SpecSet) -> Iterator[Defect]:
    """Every operation states its security."""
    schemes = specs.openapi.components("securitySchemes")
    for operation in specs.openapi.operations:
        security = operation.node.get("security")
        if not isinstance(security, ListNode):
            remedy = "State `security`, with `[]` for none; generators ignore the one at the top of the file."
            yield Defect(operation.position, f"{_name(operation)} does not state its security.", remedy)
            continue
        for requirement in security.items:
            entries = requirement.keys.items() if isinstance(requirement, MapNode) else ()
            for scheme, position in entries:
                if scheme not in schemes:
                    remedy = f"Declare it under components.securitySchemes, or use one of: {listed(schemes)}."
                    yield Defect(position, f"The security scheme {scheme} is not declared.", remedy)


@rule("operation-responses")
def operation_responses(specs: SpecSet) -> Iterator[Defect]:
    """Every operation declares its success and its errors."""
    for operation in specs.openapi.operations:
        statuses = tuple(specs.openapi.responses(operation))
        position = operation.node.at("responses")
        if not any(status.startswith("2") for status in statuses):
            yield Defect(position, f"{_name(operation)} declares no success.", "Add its 2xx response.")
        if not any(status.startswith(("4", "5")) for status in statuses):
            yield Defect(
                position, f"{_name(operation)} declares no error response.", "Add those it can give."
            )
        if _secured(operation) and "401" not in statuses:
            yield Defect(
                position, f"{_name(operation)} needs a key but declares no 401.", "Add the 401 response."
            )
        for status in statuses:
            if not re.fullmatch(r"[2345]\d\d", status):
                node = operation.node.map("responses")
                place = node.at(status) if node else position
                remedy = "Declare each status by its number, so that every answer has one meaning."
                yield Defect(place, f"The response {status!r} is not a status code.", remedy)


def _secured(operation: Operation) -> bool:
    return bool(operation.node.items_of("security"))


@rule("response-request-id")
def response_request_id(specs: SpecSet) -> Iterator[Defect]:
    """Every response carries X-Request-ID."""
    for status, response in _responses(specs.openapi):
        if _header(specs.openapi, response, _REQUEST_ID) is None:
            remedy = f"Add the header {_REQUEST_ID}; people quote it when they report a problem."
            yield Defect(response.position, f"The response {status} does not carry {_REQUEST_ID}.", remedy)


@rule("response-retry-after")
def retry_after_header(specs: SpecSet) -> Iterator[Defect]:
    """A response to be retried later carries Retry-After."""
    delayed = {error.code: str(error.status) for error in specs.errors if error.retryable == "retry-after"}
    for operation in specs.openapi.operations:
        responses = specs.openapi.responses(operation)
        for code in operation.error_codes:
            response = responses.get(delayed.get(code, ""))
            if response is not None and _header(specs.openapi, response, _RETRY_AFTER) is None:
                what = f"The response {delayed[code]} may carry {code} but does not declare {_RETRY_AFTER}."
                yield Defect(
                    response.position,
                    what,
                    f"Add the header {_RETRY_AFTER}, or change `retryable` in errors.yaml.",
                )


@rule("response-header")
def response_header(specs: SpecSet) -> Iterator[Defect]:
    """Response headers are plain strings.

    Generators turn any other header schema into code that fails at run time.
    """
    for _, response in _responses(specs.openapi):
        headers = response.map("headers")
        for name, node in headers.entries.items() if headers else ():
            header = specs.openapi.resolve(node)
            schema = header.get("schema") if isinstance(header, MapNode) else None
            if schema is not None and plain(specs.openapi.resolve(schema)) != {"type": "string"}:
                remedy = "Give it `schema: {type: string}` and describe the form in words."
                what = f"The response header {name} is not a plain string."
                yield Defect(schema.position, what, remedy)


def _responses(api: OpenApi) -> Iterator[tuple[str, MapNode]]:
    return (item for operation in api.operations for item in api.responses(operation).items())


def _header(api: OpenApi, response: MapNode, name: str) -> MapNode | None:
    headers = response.map("headers")
    for key, node in headers.entries.items() if headers else ():
        resolved = api.resolve(node)
        if key.lower() == name.lower() and isinstance(resolved, MapNode):
            return resolved
    return None


@rule("parameter-style")
def parameter_style(specs: SpecSet) -> Iterator[Defect]:
    """Parameters are simple or repeated."""
    for operation in specs.openapi.operations:
        for parameter in specs.openapi.parameters(operation):
            name = parameter.text("name")
            style = parameter.text("style")
            explode = parameter.get("explode")
            if style in {"deepObject", "spaceDelimited", "pipeDelimited"}:
                remedy = "Remove `style`; take a string, or an array that is repeated."
                yield Defect(parameter.at("style"), f"The parameter {name} has the style {style}.", remedy)
            if isinstance(explode, ScalarNode) and explode.value is False:
                remedy = "Remove it, so that the parameter is repeated for each value."
                yield Defect(parameter.at("explode"), f"The parameter {name} has `explode: false`.", remedy)
            if "content" in parameter.entries:
                yield Defect(parameter.at("content"), f"The parameter {name} has `content`.", "Use `schema`.")


@rule("path-parameters")
def path_parameters(specs: SpecSet) -> Iterator[Defect]:
    """Path and path parameters agree."""
    for operation in specs.openapi.operations:
        wanted = set(re.findall(r"{([^}]*)}", operation.path))
        declared = {
            parameter.text("name"): parameter
            for parameter in specs.openapi.parameters(operation)
            if parameter.text("in") == "path"
        }
        for name in sorted(wanted - {name for name in declared if name}):
            remedy = "Declare it under `parameters` with `in: path`, or correct the path."
            yield Defect(
                operation.position, f"{_name(operation)} does not declare its path parameter {name}.", remedy
            )
        for name, parameter in declared.items():
            if name not in wanted:
                yield Defect(
                    parameter.position,
                    f"{operation.path} has no parameter {name}.",
                    "Remove it, or rename it.",
                )


@rule("operation-errors")
def errors_stated(specs: SpecSet) -> Iterator[Defect]:
    """Every operation lists the codes it may answer."""
    for operation in specs.openapi.operations:
        if not texts_of(operation.node.get("x-sandkit-errors")):
            remedy = "List the codes it may answer; SDKs and the suite are generated from them."
            yield Defect(
                operation.node.at("x-sandkit-errors")
                if "x-sandkit-errors" in operation.node.entries
                else operation.position,
                f"{_name(operation)} has no x-sandkit-errors.",
                remedy,
            )


RULES = (
    operation_id,
    operation_id_unique,
    operation_tag,
    operation_security,
    operation_responses,
    errors_stated,
    response_request_id,
    retry_after_header,
    response_header,
    parameter_style,
    path_parameters,
)
