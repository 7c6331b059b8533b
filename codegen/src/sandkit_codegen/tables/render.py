"""Renders the tables for one package."""

from __future__ import annotations

from pathlib import Path

from sandkit_codegen.load import UNKNOWN
from sandkit_codegen.rendering import Renderer
from sandkit_codegen.source import Source

_TEMPLATES = Path(__file__).parent / "templates"
_NAMES = ("errors", "states", "known_values")


def render_tables(source: Source, package: str) -> dict[str, str]:
    """errors.py, states.py and known_values.py of the package `package`; they import nothing heavy."""
    renderer = Renderer(_TEMPLATES)
    context = {
        "package": package,
        "errors": source.errors,
        "machines": tuple(source.states.values()),
        "unknown": UNKNOWN,
        "known_values": source.api.known_values,
    }
    return {f"{name}.py": renderer.render(f"{name}.py.jinja", **context) for name in _NAMES}
