"""The command line: every command, and what its exit code says."""

from __future__ import annotations

import sys

import click

from sandkit_conformance.cli.browsing import explain, list_, schema
from sandkit_conformance.cli.comparing import diff, matrix, recheck
from sandkit_conformance.cli.driving import driver_check
from sandkit_conformance.cli.mutating import mutants
from sandkit_conformance.cli.running import doctor, run, sweep
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.verdict import ExitCode

_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sandkit-conformance", prog_name="sandkit-conformance")
def commands() -> None:
    """Conformance suite for servers of the sandbox lifecycle API.

    Exit codes: 0 everything asked for holds, 1 a requirement is broken or something was left behind,
    2 the suite itself could not run, 3 incomplete, 4 the baseline is stale.
    """


for _command in (run, list_, explain, schema, diff, matrix, recheck, sweep, doctor, mutants, driver_check):
    commands.add_command(_command)


def run_command_line(arguments: list[str]) -> int:
    """Run one command line and say its exit code; what goes wrong is a message, never a traceback."""
    try:
        code = commands.main(args=arguments, prog_name="sandkit-conformance", standalone_mode=False)
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
