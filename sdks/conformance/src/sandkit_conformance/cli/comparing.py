"""`diff`: two reports side by side."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import click

from sandkit_conformance.reports.comparison import compare, read_report
from sandkit_conformance.reports.text import printable
from sandkit_conformance.verdict import ExitCode

_FILE = click.Path(path_type=Path, dir_okay=False)


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
