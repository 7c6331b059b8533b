"""A copy of each CustomResourceDefinition: a chart can only hold files that lie in its own folder."""

from __future__ import annotations

from pathlib import Path

from sandkit_codegen.rendering import NOTICE
from sandkit_codegen.source import Source


def render_chart(source: Source) -> dict[str, str]:
    """One file per definition, as it is written in specs/crds, comments included."""
    files = (Path(document.path) for document in source.specs.crds)
    return {file.name: f"# {NOTICE}\n{file.read_text('utf-8')}" for file in files}
