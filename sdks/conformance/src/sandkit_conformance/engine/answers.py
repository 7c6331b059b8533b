"""What must hold in every single answer, invariant by invariant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.scenario.matchers import parse_instant
from sandkit_conformance.scenario.paths import NOTHING

_CODE: Final = re.compile(r"^[A-Z][A-Z0-9_]*::[A-Z][A-Z0-9_]*$")
_INSTANT_FIELD: Final = re.compile(r"At$")
_UTC: Final = re.compile(r"(Z|\+00:00)$")
_SHOWN: Final = 120


@frozen
class Finding:
    """One invariant was looked at; `message` says how it is broken, None that it holds."""

    invariant: str
    message: str | None = None


@frozen
class Judge:
    """Holds complete answers against the invariants that apply to them."""

    contract: Contract
    catalogue: Catalogue

    def findings(self, exchange: Exchange) -> Iterator[Finding]:
        """Every invariant that applies to the answer, with what breaks it."""
        yield from _request_ids(exchange)
        yield from _secrets(exchange)
        if exchange.ok:
            yield from _instants(exchange)
        else:
            yield _envelope(exchange)
            if exchange.code is not None:
                yield Finding("codes", self._code(exchange))
                yield from self._retry_after(exchange)
        if exchange.call.operation in self.contract.operations:
            yield Finding("documented-status", self._status(exchange))
            yield from (Finding("schema", message) for message in [*self._shape(exchange), None])

    def _code(self, exchange: Exchange) -> str | None:
        code = exchange.code or ""
        if not _CODE.match(code):
            return f"code {code!r} has not the form AREA::NAME"
        operation = self.contract.operations.get(exchange.call.operation or "")
        declared = operation.codes if operation else frozenset(self.catalogue.errors)
        if code not in declared:
            return f"code {code} is not one the operation declares"
        expected = self.catalogue.errors[code].status if code in self.catalogue.errors else exchange.status
        return (
            None
            if expected == exchange.status
            else f"{code} came with {exchange.status}, its status is {expected}"
        )

    def _retry_after(self, exchange: Exchange) -> Iterator[Finding]:
        descriptor = self.catalogue.errors.get(exchange.code or "")
        if descriptor is None or descriptor.retryable != "retry-after":
            return
        value = exchange.header_map.get("retry-after", "")
        good = value.isascii() and value.isdigit()
        yield Finding(
            "retry-after", None if good else f"{exchange.code} without Retry-After in seconds ({value!r})"
        )

    def _status(self, exchange: Exchange) -> str | None:
        operation = self.contract.operations[exchange.call.operation or ""]
        if str(exchange.status) in operation.responses:
            return None
        return f"{exchange.status} is not documented for {operation.id} ({', '.join(operation.responses)})"

    def _shape(self, exchange: Exchange) -> Iterator[str]:
        """Media type, required headers and body, as documented; errors have an invariant of their own."""
        operation, status = self.contract.operations[exchange.call.operation or ""], str(exchange.status)
        if not exchange.ok or status not in operation.responses:
            return
        for name in self.contract.required_headers(operation, status):
            # The request id is an invariant of its own.
            if name.lower() not in exchange.header_map and name.lower() != "x-request-id":
                yield f"{status} without {name}"
        expected = self.contract.content_type(operation, status)
        found = _media_type(exchange)
        if expected and found != expected:
            yield f"{status} is {found or 'of no media type'}, not {expected}"
        if expected == "application/json":
            body = exchange.json
            if body is NOTHING:
                yield f"{status} with a body that is not JSON: {exchange.text[:_SHOWN]!r}"
            else:
                yield from self.contract.body_errors(operation, status, exchange.body, body)


def _secrets(exchange: Exchange) -> Iterator[Finding]:
    found = f"answered {exchange.status} with it in the answer"
    yield Finding("no-keys", f"a key was sent back: {found}" if "key" in exchange.echoes else None)
    leaked = "secret" in exchange.echoes
    yield Finding("no-secrets", f"a secret of a request was sent back: {found}" if leaked else None)


def _media_type(exchange: Exchange) -> str:
    return exchange.header_map.get("content-type", "").partition(";")[0].strip().lower()


def _request_ids(exchange: Exchange) -> Iterator[Finding]:
    message = None if exchange.request_id else f"{exchange.status} without X-Request-ID"
    yield Finding("request-id", message)
    if not exchange.ok:
        yield Finding("error-request-id", message)


def _envelope(exchange: Exchange) -> Finding:
    body, media_type = exchange.json, _media_type(exchange)
    if not isinstance(body, dict):
        text = f"the body is {media_type or 'of no media type'}: {exchange.text[:_SHOWN]!r}"
        return Finding("envelope", f"{exchange.status} without an error envelope; {text}")
    if not isinstance(body.get("code"), str) or not body["code"]:
        return Finding("envelope", f"{exchange.status}: the envelope has no `code`: {exchange.text[:_SHOWN]}")
    if not isinstance(body.get("message"), str):
        return Finding(
            "envelope", f"{exchange.status}: the envelope has no `message`: {exchange.text[:_SHOWN]}"
        )
    if media_type != "application/json":
        return Finding(
            "envelope", f"{exchange.status}: the envelope is sent as {media_type or 'no media type'}"
        )
    return Finding("envelope")


def _instants(exchange: Exchange) -> Iterator[Finding]:
    body = exchange.json
    for path, value in _instant_fields(body, "") if body is not NOTHING else ():
        good = parse_instant(value) is not None and _UTC.search(value)
        yield Finding("utc-instants", None if good else f"{path} is {value!r}, not RFC 3339 in UTC")


def _instant_fields(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, part in enumerate(value):
            yield from _instant_fields(part, f"{path}/{index}")
    elif isinstance(value, dict):
        for name, part in value.items():
            # What callers wrote themselves may be named like an instant and be none.
            if name in {"metadata", "extensions", "env"}:
                continue
            if isinstance(part, str) and _INSTANT_FIELD.search(name):
                yield f"{path}/{name}", part
            else:
                yield from _instant_fields(part, f"{path}/{name}")
