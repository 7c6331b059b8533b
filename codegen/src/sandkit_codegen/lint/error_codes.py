"""Rules about error codes: the table, the operations and the state tables have to agree."""

from __future__ import annotations

from collections.abc import Iterator

from sandkit_codegen.lint.rule import Defect, listed, rule
from sandkit_codegen.load import ErrorDefinition, MapNode, Operation, SpecSet, text_of, texts_of, walk


def _table(specs: SpecSet) -> dict[str, ErrorDefinition]:
    return {error.code: error for error in reversed(specs.errors)}


def _close(code: str, table: dict[str, ErrorDefinition]) -> str:
    """The codes of the same area, or of all when the area is unknown."""
    area = code.split("::", 1)[0] + "::"
    return listed(sorted(known for known in table if known.startswith(area)) or sorted(table))


@rule("error-unique")
def error_unique(specs: SpecSet) -> Iterator[Defect]:
    """No error code is defined twice."""
    first: dict[str, ErrorDefinition] = {}
    for error in specs.errors:
        other = first.setdefault(error.code, error)
        if other is not error:
            what = f"The code {error.code} was already defined on line {other.node.position.line}."
            yield Defect(error.node.entries["code"].position, what, "Remove one of the two.")


@rule("error-known")
def error_known(specs: SpecSet) -> Iterator[Defect]:
    """Every code in x-sandkit-errors is defined."""
    table = _table(specs)
    owners = [operation.node for operation in specs.openapi.operations]
    for owner in (specs.openapi.root, *owners):
        for node in owner.items_of("x-sandkit-errors"):
            code = text_of(node) or ""
            if code not in table:
                remedy = f"Define it in errors.yaml, or use one of: {_close(code, table)}."
                yield Defect(node.position, f"The error code {code} is not defined.", remedy)


@rule("error-repeated")
def error_repeated(specs: SpecSet) -> Iterator[Defect]:
    """No operation lists a code twice."""
    for operation in specs.openapi.operations:
        seen: set[str] = set()
        for node in operation.node.items_of("x-sandkit-errors"):
            code = text_of(node) or ""
            if code in seen:
                yield Defect(node.position, f"{code} is listed twice.", "Remove one of the two.")
            seen.add(code)


@rule("error-status")
def error_status(specs: SpecSet) -> Iterator[Defect]:
    """Every code's status is among the operation's responses."""
    table = _table(specs)
    for operation in specs.openapi.operations:
        statuses = specs.openapi.responses(operation)
        for node in operation.node.items_of("x-sandkit-errors"):
            error = table.get(text_of(node) or "")
            if error is not None and str(error.status) not in statuses:
                what = f"{error.code} has status {error.status}, which {_name(operation)} does not declare."
                yield Defect(node.position, what, f"Add the response {error.status}, or remove the code.")


@rule("response-code")
def response_code(specs: SpecSet) -> Iterator[Defect]:
    """Every error response has a code."""
    table = _table(specs)
    for operation in specs.openapi.operations:
        responses = operation.node.map("responses")
        if responses is None:
            continue
        given = {str(table[code].status) for code in operation.error_codes if code in table}
        for status, position in responses.keys.items():
            if status.startswith(("4", "5")) and status not in given:
                what = f"{_name(operation)} declares {status}, but lists no error code of that status."
                yield Defect(position, what, "Add a code to x-sandkit-errors, or remove the response.")


@rule("error-used")
def error_used(specs: SpecSet) -> Iterator[Defect]:
    """Every error code is used."""
    used = set(texts_of(specs.openapi.root.get("x-sandkit-errors")))
    for operation in specs.openapi.operations:
        used.update(operation.error_codes)
    for machine in specs.states.values():
        for row in machine.operations.values():
            used.update(outcome.code for outcome in row.values() if outcome.code)
    for error in specs.errors:
        if error.code not in used:
            remedy = "List it in x-sandkit-errors of the operations that answer it, or remove it."
            yield Defect(error.node.entries["code"].position, f"No operation answers {error.code}.", remedy)


@rule("field-error")
def field_error(specs: SpecSet) -> Iterator[Defect]:
    """The code of a bad field is defined and has status 400.

    `x-sandkit-error` names the code a bad field or parameter is refused with.
    """
    table = _table(specs)
    for _, node in walk(specs.openapi.root):
        if not isinstance(node, MapNode) or "x-sandkit-error" not in node.entries:
            continue
        position = node.entries["x-sandkit-error"].position
        code = node.text("x-sandkit-error") or ""
        error = table.get(code)
        if error is None:
            remedy = f"Define it in errors.yaml, or use one of: {_close(code, table)}."
            yield Defect(position, f"The error code {code} is not defined.", remedy)
        elif error.status != 400:
            what = f"{code} has status {error.status}; a bad field is answered with 400."
            yield Defect(position, what, "Use a code of status 400.")


@rule("state-error")
def state_error(specs: SpecSet) -> Iterator[Defect]:
    """State tables answer with declared statuses and codes."""
    table = _table(specs)
    operations = {operation.operation_id: operation for operation in specs.openapi.operations}
    for machine in specs.states.values():
        for operation_id, row in machine.operations.items():
            operation = operations.get(operation_id)
            for outcome in row.values():
                position = outcome.node.at("status")
                if operation and str(outcome.status) not in specs.openapi.responses(operation):
                    what = f"{operation_id} does not declare the status {outcome.status}."
                    yield Defect(position, what, "Add the response to lifecycle.yaml, or correct the cell.")
                if outcome.code is not None:
                    yield from _outcome_code(outcome.code, outcome.status, outcome.node, table, operation)


def _outcome_code(
    code: str, status: int, node: MapNode, table: dict[str, ErrorDefinition], operation: Operation | None
) -> Iterator[Defect]:
    position = node.entries["code"].position
    error = table.get(code)
    if error is None:
        remedy = f"Define it in errors.yaml, or use one of: {_close(code, table)}."
        yield Defect(position, f"The error code {code} is not defined.", remedy)
    elif error.status != status:
        what = f"{code} is answered with {error.status}, not with {status}."
        yield Defect(position, what, "Correct the status, or use another code.")
    elif operation is not None and code not in operation.error_codes:
        what = f"{operation.operation_id} does not list {code}."
        yield Defect(position, what, "Add the code to its x-sandkit-errors, or correct the cell.")


def _name(operation: Operation) -> str:
    return operation.operation_id or f"{operation.method} {operation.path}"


RULES = (
    error_unique,
    error_known,
    error_repeated,
    error_status,
    response_code,
    error_used,
    field_error,
    state_error,
)
