"""Digests of what the specs say, so that a changed promise is noticed even where nobody reads the diff.

Positions, comments, order of keys and line breaks do not count: only a change of content changes a digest.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from typing import TYPE_CHECKING, cast

from sandkit_codegen.load.nodes import PlainValue, plain

if TYPE_CHECKING:
    from sandkit_codegen.load.spec_set import SpecSet
    from sandkit_codegen.load.tables import Requirement


def canonical_text(text: str) -> str:
    """The text in Unicode form C with every run of white space folded into one space."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def digest(value: PlainValue) -> str:
    """`sha256:` and the hex digest of the value as canonical JSON (sorted keys, no spaces, UTF-8)."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"sha256:{hashlib.sha256(canonical.encode('utf-8')).hexdigest()}"


def requirement_digest(requirement: Requirement) -> str:
    """The digest of what a check has to show: text, level, authority, operations, capability, probe, control.

    Rationale, notes and source explain the promise and may be reworded without a new review of its check.
    """
    return digest(
        {
            "id": requirement.id,
            "level": requirement.level,
            "authority": requirement.authority,
            "text": canonical_text(requirement.text),
            "operation": list(requirement.operation),
            "capability": requirement.capability,
            "probe": cast("list[PlainValue]", sorted(requirement.probe)),
            "control": cast("list[PlainValue]", sorted(requirement.control)),
        }
    )


def spec_digest(specs: SpecSet) -> str:
    """The digest of the wire contract as a whole: OpenAPI document, state tables and error table."""
    contract = {
        "openapi": specs.openapi.document,
        "states": specs.states_document,
        "errors": specs.errors_document,
    }
    return digest({name: _folded(plain(document.root)) for name, document in contract.items()})


def _folded(value: PlainValue) -> PlainValue:
    if isinstance(value, dict):
        return {key: _folded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_folded(item) for item in value]
    return canonical_text(value) if isinstance(value, str) else value
