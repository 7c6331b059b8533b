"""Blocking Python out of asynchronous Python, token by token.

The SDK is written once, asynchronously; this turns a folder of it into its blocking twin. Tokens are
rewritten, not text, so that a word inside a string of data stays what it is; comments and docstrings are
rewritten by rules of their own, so that the examples in them fit the code beside them.

What changes:

- `async def|with|for` lose `async`; `await x` becomes `x`; `Awaitable[X]` becomes `X`;
- the names of the asynchronous protocols become the blocking ones (`__aenter__` → `__enter__`, `aclose` →
  `close`, …), and any name beginning with `Async` or `_Async` loses that part (`AsyncClient` → `Client`);
- a part of a module path that is or ends in `_async` ends in `_sync` (`sandkit._async.page`);
- a class or function directly below a comment line `# async-only: <why>` is left out, with its decorators.

F-strings are data: an `await` inside one is refused, because the twin would not run.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

NAMES: Mapping[str, str] = MappingProxyType(
    {
        "__aenter__": "__enter__",
        "__aexit__": "__exit__",
        "__aiter__": "__iter__",
        "__anext__": "__next__",
        "AsyncListing": "Page",
        "StopAsyncIteration": "StopIteration",
        "aclose": "close",
        "aiter": "iter",
        "aiter_bytes": "iter_bytes",
        "anext": "next",
        "aread": "read",
        "asynccontextmanager": "contextmanager",
        "handle_async_request": "handle_request",
    }
)
"""Names that do not follow the rule for `Async…`. A listing is a page that is still to be awaited."""

_PROSE: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(r"\basync (def|with|for)\b"), r"\1"),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\b(_?)Async(?=[A-Z])"), r"\1"),
    (re.compile(r"\b_async\b"), "_sync"),
    (re.compile(r"\basynchronous(ly)?\b"), r"blocking\1"),
    (re.compile(r"\b(" + "|".join(sorted(NAMES, key=len, reverse=True)) + r")\b"), lambda hit: NAMES[hit[0]]),
)
_MARK = re.compile(r"^\s*# async-only: \S")
_SKIPPED_AFTER_ASYNC = frozenset({"def", "with", "for"})


class UnasyncError(Exception):
    """The source cannot be turned into blocking code; the message names the line and what to do."""


def sync_tree(folder: Path, notice: str) -> dict[str, str]:
    """The blocking twin of every Python file below a folder, by path relative to it.

    Args:
        folder: The asynchronous sources.
        notice: The first line of each file, without the `#`; `{source}` in it becomes the source's path,
            beginning with the folder's own name.

    Raises:
        UnasyncError: A file cannot be converted; the message names it.
    """
    files: dict[str, str] = {}
    for path in sorted(folder.rglob("*.py")):
        name = path.relative_to(folder).as_posix()
        try:
            text = sync_source(path.read_text(encoding="utf-8"))
        except (UnasyncError, SyntaxError, tokenize.TokenError) as problem:
            raise UnasyncError(f"{path}: {problem}") from problem
        files[name] = f"# {notice.format(source=f'{folder.name}/{name}')}\n{text}"
    return files


def sync_source(source: str) -> str:
    """One module as blocking code. Raises UnasyncError or SyntaxError."""
    source = _without_marked(source)
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    lines = source.splitlines(keepends=True)
    docstrings = _docstring_positions(source)
    blocking = _joined(lines, list(_replacements(tokens, docstrings)))
    for node in ast.walk(ast.parse(blocking)):
        if isinstance(node, ast.Await):
            raise UnasyncError(
                f"line {node.lineno} of the twin still awaits: take the await out of the f-string"
            )
    return blocking


def _without_marked(source: str) -> str:
    lines = source.splitlines(keepends=True)
    drop: set[int] = set()
    marks = {number for number, line in enumerate(lines, 1) if _MARK.match(line)}
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        if first - 1 in marks:
            marks.discard(first - 1)
            assert node.end_lineno is not None
            drop.update(range(first - 1, node.end_lineno + 1))
    if marks:
        raise UnasyncError(
            f"line {min(marks)}: put the async-only comment directly above a class or function"
        )
    return "".join(line for number, line in enumerate(lines, 1) if number not in drop)


def _docstring_positions(source: str) -> frozenset[tuple[int, int]]:
    """Where bare string statements begin: docstrings of modules, classes, functions and attributes."""
    return frozenset(
        (node.value.lineno, node.value.col_offset)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _replacements(
    tokens: list[tokenize.TokenInfo], docstrings: frozenset[tuple[int, int]]
) -> Iterator[tuple[tokenize.TokenInfo, str]]:
    """Each token that changes with its new text; an empty text also swallows the blanks behind the token."""
    closing = _awaitable_brackets(tokens)
    inside = 0
    for index, token in enumerate(tokens):
        # From Python 3.12 on an f-string comes in pieces; they stay as they are, as under 3.11.
        inside += {"FSTRING_START": 1, "FSTRING_END": -1}.get(tokenize.tok_name[token.type], 0)
        if inside:
            continue
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        if token.type == tokenize.NAME:
            new = _name(token.string, following.string)
        elif token.type == tokenize.COMMENT or token.start in docstrings:
            new = prose(token.string)
        elif index in closing:
            new = ""
        else:
            continue
        if new != token.string:
            yield token, new


def _name(name: str, following: str) -> str:
    if name == "await" or (name == "async" and following in _SKIPPED_AFTER_ASYNC):
        return ""
    if name == "Awaitable" and following == "[":
        return ""
    if name in NAMES:
        return NAMES[name]
    if name == "_async" or name.endswith("_async"):
        return f"{name.removesuffix('_async')}_sync"
    return re.sub(r"^(_?)Async(?=[A-Z])", r"\1", name)


def _awaitable_brackets(tokens: list[tokenize.TokenInfo]) -> frozenset[int]:
    """The positions of the brackets around the argument of `Awaitable[…]`."""
    brackets: set[int] = set()
    for index, token in enumerate(tokens[:-1]):
        if token.string == "Awaitable" and tokens[index + 1].string == "[":
            depth = 0
            for position in range(index + 1, len(tokens)):
                depth += {"[": 1, "]": -1}.get(tokens[position].string, 0)
                if depth == 0:
                    brackets.update({index + 1, position})
                    break
    return frozenset(brackets)


def prose(text: str) -> str:
    """A comment or docstring as it reads beside the blocking code."""
    for pattern, replacement in _PROSE:
        text = pattern.sub(replacement, text)
    return text


def _joined(lines: list[str], replacements: list[tuple[tokenize.TokenInfo, str]]) -> str:
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    source = "".join(lines)
    pieces: list[str] = []
    position = 0
    for token, new in replacements:
        begin = starts[token.start[0] - 1] + token.start[1]
        end = starts[token.end[0] - 1] + token.end[1]
        pieces += [source[position:begin], new]
        position = end
        if not new and token.type == tokenize.NAME:
            while source[position] == " ":
                position += 1
    return "".join([*pieces, source[position:]])
