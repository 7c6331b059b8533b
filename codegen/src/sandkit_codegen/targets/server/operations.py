"""What the server's templates need of an operation, spelled as Python."""

from __future__ import annotations

from dataclasses import dataclass

from sandkit_codegen.naming import constant_case
from sandkit_codegen.patterns import python_pattern
from sandkit_codegen.rendering import literal
from sandkit_codegen.wire import Api, ApiOperation, Parameter, Scalar

_PYTHON_TYPES = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}
_BLANKS = {"string": '""', "integer": "0", "number": "0.0", "boolean": "False"}
_FALLBACK_CODE = "REQUEST::INVALID_PARAMETER"


@dataclass(frozen=True, slots=True)
class ReaderView:
    """A module-level ParameterReader and the call that reads with it."""

    name: str
    attribute: str
    pointer: str
    code: str
    decoder: str
    blank: str
    call: str


@dataclass(frozen=True, slots=True)
class OperationView:
    """One operation in the terms of api.py and routes.py."""

    operation_id: str
    function: str
    method: str
    path: str
    tag: str
    authenticated: bool
    signature: str
    returns: str
    documentation: str
    readers: tuple[ReaderView, ...]
    has_query: bool
    body_model: str | None
    body_required: bool
    media_types: tuple[str, ...]
    call: str
    outbound: str
    statuses: tuple[int, ...]
    error_codes: tuple[str, ...]
    field_codes: tuple[tuple[str, str], ...]


def operation_views(api: Api) -> tuple[OperationView, ...]:
    """The operations in the order of the spec."""
    return tuple(_view(operation) for operation in api.operations)


def _view(operation: ApiOperation) -> OperationView:
    returns = _returns(operation)
    return OperationView(
        operation_id=operation.operation_id,
        function=operation.function,
        method=operation.method,
        path=operation.path,
        tag=operation.tag,
        authenticated=operation.authenticated,
        signature=_signature(operation),
        returns=returns,
        documentation=f"{operation.summary}.\n\n{operation.description}".replace("..", "."),
        readers=tuple(_reader(operation, parameter) for parameter in operation.parameters),
        has_query=bool(operation.at("query")),
        body_model=f"models.{operation.body.schema}" if operation.body else None,
        body_required=operation.body is not None and operation.body.required,
        media_types=operation.body.media_types if operation.body else (),
        call=_call(operation, returns),
        outbound=_outbound(operation),
        statuses=tuple(answer.status for answer in operation.answers),
        error_codes=operation.error_codes,
        field_codes=operation.field_codes,
    )


def _signature(operation: ApiOperation) -> str:
    parts = ["self", "context: ContextT"]
    parts += [f"{each.attribute}: {_type(each)}" for each in operation.at("path")]
    if operation.body is not None:
        optional = "" if operation.body.required else " | None"
        parts.append(f"body: models.{operation.body.schema}{optional}")
    named = [f"{each.attribute}: {_type(each)}" for each in operation.parameters if each.place != "path"]
    return ", ".join([*parts, *(["*", *named] if named else [])])


def _type(parameter: Parameter) -> str:
    python = _PYTHON_TYPES[parameter.scalar.kind]
    if parameter.repeated:
        return f"tuple[{python}, ...]"
    return python if parameter.required or parameter.default is not None else f"{python} | None"


def _returns(operation: ApiOperation) -> str:
    answer = operation.success
    if answer.media_type is None:
        return "None"
    body = f"models.{answer.schema}" if answer.schema else "str"
    return f"Created[{body}]" if "Location" in answer.headers else body


def _call(operation: ApiOperation, returns: str) -> str:
    arguments = ["context", *(each.attribute for each in operation.at("path"))]
    arguments += ["body"] if operation.body else []
    arguments += [
        f"{each.attribute}={each.attribute}" for each in operation.parameters if each.place != "path"
    ]
    call = f"await service.{operation.function}({', '.join(arguments)})"
    return call if returns == "None" else f"answer = {call}"


def _outbound(operation: ApiOperation) -> str:
    answer = operation.success
    if answer.media_type is None:
        return f"Outbound({answer.status})"
    located = "Location" in answer.headers
    body = "answer.body" if located else "answer"
    content = f"_encode({body})" if answer.schema else f"{body}.encode()"
    media = answer.media_type if answer.schema else f"{answer.media_type}; charset=utf-8"
    headers = ', (("Location", answer.location),)' if located else ""
    return f"Outbound({answer.status}, {content}, {literal(media)}{headers})"


def _reader(operation: ApiOperation, parameter: Parameter) -> ReaderView:
    name = f"_{operation.function}_{parameter.attribute}"
    return ReaderView(
        name=f"_{constant_case(name.strip('_'))}",
        attribute=parameter.attribute,
        pointer=parameter.pointer,
        code=parameter.error_code or _FALLBACK_CODE,
        decoder=_decoder(parameter.scalar),
        blank=_BLANKS[parameter.scalar.kind],
        call=_read(parameter),
    )


def _read(parameter: Parameter) -> str:
    source = {
        "path": f"single(inbound.path, {literal(parameter.name)})",
        "query": f"query.get({literal(parameter.name)}, ())",
        "header": f"single(inbound.headers, {literal(parameter.name.lower())})",
    }[parameter.place]
    if parameter.repeated:
        return f"repeated{'_required' if parameter.required else ''}({source}, violations)"
    if parameter.required:
        return f"required({source}, violations)"
    if parameter.default is not None:
        return f"defaulted({source}, violations, {literal(parameter.default)})"
    return f"optional({source}, violations)"


def _decoder(scalar: Scalar) -> str:
    if scalar.kind == "boolean":
        return "boolean"
    if scalar.kind in ("integer", "number"):
        limits = {"minimum": scalar.minimum, "maximum": scalar.maximum}
        return f"{'Integer' if scalar.kind == 'integer' else 'Number'}({_arguments(limits)})"
    lengths = _arguments({"min_length": scalar.min_length, "max_length": scalar.max_length})
    if scalar.pattern is None:
        return f"Text({lengths})" if lengths else "str"
    pattern = f"pattern=re.compile({literal(python_pattern(scalar.pattern))})"
    parts = (lengths, pattern, f"shown_pattern={literal(scalar.pattern)}")
    return f"Text({', '.join(part for part in parts if part)})"


def _arguments(values: dict[str, int | float | None]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in values.items() if value is not None)
