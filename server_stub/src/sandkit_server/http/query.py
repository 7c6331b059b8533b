"""The query string as decoded pairs."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from sandkit_server.core.errors import FieldError, invalid_request

__all__ = ["decode_query"]


def decode_query(query: bytes) -> list[tuple[str, str]]:
    """All pairs in the order sent, empty values included.

    Raises:
        SandkitError: REQUEST::INVALID_PARAMETER for text that is not UTF-8, before it could turn into
            another filter than the one that was meant.
    """
    pairs: list[tuple[str, str]] = []
    wrong: list[FieldError] = []
    for part in query.split(b"&") if query else ():
        name, _, value = part.partition(b"=")
        try:
            pairs.append((_unquote(name).decode("utf-8"), _unquote(value).decode("utf-8")))
        except UnicodeDecodeError:
            shown = _unquote(name).decode("utf-8", "replace")
            wrong.append(FieldError(f"query:{shown}", "utf-8", "Percent-encode this parameter as UTF-8."))
    if wrong:
        raise invalid_request(wrong)
    return [pair for pair in pairs if pair != ("", "")]


def _unquote(text: bytes) -> bytes:
    return unquote_to_bytes(text.replace(b"+", b" "))
