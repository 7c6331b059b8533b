"""``python -m sandkit_server.testing.mutants``: ``list`` the variants of the server, or ``serve`` one.

``serve ID`` takes the options of ``sandkit-server serve`` and writes the same ready file. ``list --json`` is
what a conformance suite reads, and ``host`` serves one after the other as it is told to; their formats are
described in docs/conformance/mutants.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from typing import Any, Final

from sandkit_server import __main__ as command_line
from sandkit_server.testing.mutants.catalogue import MUTANTS
from sandkit_server.testing.mutants.host import host
from sandkit_server.testing.mutants.mutant import Mutant

FORMAT: Final = "sandkit-mutants/1"

_USAGE: Final = 2


def describe(mutant: Mutant) -> dict[str, Any]:
    """The entry of ``list --json``."""
    return {
        "id": mutant.id,
        "kind": mutant.kind,
        "requirement": mutant.requirement,
        "defect": mutant.defect,
        "also": [{"requirement": name, "reason": reason} for name, reason in mutant.also.items()],
        "lacks": list(mutant.lacks),
        "choices": dict(mutant.choices),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong usage."""
    raise SystemExit(_run(sys.argv[1:] if arguments is None else arguments))


def _run(arguments: Sequence[str]) -> int:
    options, rest = _parser().parse_known_args(arguments)
    if options.command == "list":
        if rest:
            return _complain(f"list does not take {' '.join(rest)}")
        _list(as_json=options.json)
        return 0
    if options.command == "host":
        return _complain(f"host does not take {' '.join(rest)}") if rest else host(sys.stdin, _serve)
    return _serve([options.id, *rest])


def _serve(arguments: Sequence[str]) -> int:
    identifier, *rest = arguments
    mutant = MUTANTS.get(identifier)
    if mutant is None:
        return _complain(f"there is no mutant {identifier}; `list` prints them")
    with mutant.installed() as alterations:
        return command_line.run(["serve", *rest, *mutant.options], alterations)


def _list(*, as_json: bool) -> None:
    if as_json:
        document = {
            "format": FORMAT,
            "host": hasattr(os, "fork"),
            "mutants": [describe(mutant) for mutant in MUTANTS.values()],
        }
        print(json.dumps(document, indent=2))  # noqa: T201  (what this command is for)
        return
    for mutant in MUTANTS.values():
        print(f"{mutant.requirement or mutant.kind:8} {mutant.id}: {mutant.defect}")  # noqa: T201


def _complain(text: str) -> int:
    print(f"sandkit-server mutants: {text}", file=sys.stderr)  # noqa: T201
    return _USAGE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sandkit_server.testing.mutants",
        description="Deliberately broken servers, to try a conformance suite on.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="print the mutants", allow_abbrev=False)
    listing.add_argument("--json", action="store_true", help="as one JSON document")
    serve = commands.add_parser(
        "serve", help="serve one; takes the options of `sandkit-server serve` too", allow_abbrev=False
    )
    commands.add_parser("host", help="serve those that stdin asks for, each in a child", allow_abbrev=False)
    serve.add_argument("id", metavar="ID", help="which one")
    return parser


if __name__ == "__main__":
    main()
