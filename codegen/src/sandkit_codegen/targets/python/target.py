"""Puts the files of the python target together."""

from __future__ import annotations

from pathlib import Path

from sandkit_codegen.rendering import Renderer, formatted
from sandkit_codegen.source import Source
from sandkit_codegen.tables import render_tables
from sandkit_codegen.targets.python.client import render_client
from sandkit_codegen.toolchain import Toolchain

_TEMPLATES = Path(__file__).parent / "templates" / "package"
_NAMES = ("__init__", "absence", "decoding", "exchange", "table", "envelope")


def render_python(
    source: Source, toolchain: Toolchain, package: str = "sandkit._generated"
) -> dict[str, str]:
    """Every file of the package by its name. Raises SpecError, ToolchainError."""
    renderer = Renderer(_TEMPLATES)
    context = {"package": package, "operations": source.api.operations}
    files = {f"{name}.py": renderer.render(f"{name}.py.jinja", **context) for name in _NAMES}
    files["operations/__init__.py"] = renderer.render("operations.py.jinja", **context)
    files |= render_tables(source, package)
    files |= render_client(source, toolchain, package)
    return formatted(files)
