"""Turns what a scenario says about a call into a request."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any, Final

from sandkit_conformance.contract import PREFIX
from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.engine.context import RUN_LABEL, RunContext
from sandkit_conformance.failures import SuiteError

WRONG_KEY: Final = "this-is-not-the-key"


def build_call(fields: Mapping[str, Any], run: RunContext, timeout: float) -> Call:
    """Build the request a `call` (or a contender, a condition) describes; expressions are resolved.

    Raises:
        SuiteError: an operation that does not exist, or a path parameter without a value.
    """
    what = fields["call"]
    body = _body(fields, what, run)
    headers = _headers(fields, run, has_body=body is not None)
    query = tuple(_query(fields.get("query", {})))
    if isinstance(what, Mapping):
        path = _below(run.target.root, what["path"])
        return Call(what["method"], path, timeout, query=query, headers=headers, content=body)
    operation = run.contract.operation(what)
    parameters = dict(fields.get("path", {}))
    if "for" in fields:
        if not operation.path_parameters:
            raise SuiteError(f"{what} has no path parameter; leave `for` out")
        parameters.setdefault(operation.path_parameters[0], fields["for"])
    path = run.contract.path_of(operation, parameters)
    if not operation.needs_key:
        path = run.target.service_base + path.removeprefix(PREFIX)
    return Call(
        method=operation.method,
        path=path,
        timeout=timeout,
        operation=operation.id,
        parameters=parameters,
        query=query,
        headers=headers,
        content=body,
    )


def _below(root: str, path: str) -> str:
    """The path of an address of the target itself; a Location, for one, may be absolute."""
    path = path.removeprefix(root)
    if not path.startswith("/"):
        raise SuiteError(f"{path!r} is neither a path nor an address below {root}")
    return path


def _query(query: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        pairs += [(name, _plain(part)) for part in (value if isinstance(value, list) else [value])]
    return pairs


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _headers(fields: Mapping[str, Any], run: RunContext, *, has_body: bool) -> tuple[tuple[str, str], ...]:
    headers: dict[str, str | None] = {}
    auth = fields.get("auth", "valid")
    if auth in {"valid", "prefixed"} and run.target.api_key:
        headers[API_KEY_HEADER] = ("Bearer " if auth == "prefixed" else "") + run.target.api_key
    elif auth in {"wrong", "empty"}:
        headers[API_KEY_HEADER] = WRONG_KEY if auth == "wrong" else ""
    if has_body:
        headers["Content-Type"] = fields.get("contentType", "application/json")
    given = {name.lower(): name for name in headers}
    for name, value in fields.get("headers", {}).items():
        headers[given.get(name.lower(), name)] = value
    return tuple((name, value) for name, value in headers.items() if value is not None)


def _body(fields: Mapping[str, Any], what: Any, run: RunContext) -> bytes | None:
    if "content" in fields:
        return str(fields["content"]).encode("utf-8", "surrogateescape")
    if "body" in fields:
        return _encode(fields["body"])
    if what == "createSandbox":
        template = {**copy.deepcopy(dict(run.target.template)), "metadata": {RUN_LABEL: run.run_id}}
        template.setdefault("timeout", 3600)
        body = merge(template, fields.get("with", {}))
        for path in fields.get("without", []):
            _take_out(body, path.split("."))
        return _encode(body)
    return _encode(fields["with"]) if "with" in fields else None


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one mapping over another, mapping by mapping; everything else is replaced, null included."""
    result = dict(base)
    for name, value in over.items():
        below = result.get(name)
        result[name] = (
            merge(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
        )
    return result


def _take_out(body: dict[str, Any], path: list[str]) -> None:
    for part in path[:-1]:
        inner = body.get(part)
        if not isinstance(inner, dict):
            return
        body = inner
    body.pop(path[-1], None)
