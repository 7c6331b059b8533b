"""Names of the specs as names of Python."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata

# What generated functions call their own variables and what they call; a parameter may not hide it.
_TAKEN = frozenset(
    {"answer", "body", "boolean", "context", "grouped", "inbound", "models", "msgspec", "query", "re"}
    | {"service", "single", "violations"}
)
_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\WA-Z_]+|[A-Z]+|\d+")


def snake_case(name: str) -> str:
    """`createSandbox` → `create_sandbox`, `X-Request-ID` → `x_request_id`; always a valid identifier."""
    words = [word.lower() for word in _WORDS.findall(unicodedata.normalize("NFKC", name))]
    return _identifier("_".join(words))


def constant_case(name: str) -> str:
    """`Pending` → `PENDING`, `REQUEST::NOT_FOUND` → `REQUEST_NOT_FOUND`; always a valid identifier."""
    if name.upper() == name:
        return _identifier("_".join(part for part in re.split(r"\W+", name) if part))
    return _identifier(snake_case(name).upper())


def pascal_case(name: str) -> str:
    """`sandbox` → `Sandbox`, `pause-modes` → `PauseModes`; always a valid identifier."""
    return _identifier("".join(word[:1].upper() + word[1:] for word in snake_case(name).split("_")))


def parameter_name(name: str) -> str:
    """Like `snake_case`, and never the name of a builtin or of something generated functions use."""
    snake = snake_case(name)
    return f"{snake}_" if hasattr(builtins, snake) or snake in _TAKEN else snake


def _identifier(name: str) -> str:
    name = "".join(character for character in name if f"_{character}".isidentifier())
    if not name:
        return "unnamed"
    if not name.isidentifier():
        name = f"n{name}"
    return f"{name}_" if keyword.iskeyword(name) or name in ("match", "case", "type", "self", "cls") else name
