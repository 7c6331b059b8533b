"""`driver-check`: whether a driver of the JSON-lines protocol can be trusted."""

from __future__ import annotations

import anyio
import click

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.choosing import driver_command
from sandkit_conformance.drivers.trials.course import try_driver
from sandkit_conformance.verdict import ExitCode


@click.command("driver-check")
@click.option(
    "--driver",
    required=True,
    metavar="DRIVER",
    help="python, python-async, or the command of another driver.",
)
def driver_check(driver: str) -> int:
    """Try a driver against a scripted server, and say what is wrong with it.

    Exit codes: 0 nothing is wrong, 1 something is, 2 it cannot be started.
    """
    findings = anyio.run(try_driver, driver_command(driver), Contract(load_catalogue().openapi))
    for finding in findings:
        click.echo(str(finding))
    if not findings:
        click.echo("nothing is wrong with it")
    return int(ExitCode.FAILURES if findings else ExitCode.GOOD)
