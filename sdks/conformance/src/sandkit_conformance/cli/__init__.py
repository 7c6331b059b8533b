"""The command line: every command, and what its exit code says."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Final

import click

from sandkit_conformance.failures import SuiteError
from sandkit_conformance.verdict import ExitCode

_NAME: Final = "sandkit-conformance"
_INTERRUPTED: Final = 130
# Where each command is: a command imports what it needs, and nobody waits for what the others do.
_COMMANDS: Final[Mapping[str, tuple[str, str]]] = {
    "run": ("running", "run"),
    "list": ("browsing", "list_"),
    "explain": ("browsing", "explain"),
    "schema": ("browsing", "schema"),
    "diff": ("comparing", "diff"),
    "matrix": ("comparing", "matrix"),
    "recheck": ("comparing", "recheck"),
    "sweep": ("running", "sweep"),
    "doctor": ("running", "doctor"),
    "mutants": ("mutating", "mutants"),
    "driver-check": ("driving", "driver_check"),
}


class _Commands(click.Group):
    """A group that imports a command when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module, name = _COMMANDS[cmd_name]
        found: click.Command = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name=_NAME, prog_name=_NAME)
def commands() -> None:
    """Conformance suite for servers of the sandbox lifecycle API.

    Exit codes: 0 everything asked for holds, 1 a requirement is broken or something was left behind,
    2 the suite itself could not run, 3 incomplete, 4 the baseline is stale.
    """


def run_command_line(arguments: list[str]) -> int:
    """Run one command line and say its exit code; what goes wrong is a message, never a traceback."""
    try:
        code = commands.main(args=arguments, prog_name=_NAME, standalone_mode=False, obj=[_NAME, *arguments])
        return int(code or 0)
    except click.ClickException as error:
        error.show(file=sys.stderr)
    except SuiteError as error:
        click.echo(f"sandkit-conformance: {error}", err=True)
    except (click.Abort, KeyboardInterrupt):
        click.echo("sandkit-conformance: interrupted; `sweep` takes back what is left", err=True)
        return _INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: a defect of the suite, said in one line
        click.echo(f"sandkit-conformance: a defect of the suite: {type(error).__name__}: {error}", err=True)
    return int(ExitCode.CANNOT_RUN)
