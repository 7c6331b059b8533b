"""The generated error table, asked for a code as it comes off the wire."""

from __future__ import annotations

from sandkit._generated.errors import ERRORS, ErrorDescriptor

_BY_NAME: dict[tuple[str, int], ErrorDescriptor] = {
    (str(code).rpartition("::")[2], descriptor.status): descriptor for code, descriptor in ERRORS.items()
}


def code_name(code: str | None) -> str:
    """The part behind `::`, which is what clients match on: servers put their runtime's name before it."""
    return (code or "").rpartition("::")[2]


def describe(code: str | None, status: int) -> ErrorDescriptor | None:
    """What the table says about a code, matched by its last part.

    None when the code is not in the table, or stands there with another status: then it is not the same
    error.
    """
    return _BY_NAME.get((code_name(code), status))
