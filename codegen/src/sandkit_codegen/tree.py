"""What a generated folder holds on disk."""

from __future__ import annotations

from pathlib import Path


def files_below(folder: Path) -> dict[str, bytes | None]:
    """Every file below `folder` by its relative path, tracked or not; empty when there is no folder.

    None stands for what is no plain file (a link, a socket). Only what Python leaves beside its sources is
    passed over.
    """
    if not folder.is_dir():
        return {}
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {
        path.relative_to(folder).as_posix(): None
        if path.is_symlink() or not path.is_file()
        else path.read_bytes()
        for path in found
        if "__pycache__" not in path.parts
    }
