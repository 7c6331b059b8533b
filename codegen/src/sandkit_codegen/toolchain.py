"""The library generators, each in an environment of its own, at the version our templates fit."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TIMEOUT_SECONDS = 120


class ToolchainError(Exception):
    """A generator is missing, of another version, or failed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Generator:
    """A pinned command-line generator: its environment's folder, its command, its version."""

    environment: str
    command: str
    distribution: str
    version: str


MODELS = Generator("models", "datamodel-codegen", "datamodel_code_generator", "0.89.0")
CLIENT = Generator("client", "openapi-python-client", "openapi_python_client", "0.29.1")


@dataclass(frozen=True, slots=True)
class Toolchain:
    """Runs the generators below `folder` (.venv-gen)."""

    folder: Path

    def run(self, generator: Generator, arguments: Sequence[str], working_folder: Path) -> None:
        """Run one generator to its end.

        Raises ToolchainError when it is not there, is of another version, takes too long or fails.
        """
        command = self._command(generator)
        environment = {**_environment(), "PATH": f"{command.parent}{os.pathsep}{os.defpath}"}
        try:
            done = subprocess.run(  # noqa: S603 - a pinned tool with arguments of our own
                (str(command), *arguments),
                cwd=working_folder,
                env=environment,
                capture_output=True,
                text=True,
                encoding="utf-8",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ToolchainError(f"{generator.command} did not end within {_TIMEOUT_SECONDS} s.") from error
        if done.returncode != 0:
            output = (done.stderr or done.stdout).strip()
            raise ToolchainError(f"{generator.command} failed with exit code {done.returncode}:\n{output}")

    def _command(self, generator: Generator) -> Path:
        environment = self.folder / generator.environment
        command = environment / "bin" / generator.command
        if not command.is_file():
            raise ToolchainError(f"{command} is not there. Run `make setup-codegen`.")
        metadata = f"lib/python3*/site-packages/{generator.distribution}-*.dist-info"
        installed = {
            path.name.removesuffix(".dist-info").split("-")[1] for path in environment.glob(metadata)
        }
        if installed != {generator.version}:
            found = ", ".join(sorted(installed)) or "none"
            raise ToolchainError(
                f"{generator.command} {generator.version} is needed in {environment}, found: {found}. "
                "Run `make setup-codegen`; after a change of the pin, adapt the templates first."
            )
        return command


def _environment() -> Mapping[str, str]:
    """What the generators may see of the environment: enough to run, nothing that changes what they write."""
    kept = ("HOME", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT", "PYTHONHASHSEED")
    values = {name: os.environ[name] for name in kept if name in os.environ}
    return {**values, "PYTHONUTF8": "1", "PYTHONDONTWRITEBYTECODE": "1", "NO_COLOR": "1"}
