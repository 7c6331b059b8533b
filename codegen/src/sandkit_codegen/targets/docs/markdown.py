"""Text of the specs inside Markdown: in paragraphs, table cells and code spans."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

_CODE_SPAN = re.compile(r"(`[^`]*`)")
_ERROR_CODE = re.compile(r"\b[A-Z]+::[A-Z_]+\b")


def in_text(text: str) -> str:
    """Prose as it is, but for what would be taken as HTML outside code spans."""
    parts = _CODE_SPAN.split(text.strip())
    return "".join(
        part if part.startswith("`") else part.replace("&", "&amp;").replace("<", "&lt;") for part in parts
    )


def in_cell(text: str) -> str:
    """Prose on one line, for a table cell; pipes outside code spans are made harmless."""
    parts = _CODE_SPAN.split(" ".join(in_text(text).split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)


def in_code(text: str) -> str:
    """A code span around the text, whatever it holds."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    padding = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{padding}{text}{padding}{fence}"


def code_anchor(code: str) -> str:
    """The anchor of an error code on its page."""
    return code.replace("::", "-")


def linker(codes: Collection[str]) -> Callable[[str], str]:
    """A function that turns these error codes, where prose names them, into links to the page of errors."""

    def link(hit: re.Match[str]) -> str:
        return f"[{hit[0]}](errors.md#{code_anchor(hit[0])})" if hit[0] in codes else hit[0]

    return lambda text: "".join(
        part if part.startswith("`") else _ERROR_CODE.sub(link, part) for part in _CODE_SPAN.split(text)
    )
