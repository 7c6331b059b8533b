"""Puts the files of the server target together."""

from __future__ import annotations

from pathlib import Path

from sandkit_codegen.rendering import NOTICE, Renderer, formatted
from sandkit_codegen.source import Source
from sandkit_codegen.tables import render_tables
from sandkit_codegen.targets.server.models import render_models
from sandkit_codegen.targets.server.operations import operation_views
from sandkit_codegen.toolchain import Toolchain

_TEMPLATES = Path(__file__).parent / "templates"
_IMPORTS = "from {package}.redaction import redacted\n"


def render_server(
    source: Source, toolchain: Toolchain, package: str = "sandkit_server._generated"
) -> dict[str, str]:
    """Every file of the package by its name. Raises SpecError, ToolchainError."""
    renderer = Renderer(_TEMPLATES)
    api = source.api
    context = {
        "package": package,
        "protocol": "LifecycleApi",
        "operations": operation_views(api),
        "routeless_codes": api.routeless_codes,
        "api_version": api.version,
    }
    names = ("__init__", "instants", "redaction", "exchange", "api", "routes")
    files = {f"{name}.py": renderer.render(f"{name}.py.jinja", **context) for name in names}
    files.update(render_tables(source, package))
    files["models.py"] = _models(source, toolchain, package)
    return formatted(files)


def _models(source: Source, toolchain: Toolchain, package: str) -> str:
    code = render_models(source.openapi, package, toolchain)
    future, rest = code.split("\n", 1)
    docstring = '"""The bodies of requests and answers: absent is UNSET, null is None, instants are aware."""'
    return f"# {NOTICE}\n{docstring}\n\n{future}\n{_IMPORTS.format(package=package)}{rest}"
