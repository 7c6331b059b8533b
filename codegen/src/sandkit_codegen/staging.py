"""Puts generated folders in their place: written beside it, then swapped, so that no reader sees half."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sandkit_codegen.plan import Folder
from sandkit_codegen.tree import files_below


def swap_in(root: Path, folders: Iterable[Folder]) -> tuple[str, ...]:
    """Replace every folder that differs by its new content; returns the paths that were replaced.

    All folders are staged before the first is swapped. Whatever else a folder held is gone afterwards.
    """
    changed = [folder for folder in folders if _differs(root, folder)]
    staged: list[tuple[Path, Path]] = []
    try:
        staged.extend((_stage(root / folder.path, folder.files), root / folder.path) for folder in changed)
        for stage, place in staged:
            _swap(stage, place)
    finally:
        for stage, _ in staged:
            shutil.rmtree(stage, ignore_errors=True)
    return tuple(folder.path for folder in changed)


def _differs(root: Path, folder: Folder) -> bool:
    wanted = {name: text.encode("utf-8") for name, text in folder.files.items()}
    return files_below(root / folder.path) != wanted


def _stage(place: Path, files: Mapping[str, str]) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=f".{place.name}.", suffix=".new", dir=place.parent))
    for name, text in sorted(files.items()):
        (stage / name).parent.mkdir(parents=True, exist_ok=True)
        (stage / name).write_bytes(text.encode("utf-8"))
    stage.chmod(0o755)
    return stage


def _swap(stage: Path, place: Path) -> None:
    """Two renames: a crash between them leaves the old folder under its `.old` name, never a mixture."""
    old = stage.with_suffix(".old")
    if place.exists():
        place.replace(old)
    try:
        stage.replace(place)
    except OSError:
        if old.exists():
            old.replace(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
