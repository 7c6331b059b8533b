"""How generated folders on disk differ from what the specs give now."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sandkit_codegen.plan import Folder
from sandkit_codegen.tree import files_below

Kind = Literal["changed", "missing", "extra"]
_SHOWN_LINES = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One file that is not as generated; `excerpt` holds the first lines of the change, if it is text."""

    path: str
    kind: Kind
    excerpt: tuple[str, ...] = ()


def differences(root: Path, folders: Iterable[Folder]) -> Iterator[Difference]:
    """Every file that differs in its bytes, is missing, or does not belong, folder by folder and by name."""
    for folder in folders:
        found = files_below(root / folder.path)
        wanted = {name: text.encode("utf-8") for name, text in folder.files.items()}
        for name in sorted(found.keys() | wanted.keys()):
            path = f"{folder.path}/{name}"
            if name not in found:
                yield Difference(path, "missing")
            elif name not in wanted:
                yield Difference(path, "extra")
            elif found[name] != wanted[name]:
                yield Difference(path, "changed", tuple(_excerpt(found[name], wanted[name])))


def report(found: Iterable[Difference]) -> str:
    """The differences for people: one line per file, with the beginning of each change below it."""
    lines: list[str] = []
    for difference in found:
        lines.append(f"{difference.kind:8} {difference.path}")
        lines.extend(f"    {line}" for line in difference.excerpt)
    return "\n".join(lines)


def _excerpt(old: bytes | None, new: bytes) -> Iterator[str]:
    if old is None:
        yield "(not a plain file)"
        return
    try:
        before, after = old.decode("utf-8").splitlines(), new.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        yield "(not UTF-8)"
        return
    diff = list(difflib.unified_diff(before, after, "on disk", "generated", lineterm="", n=1))[2:]
    yield from diff[:_SHOWN_LINES]
    if len(diff) > _SHOWN_LINES:
        yield f"… and {len(diff) - _SHOWN_LINES} more lines"
    if not diff:
        yield "(line ends differ)"
