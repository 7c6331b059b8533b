r"""Regular expressions of JSON Schema (ECMA-262 with the `u` flag) as expressions of Python's `re`.

The two languages spell many patterns alike and mean different things: in Python `$` also matches before a
trailing line end, and `\d` and `\w` match digits and letters of every script. A server that took the
spelling as it is would accept what the contract refuses.
"""

from __future__ import annotations

_ESCAPES = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "/": "/", "-": "-"}
_ESCAPES_IN_CLASS = {"d": "0-9", "w": "A-Za-z0-9_", "/": "/", "-": r"\-"}
_LINE_ENDS = r"[^\n\r\u2028\u2029]"


class UntranslatablePatternError(ValueError):
    """The expression uses something that has no counterpart here; the message says what."""


def python_pattern(pattern: str) -> str:
    """The same language as a Python expression for `re.search`. Raises UntranslatablePatternError."""
    parts: list[str] = []
    in_class = False
    index = 0
    while index < len(pattern):
        character = pattern[index]
        if character == "\\":
            text, index = _escape(pattern, index + 1, in_class=in_class)
            parts.append(text)
            continue
        parts.append(character if in_class else {"$": r"\Z", ".": _LINE_ENDS}.get(character, character))
        if character == "[":
            if in_class:
                parts[-1] = r"\["
            in_class = True
        elif character == "]":
            in_class = False
        index += 1
    return "".join(parts)


def _escape(pattern: str, index: int, *, in_class: bool) -> tuple[str, int]:
    """The translation of the escape whose letter stands at `index`, and where reading goes on."""
    letter = pattern[index : index + 1]
    if letter in ("p", "P", "k", "c") or (in_class and letter in ("D", "W")):
        raise UntranslatablePatternError(f"the escape \\{letter} is not supported here")
    table = _ESCAPES_IN_CLASS if in_class else _ESCAPES
    return table.get(letter, f"\\{letter}"), index + 1
