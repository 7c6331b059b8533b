"""Text a server sent, made fit for a document."""

from __future__ import annotations

import re
from typing import Final

# XML 1.0 has no way to write these down, not even as references.
_UNPRINTABLE: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """The text with characters that no document can hold replaced by U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", text)
