"""Runs openapi-python-client with our templates and keeps what they wrote: models and operations."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from sandkit_codegen.rendering import NOTICE
from sandkit_codegen.source import Source
from sandkit_codegen.targets.python.document import MODULE_PREFIX, client_document
from sandkit_codegen.toolchain import CLIENT, Toolchain

_TEMPLATES = Path(__file__).parent / "templates" / "client"


def render_client(source: Source, toolchain: Toolchain, package: str) -> dict[str, str]:
    """models.py and operations/*.py. Raises SpecError, ToolchainError."""
    document = client_document(source.openapi, source.api)
    settings = {"package_name_override": package, "post_hooks": [], "field_prefix": "n"}
    with tempfile.TemporaryDirectory(prefix="sandkit-client-") as name:
        folder = Path(name)
        (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
        (folder / "config.json").write_text(json.dumps(settings), encoding="utf-8")
        arguments = (
            "generate",
            "--path=openapi.json",
            "--config=config.json",
            "--meta=none",
            "--output-path=client",
            "--fail-on-warning",
            f"--custom-template-path={_TEMPLATES}",
        )
        toolchain.run(CLIENT, arguments, folder)
        made = folder / "client"
        modules = {"models.py": made / "models" / "__init__.py"}
        for operation in source.api.operations:
            # The generator drops an underscore at the end of a name.
            module = f"{MODULE_PREFIX}{operation.function.rstrip('_')}.py"
            modules[f"operations/{operation.function}.py"] = made / "api" / "operations" / module
        return {
            name: f"# {NOTICE}\n{path.read_text(encoding='utf-8').lstrip()}" for name, path in modules.items()
        }
