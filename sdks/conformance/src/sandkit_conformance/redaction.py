"""Redaction: secrets leave no trace in evidence, whatever the server echoes.

A key becomes `[redacted]`. A secret that a scenario sent becomes `[redacted 1f0c9a2e]`: the digits are the
same for the same secret of the same run, so that a reader, and `recheck`, can tell one secret from another.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import define, field

MASK: Final = "[redacted]"
_LABEL: Final = f"{MASK[:-1]} "
_LABELLED: Final = re.compile(r"\[redacted( [0-9a-f]{8})?\]")
_SECRET_HEADERS: Final = re.compile(r"(key|token|secret|authorization|cookie)", re.IGNORECASE)
_SECRET_FIELDS: Final = re.compile(r"(password|secret|token|accesskey|credential)", re.IGNORECASE)
# Shorter values would blot out half the report.
_SHORTEST: Final = 6


@define
class Redactor:
    """Knows the secrets of a run and takes them out of headers, bodies and text."""

    run_id: str = ""
    _keys: set[str] = field(factory=set)
    _secrets: set[str] = field(factory=set)
    _longest_first: list[tuple[str, str]] = field(factory=list)
    _in_json: list[str] = field(factory=list)

    def learn_keys(self, values: Iterable[str | None]) -> None:
        """Remember the keys of the target's ports; ones too short to be secrets are left alone."""
        self._keys |= {value for value in values if value and len(value) >= _SHORTEST}
        self._sort()

    def _learn(self, value: str) -> None:
        if len(value) >= _SHORTEST and value not in self._secrets and not _LABELLED.fullmatch(value):
            self._secrets.add(value)
            self._sort()

    def _sort(self) -> None:
        # The longest first: a secret may contain another.
        known = sorted(self._keys | self._secrets, key=len, reverse=True)
        self._longest_first = [(one, MASK if one in self._keys else self._label(one)) for one in known]
        self._in_json = [json.dumps(secret, ensure_ascii=False)[1:-1] for secret in known]

    def _label(self, secret: str) -> str:
        digest = hashlib.blake2s(secret.encode("utf-8", "surrogatepass"), key=self.run_id.encode()[:32])
        return f"{_LABEL}{digest.hexdigest()[:8]}]"

    def clean(self, data: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The data without known secrets, and its JSON in one line."""
        line = _to_json(data)
        if any(secret in line for secret in self._in_json):
            data = self.value(data)
            line = _to_json(data)
        return data, line

    def learn_from(self, body: Any, *, inside: bool = False) -> None:
        """Remember the secrets a request body carries, judged by the names of its fields."""
        if isinstance(body, Mapping):
            for name, value in body.items():
                self.learn_from(value, inside=inside or bool(_SECRET_FIELDS.search(str(name))))
        elif isinstance(body, list):
            for value in body:
                self.learn_from(value, inside=inside)
        elif inside and isinstance(body, str):
            self._learn(body)

    def echoes(self, text: str) -> frozenset[str]:
        """What the text gives away: `key` for one of the target's keys, `secret` for one of a request."""
        found = {"key": self._keys, "secret": self._secrets}
        return frozenset(name for name, known in found.items() if any(one in text for one in known))

    def text(self, text: str) -> str:
        """The text without known secrets."""
        for secret, mask in self._longest_first:
            text = text.replace(secret, mask)
        return text

    def restored(self, value: Any) -> Any:
        """JSON with the secrets of requests, as far as they are known, back in place of their masks."""
        masks = [(mask, secret) for secret, mask in self._longest_first if mask != MASK]
        return _replaced(value, masks) if masks else value

    def value(self, value: Any) -> Any:
        """JSON without known secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(part) for name, part in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(part) for part in value]
        return value

    def headers(self, headers: Iterable[tuple[str, str]]) -> list[list[str]]:
        """Headers without secrets: those of a telling name entirely, others as far as a secret is known."""
        return [
            [
                name,
                MASK if _is_secret(name) else self.text(value),
            ]
            for name, value in headers
        ]


@functools.lru_cache
def _is_secret(header: str) -> bool:
    return bool(_SECRET_HEADERS.search(header)) and header.lower() != "idempotency-key"


def _to_json(data: Any) -> str:
    return json.dumps(data, ensure_ascii=False, default=str)


def _replaced(value: Any, pairs: list[tuple[str, str]]) -> Any:
    if isinstance(value, str):
        # Most texts never held a secret.
        if _LABEL in value:
            for old, new in pairs:
                value = value.replace(old, new)
        return value
    if isinstance(value, dict):
        return {_replaced(name, pairs): _replaced(part, pairs) for name, part in value.items()}
    return [_replaced(part, pairs) for part in value] if isinstance(value, list) else value
