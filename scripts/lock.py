"""Writes or checks the hashed locks of requirements/: `python scripts/lock.py write|check`.

A lock names versions and digests, and no registry: it works with PyPI, a mirror or a folder of wheels.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"


class Lock(NamedTuple):
    """One lock: the name of its .in file, and the lock whose pins it must share, if any."""

    name: str
    constraint: str | None = None


# In the order they are resolved; uv first, so that .venv keeps the very uv that made it.
LOCKS = (
    Lock("uv"),
    Lock("dev", constraint="uv"),
    Lock("codegen-client"),
    Lock("codegen-models"),
    Lock("peer-opensandbox-server"),
)

_HEADER = "# Written by `make lock` from requirements/{name}.in; do not edit.\n"
_REGISTRY = re.compile(r"https?://|--(?:extra-)?index-url|--find-links", re.IGNORECASE)


def compile_lock(lock: Lock, target: Path, *, upgrade: bool) -> None:
    """Resolve one .in file into `target`; pins already in `target` stay unless `upgrade` is set."""
    command = [
        str(Path(sysconfig.get_path("scripts")) / "uv"),
        *("pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        *("--generate-hashes", "--no-emit-index-url", "--no-header", "--no-annotate"),
        *(("--upgrade",) if upgrade else ()),
        *(("--constraint", f"requirements/{lock.constraint}.txt") if lock.constraint else ()),
        *("--output-file", str(target), f"requirements/{lock.name}.in"),
    ]
    subprocess.run(command, cwd=ROOT, check=True)
    target.write_text(_HEADER.format(name=lock.name) + target.read_text("utf-8"), "utf-8")


def defects() -> list[str]:
    """Say what is wrong with the committed locks; an empty list when they are in step."""
    found = []
    with tempfile.TemporaryDirectory() as scratch:
        for lock in LOCKS:
            committed = REQUIREMENTS / f"{lock.name}.txt"
            if not committed.is_file():
                found.append(f"requirements/{lock.name}.txt is missing")
                continue
            before = committed.read_text("utf-8")
            fresh = Path(scratch) / committed.name
            fresh.write_text(before, "utf-8")
            compile_lock(lock, fresh, upgrade=False)
            if fresh.read_text("utf-8") != before:
                found.append(f"requirements/{lock.name}.txt is out of step with its .in file")
            if _REGISTRY.search(before):
                found.append(f"requirements/{lock.name}.txt names a registry")
    return found


def main(arguments: list[str]) -> int:
    """Run `write` (resolve to the newest), or `check`; any other word is a mistake of the caller."""
    if arguments == ["write"]:
        for lock in LOCKS:
            compile_lock(lock, REQUIREMENTS / f"{lock.name}.txt", upgrade=True)
        return 0
    if arguments == ["check"]:
        found = defects()
        for defect in found:
            print(f"{defect}; run `make lock` and commit the result", file=sys.stderr)
        return 1 if found else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
