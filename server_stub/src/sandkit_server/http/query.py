"""The query string as decoded pairs."""

from __future__ import annotations

from urllib.parse import parse_qsl

from sandkit_server.core.errors import FieldError, invalid_request

__all__ = ["decode_query"]


def decode_query(query: bytes) -> list[tuple[str, str]]:
    """All pairs in the order sent, empty values included.

    Raises:
        SandkitError: REQUEST::INVALID_PARAMETER for text that is not UTF-8, before it could turn into
            another filter than the one that was meant.
    """
    if not query:
        return []
    text = query.decode("latin-1")
    if text.isascii():
        try:
            return parse_qsl(text, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            pass
    wrong = [
        FieldError(f"query:{name}", "utf-8", "Percent-encode this parameter as UTF-8.")
        for name, value in parse_qsl(text, keep_blank_values=True, errors="replace")
        if (not (name + value).isascii() and "\ufffd" in name + value) or not text.isascii()
    ]
    raise invalid_request(wrong or [FieldError("query:", "utf-8", "Percent-encode the query as UTF-8.")])
