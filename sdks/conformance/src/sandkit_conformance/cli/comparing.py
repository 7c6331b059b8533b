"""`diff`, `matrix` and `recheck`: what was found once, held against something else."""

from __future__ import annotations

import json
from pathlib import Path

import anyio
import attrs
import click

from sandkit_conformance.catalogue import load_catalogue
from sandkit_conformance.cli.screen import console
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.recheck import Rechecked
from sandkit_conformance.recheck import recheck as evaluate
from sandkit_conformance.recorded import read_trace
from sandkit_conformance.reports.comparison import compare, read_report
from sandkit_conformance.reports.console import print_report
from sandkit_conformance.reports.document import report_document
from sandkit_conformance.reports.matrix import RENDERERS, matrix_json, matrix_of, print_matrix
from sandkit_conformance.reports.text import printable
from sandkit_conformance.reports.writing import report_folder, write_reports
from sandkit_conformance.scenario.loader import load_suite
from sandkit_conformance.verdict import ExitCode

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.command()
@click.argument("before", type=_FILE)
@click.argument("after", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def diff(before: Path, after: Path, as_json: bool) -> int:
    """Compare two report.json files; exit code 1 when something has become worse."""
    changes = compare(read_report(before), read_report(after))
    if as_json:
        click.echo(json.dumps([attrs.asdict(change) for change in changes], indent=1, ensure_ascii=False))
    else:
        for change in changes:
            click.echo(printable(change.line()))
        if not changes:
            click.echo("no difference")
    worse = any(change.kind in {"worse", "removed"} for change in changes)
    return int(ExitCode.FAILURES if worse else ExitCode.GOOD)


@click.command()
@click.argument("trace", type=_FILE)
@click.option(
    "--scenarios", "scenario_dir", type=_FOLDER, help="The scenario files the run played, if not the suite's."
)
@click.option("--report-dir", type=_FOLDER, help="Folder for report.{html,json,xml} and badge.svg.")
@click.option("--edited", is_flag=True, help="Read a trace that was changed after the run, too.")
@click.option("--json", "as_json", is_flag=True, help="The differences as JSON, and nothing else.")
def recheck(
    trace: Path, scenario_dir: Path | None, report_dir: Path | None, edited: bool, as_json: bool
) -> int:
    """Come to the verdicts of a recorded run again, without any server, and say which are other ones now.

    The exit codes are those of `run`: they say what the verdicts of today are.
    """
    recorded = read_trace(trace, sealed=not edited)
    catalogue = load_catalogue()
    suite = load_suite(scenario_dir)
    report_folder(report_dir)
    rechecked = anyio.run(evaluate, recorded, catalogue, suite)
    document = report_document(rechecked.result)
    if as_json:
        found = [attrs.asdict(difference) for difference in rechecked.differences]
        click.echo(json.dumps(found, indent=1, ensure_ascii=False))
    else:
        print_report(document, console())
        for line in _told(rechecked):
            click.echo(printable(line))
    if report_dir:
        for path in write_reports(document, rechecked.result, report_dir):
            click.echo(path, err=as_json)
    return int(rechecked.result.exit_code)


def _told(rechecked: Rechecked) -> list[str]:
    lines = [f"note: {remark}" for remark in rechecked.remarks]
    lines += [f"differs: {difference.line()}" for difference in rechecked.differences]
    same = sum(len(one.checks) for one in rechecked.result.requirements) - sum(
        difference.after is not None for difference in rechecked.differences
    )
    return [*lines, f"{same} verdicts as recorded, {len(rechecked.differences)} not"]


@click.command()
@click.argument("reports", nargs=-1, required=True, type=_FILE)
@click.option(
    "--output",
    "outputs",
    multiple=True,
    type=_FILE,
    help="File to write; .html, .md or .json says how. May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def matrix(reports: tuple[Path, ...], outputs: tuple[Path, ...], as_json: bool) -> None:
    """Lay several report.json side by side: a row per requirement, a column per server.

    The columns are in the order of the files. What keeps reports from being comparable is shown as a warning.
    """
    for path in outputs:
        if path.suffix not in RENDERERS:
            raise click.UsageError(f"--output {path}: its name must end in {', '.join(RENDERERS)}")
    found = matrix_of(read_report(path) for path in reports)
    if as_json:
        click.echo(matrix_json(found), nl=False)
    else:
        print_matrix(found, console())
    for path in outputs:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(RENDERERS[path.suffix](found), "utf-8")
        except OSError as error:
            raise SuiteError(f"cannot write {path}: {error.strerror}") from error
        click.echo(path, err=as_json)
