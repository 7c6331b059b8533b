"""From the loaded OpenAPI document to the typed API."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import cast

from sandkit_codegen.load import (
    Finding,
    MapNode,
    Node,
    OpenApi,
    Operation,
    PlainValue,
    ScalarNode,
    SpecError,
    plain,
    reference_of,
    texts_of,
)
from sandkit_codegen.naming import parameter_name, snake_case
from sandkit_codegen.wire.fields import field_codes
from sandkit_codegen.wire.known import known_values
from sandkit_codegen.wire.model import Answer, Api, ApiOperation, Body, Parameter, Place, Scalar, ScalarKind

_CLASS_NAME = re.compile(r"[A-Z][A-Za-z0-9]*")
_SCALARS = ("string", "integer", "number", "boolean")
_RANGES = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_SCHEMAS = "#/components/schemas/"


@dataclass(slots=True)
class _Builder:
    api: OpenApi
    findings: list[Finding] = field(default_factory=list)

    def refuse(self, node: MapNode, key: str, rule: str, what: str, remedy: str) -> None:
        self.findings.append(Finding(node.at(key), rule, what, remedy))

    def operation(self, operation: Operation) -> ApiOperation:
        node = operation.node
        self.check_identity(operation)
        return ApiOperation(
            operation_id=operation.operation_id,
            function=snake_case(operation.operation_id),
            method=operation.method,
            path=operation.path,
            tag=operation.tags[0] if operation.tags else "",
            summary=(node.text("summary") or "").strip(),
            description=(node.text("description") or "").strip(),
            authenticated=bool((node if "security" in node.entries else self.api.root).items_of("security")),
            parameters=self.parameters(operation),
            body=self.body(operation),
            answers=self.answers(operation),
            error_codes=operation.error_codes,
            field_codes=tuple(field_codes(self.api, operation)),
        )

    def check_schema_names(self) -> None:
        """Generators rewrite names that are no class names, each in its own way."""
        for name, node in self.api.components("schemas").items():
            if _CLASS_NAME.fullmatch(name) is None:
                what = f"The schema name {name!r} is not a class name in every language."
                remedy = "Use ASCII letters and digits, beginning with a capital letter."
                self.findings.append(Finding(node.position, "schema-name", what, remedy))

    def check_identity(self, operation: Operation) -> None:
        if not operation.operation_id:
            what = f"{operation.method} {operation.path} has no operationId."
            self.refuse(operation.node, "operationId", "operation-id", what, "Give it one.")
        for parameter in self.api.parameters(operation):
            if parameter.text("name") == "body" and operation.node.get("requestBody") is not None:
                what = "A parameter is called body, beside a body."
                self.refuse(parameter, "name", "parameter-body", what, "Choose another name.")

    def parameters(self, operation: Operation) -> tuple[Parameter, ...]:
        nodes = self.api.parameters(operation)
        built = [parameter for node in nodes if (parameter := self.parameter(node)) is not None]
        taken: dict[str, int] = {}
        for parameter in built:
            taken[parameter.attribute] = taken.get(parameter.attribute, 0) + 1
        return tuple(
            _apart(parameter) if taken[parameter.attribute] > 1 else parameter for parameter in built
        )

    def parameter(self, node: MapNode) -> Parameter | None:
        name, place = node.text("name") or "", node.text("in")
        if place == "cookie":
            what = f"The cookie parameter {name!r} cannot be generated."
            self.refuse(node, "in", "parameter-cookie", what, "Make it a header or a query parameter.")
            return None
        schema = self.schema(node)
        repeated = schema.text("type") == "array"
        items = schema.get("items") if repeated else None
        inner = self.api.resolve(items) if items is not None else schema
        default = schema.get("default")
        return Parameter(
            name=name,
            place=cast("Place", place),
            attribute=parameter_name(name),
            required=_flag(node, "required"),
            scalar=self.scalar(inner if isinstance(inner, MapNode) else schema),
            repeated=repeated,
            default=None if default is None else plain(default),
            description=(node.text("description") or "").strip(),
            error_code=node.text("x-sandkit-error"),
        )

    def schema(self, node: MapNode) -> MapNode:
        schema = node.get("schema")
        resolved = None if schema is None else self.api.resolve(schema)
        if isinstance(resolved, MapNode):
            return resolved
        what = f"The parameter {node.text('name')!r} has no schema."
        self.refuse(node, "schema", "parameter-schema", what, "Give it one with a type.")
        return MapNode(node.position, {"type": ScalarNode(node.position, "string")}, {})

    def scalar(self, schema: MapNode) -> Scalar:
        kind = schema.text("type")
        if kind not in _SCALARS:
            what = "A parameter is a string, integer, number or boolean, or an array of one of them."
            self.refuse(schema, "type", "parameter-type", what, "Use one of these types.")
            kind = "string"
        least, most = _RANGES.get(schema.text("format") or "", (None, None))
        return Scalar(
            kind=cast("ScalarKind", kind),
            minimum=_first(_number(schema, "minimum"), least),
            maximum=_first(_number(schema, "maximum"), most),
            min_length=cast("int | None", _number(schema, "minLength")),
            max_length=cast("int | None", _number(schema, "maxLength")),
            pattern=schema.text("pattern"),
            known_values=texts_of(schema.get("x-known-values")),
        )

    def body(self, operation: Operation) -> Body | None:
        node = self.api.request_body(operation)
        if node is None:
            return None
        names = {media: self.content_schema(node, media) for media in _media_types(node)}
        found = {name for name in names.values() if name is not None}
        if len(found) != 1:
            what = f"The body of {operation.operation_id} must hold one named schema whatever its media type."
            self.refuse(
                node, "content", "body-schema", what, "Put the schema under components and refer to it."
            )
            return None
        return Body(found.pop(), _flag(node, "required"), tuple(names))

    def answers(self, operation: Operation) -> tuple[Answer, ...]:
        answers = tuple(
            self.answer(int(status), node)
            for status, node in self.api.responses(operation).items()
            if status.isdecimal()
        )
        if sum(200 <= answer.status < 300 for answer in answers) != 1:
            what = f"{operation.operation_id} must have exactly one answer in 2xx."
            self.refuse(operation.node, "responses", "one-success", what, "Keep the one that counts.")
        return answers

    def answer(self, status: int, node: MapNode) -> Answer:
        media = next(iter(_media_types(node)), None)
        headers = node.map("headers")
        json = media is not None and media.split(";")[0].endswith("json")
        return Answer(
            status=status,
            description=(node.text("description") or "").strip(),
            media_type=media,
            schema=self.content_schema(node, media) if json and media is not None else None,
            headers=tuple(headers.entries) if headers else (),
        )

    def content_schema(self, node: MapNode, media: str) -> str | None:
        content = node.map("content")
        entry = content.map(media) if content else None
        schema = entry.get("schema") if entry else None
        reference = reference_of(schema) if schema is not None else None
        if entry is not None and (reference is None or not reference.startswith(_SCHEMAS)):
            what = f"The schema of {media} has no name."
            self.refuse(
                entry, "schema", "inline-schema", what, "Put it under components/schemas and refer to it."
            )
            return None
        return reference.removeprefix(_SCHEMAS) if reference else None


def build_api(api: OpenApi) -> Api:
    """The typed API. Raises SpecError with every operation that cannot be generated, positioned."""
    builder = _Builder(api)
    builder.check_schema_names()
    operations = tuple(builder.operation(operation) for operation in api.operations)
    if builder.findings:
        raise SpecError(builder.findings)
    info = api.root.map("info")
    return Api(
        title=(info.text("title") or "") if info else "",
        version=(info.text("version") or "") if info else "",
        description=(info.text("description") or "").strip() if info else "",
        tags=dict(_tags(api)),
        operations=operations,
        routeless_codes=texts_of(api.root.get("x-sandkit-errors")),
        known_values=tuple(known_values(api, operations)),
    )


def _tags(api: OpenApi) -> Iterator[tuple[str, str]]:
    for node in api.root.items_of("tags"):
        if isinstance(node, MapNode):
            yield node.text("name") or "", (node.text("description") or "").strip()


def _apart(parameter: Parameter) -> Parameter:
    """The parameter under a name that tells its place, for when two would share one."""
    return replace(parameter, attribute=f"{parameter.place}_{parameter.attribute}")


def _media_types(node: MapNode) -> tuple[str, ...]:
    content = node.map("content")
    return tuple(content.entries) if content else ()


def _first(value: float | None, otherwise: int | None) -> int | float | None:
    return otherwise if value is None else value


def _flag(node: MapNode, key: str) -> bool:
    return _scalar(node.get(key)) is True


def _number(node: MapNode, key: str) -> int | float | None:
    value = _scalar(node.get(key))
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _scalar(node: Node | None) -> PlainValue:
    return node.value if isinstance(node, ScalarNode) else None
