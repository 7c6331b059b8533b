"""`sandkit-codegen`: generate what follows from the specs, verify that it does, lint the specs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sandkit_codegen.drift import differences, report
from sandkit_codegen.lint.command import main as lint
from sandkit_codegen.load import SpecError, load_spec_set
from sandkit_codegen.plan import TARGETS, Folder, Target, Workspace, render
from sandkit_codegen.rendering import COMMAND, FormattingError
from sandkit_codegen.source import read_source
from sandkit_codegen.staging import swap_in
from sandkit_codegen.toolchain import Toolchain, ToolchainError
from sandkit_codegen.unasync import UnasyncError

DRIFT, BROKEN = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run one verb; 0 when all is well, 1 for drift or findings, 2 when nothing could be generated."""
    if arguments[:1] == ["lint"]:
        return lint(arguments[1:])
    options = _parser().parse_args(arguments)
    verb: Callable[[Path, tuple[Folder, ...]], int] = options.verb
    try:
        return verb(options.root, _rendered(options.root, _chosen(options.target)))
    except SpecError as error:
        return _fail("\n".join(str(finding) for finding in error.findings))
    except (ToolchainError, FormattingError, UnasyncError) as error:
        return _fail(f"sandkit-codegen: {error}")


def generate(root: Path, folders: tuple[Folder, ...]) -> int:
    """Write what differs; says which folders it replaced."""
    replaced = swap_in(root, folders)
    for folder in folders:
        fate = "written" if folder.path in replaced else "same"
        _say(f"{fate:8} {folder.path} ({len(folder.files)} files)")
    return 0


def verify(root: Path, folders: tuple[Folder, ...]) -> int:
    """Compare without writing; 1 when a file differs, is missing or does not belong."""
    found = tuple(differences(root, folders))
    if not found:
        _say(f"{sum(len(folder.files) for folder in folders)} generated files are as the specs say")
        return 0
    _say(report(found))
    _say(
        f"{len(found)} generated file{'s' if len(found) > 1 else ''} out of step with specs/: run `{COMMAND}`"
    )
    return DRIFT


def _rendered(root: Path, targets: Sequence[Target]) -> tuple[Folder, ...]:
    source = read_source(load_spec_set(root / "specs"))
    return render(Workspace(source, Toolchain(root.absolute() / ".venv-gen"), root), targets)


def _chosen(names: Sequence[str] | None) -> tuple[Target, ...]:
    return TARGETS if not names else tuple(target for target in TARGETS if target.name in names)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandkit-codegen", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="generate | verify | lint")
    for name, verb in (("generate", generate), ("verify", verify)):
        one = verbs.add_parser(name, help=verb.__doc__, description=verb.__doc__)
        one.add_argument(
            "--root", type=Path, default=Path(), help="the repository (default: the current folder)"
        )
        one.add_argument(
            "--target",
            action="append",
            choices=sorted({target.name for target in TARGETS}),
            help="only this target; may be repeated (default: all)",
        )
        one.set_defaults(verb=verb)
    verbs.add_parser("lint", help="check the specs; see `sandkit-codegen lint --help`")
    return parser


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return BROKEN
