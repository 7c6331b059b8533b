"""`run`, `sweep` and `doctor`: what needs a server."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import click

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.drivers.choosing import RAW
from sandkit_conformance.engine.options import DEFAULT_CONCURRENCY
from sandkit_conformance.profile import DEFAULT_PROFILE, PROFILES
from sandkit_conformance.target import Target, TargetOptions, load_target
from sandkit_conformance.verdict import ExitCode

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


def target_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which server, shared by every command that talks to one."""
    for option in reversed(
        (
            click.option("--base-url", metavar="URL", help="Address of the API, with or without /v1."),
            click.option(
                "--api-key-env", metavar="NAME", help="Environment variable that holds the API key."
            ),
            click.option("--target", "target_file", type=_FILE, help="Target file; the options win over it."),
            click.option("--probe-url", metavar="URL", help="Address of the probe port."),
            click.option("--probe-key-env", metavar="NAME", default="SANDKIT_PROBE_KEY", show_default=True),
            click.option("--control-url", metavar="URL", help="Address of the control port."),
            click.option(
                "--control-key-env", metavar="NAME", default="SANDKIT_CONTROL_KEY", show_default=True
            ),
        )
    ):
        function = option(function)
    return function


def load_from(target_file: Path | None, options: dict[str, Any]) -> Target:
    """The target that the options of `target_options` describe."""
    names = ("base_url", "api_key_env", "probe_url", "probe_key_env", "control_url", "control_key_env")
    return load_target(target_file, TargetOptions(**{name: options[name] for name in names}), os.environ)


@click.command()
@target_options
@click.option("--profile", type=click.Choice(list(PROFILES)), default=DEFAULT_PROFILE, show_default=True)
@click.option(
    "--req", "patterns", multiple=True, metavar="PATTERN", help="Only these, e.g. 'VOL-*'. May be repeated."
)
@click.option(
    "--gate",
    type=click.Choice(["spec", "proposed", "all"]),
    default="spec",
    show_default=True,
    help="What counts for the exit code: MUSTs of the published contract, proposed MUSTs too, or everything.",
)
@click.option("--baseline", "baseline_file", type=_FILE, help="Known failures; stale lines are red (exit 4).")
@click.option(
    "--report-dir", type=_FOLDER, help="Folder for report.{html,json,xml}, badge.svg, trace and ledger."
)
@click.option(
    "--scenarios", "scenario_dir", type=_FOLDER, help="Play these scenario files instead of the suite's own."
)
@click.option("--seed", type=click.IntRange(min=0), help="Repeat the order and the races of an earlier run.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=DEFAULT_CONCURRENCY, show_default=True)
@click.option(
    "--driver",
    metavar="DRIVER",
    default=RAW,
    show_default=True,
    help="raw, python, python-async, or the command of another driver; see docs/conformance/drivers.md.",
)
@click.option("--json-events", is_flag=True, help="Print every verdict as a line of JSON when it falls.")
@click.pass_obj
def run(words: list[str], /, target_file: Path | None, **options: Any) -> int:
    """Play the scenarios against a server and report a verdict for every requirement."""
    # The engine is imported once there is something to play: --help and a mistyped option answer at once.
    from sandkit_conformance.cli.playing import play

    return play(load_from(target_file, options), options, shlex.join(words))


@click.command()
@target_options
@click.option(
    "--run-id", metavar="ID", help="The run to sweep up after; stands in its report and in its ledger."
)
@click.option(
    "--ledger", "ledger_file", type=_FILE, help="ledger.ndjson of the run; finds claims and snapshots, too."
)
def sweep(target_file: Path | None, run_id: str | None, ledger_file: Path | None, **options: Any) -> int:
    """Delete what a killed run has left: what carries its label or stands in its ledger, and nothing else."""
    if not run_id and not ledger_file:
        raise click.UsageError("give --run-id, --ledger, or both")
    from sandkit_conformance.sweeping import sweep_run

    target = load_from(target_file, options)
    report = anyio.run(sweep_run, target, load_catalogue(), run_id, ledger_file)
    for line in report.lines():
        click.echo(line)
    return int(ExitCode.GOOD if not report.left else ExitCode.FAILURES)


@click.command()
@target_options
def doctor(target_file: Path | None, **options: Any) -> int:
    """Say whether the suite can work with a server, and what its answers would be worth."""
    from sandkit_conformance.diagnosis import diagnose

    target = load_from(target_file, options)
    findings = anyio.run(diagnose, target, load_catalogue())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.good else 'MEND'}  {finding.text}")
    return int(ExitCode.GOOD if all(finding.good for finding in findings) else ExitCode.CANNOT_RUN)
