"""The wire contract: where operations live, and what the spec says their answers look like."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from attrs import define, field, frozen

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.json_schema import Check, TooDeepError, pointer

PREFIX: Final = "/v1"
_LONGEST_MESSAGE: Final = 300
_METHODS: Final = ("get", "put", "post", "delete", "patch", "head", "options")


@frozen
class Operation:
    """One operation of the spec."""

    id: str
    method: str
    path: str
    path_parameters: tuple[str, ...]
    responses: Mapping[str, Any]
    needs_key: bool
    codes: frozenset[str] = frozenset()


@define
class Contract:
    """The bundled OpenAPI document, ready to build paths and to judge answers."""

    openapi: Mapping[str, Any]
    operations: dict[str, Operation] = field(init=False, factory=dict)
    _checks: dict[tuple[str, str], Check | None] = field(init=False, factory=dict)
    _judged: dict[tuple[str, str, bytes], tuple[str, ...]] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for path, item in self.openapi.get("paths", {}).items():
            for method in _METHODS:
                if method in item:
                    operation = self._operation(path, method, item)
                    self.operations[operation.id] = operation

    def _operation(self, path: str, method: str, item: Mapping[str, Any]) -> Operation:
        details = item[method]
        return Operation(
            id=details["operationId"],
            method=method.upper(),
            path=path if path.startswith(f"{PREFIX}/") else PREFIX + path,
            path_parameters=tuple(re.findall(r"\{([^}]+)\}", path)),
            responses={status: self._resolve(response) for status, response in details["responses"].items()},
            needs_key=bool(details.get("security", self.openapi.get("security", []))),
            codes=frozenset(details.get("x-sandkit-errors", ())) | self.unrouted_codes,
        )

    @property
    def unrouted_codes(self) -> frozenset[str]:
        """Codes the spec allows where no operation was reached."""
        return frozenset(self.openapi.get("x-sandkit-errors", ()))

    def _resolve(self, node: Any) -> Any:
        while isinstance(node, Mapping) and "$ref" in node:
            target: Any = self.openapi
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part.replace("~1", "/").replace("~0", "~")]
            node = target
        return node

    def operation(self, operation_id: str) -> Operation:
        """Look an operation up.

        Raises:
            SuiteError: the spec has no such operation (a case's field may name one that does not exist).
        """
        try:
            return self.operations[operation_id]
        except KeyError:
            raise SuiteError(f"there is no operation `{operation_id}` in the spec") from None

    def path_of(self, operation: Operation, values: Mapping[str, Any]) -> str:
        """The operation's path with its parameters filled in, each percent-encoded as one segment.

        Raises:
            SuiteError: a path parameter has no value.
        """
        missing = [name for name in operation.path_parameters if name not in values]
        if missing:
            raise SuiteError(
                f"{operation.id} needs {', '.join(missing)}: `for` gives the first, `path` the others"
            )
        path = operation.path
        for name in operation.path_parameters:
            path = path.replace(f"{{{name}}}", quote(str(values[name]), safe=""))
        return path

    def content_type(self, operation: Operation, status: str) -> str | None:
        """The one media type the spec gives the answer; None where it has no body or a choice."""
        content = operation.responses.get(status, {}).get("content", {})
        return next(iter(content)) if len(content) == 1 else None

    def required_headers(self, operation: Operation, status: str) -> tuple[str, ...]:
        """Headers the answer must carry."""
        headers = operation.responses.get(status, {}).get("headers", {})
        return tuple(name for name, header in headers.items() if self._resolve(header).get("required"))

    def body_errors(self, operation: Operation, status: str, content: bytes, body: Any) -> tuple[str, ...]:
        """What is wrong with a JSON body by the spec's schema; fields the schema does not know are fine."""
        key = (operation.id, status, content)
        if key not in self._judged:
            # Polls see the same bytes again and again.
            check = self._check(operation, status)
            self._judged[key] = tuple(_errors(check, body)) if check else ()
        return self._judged[key]

    def _check(self, operation: Operation, status: str) -> Check | None:
        key = (operation.id, status)
        if key not in self._checks:
            content = operation.responses.get(status, {}).get("content", {})
            schema = content.get("application/json", {}).get("schema")
            # With the components beside it, the schema's own `#/components/…` references resolve.
            whole = {**schema, "components": self.openapi.get("components", {})} if schema else None
            self._checks[key] = Check(whole) if whole else None
        return self._checks[key]


def _errors(check: Check, body: Any) -> Iterator[str]:
    try:
        for error in check.errors(body):
            yield f"{pointer(error) or '(the body)'}: {error.message[:_LONGEST_MESSAGE]}"
    except TooDeepError as error:
        yield f"(the body): {error}"
