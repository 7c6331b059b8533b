"""Writes down the public surface that test_public_surface.py compares with."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def main() -> None:
    """Write public_surface.txt beside this file."""
    here = Path(__file__).parent
    spec = importlib.util.spec_from_file_location("surface", here / "test_public_surface.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.SURFACE.write_text(module.surface(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
