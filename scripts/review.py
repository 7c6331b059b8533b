"""Holds checks to the promises they were written for: `python scripts/review.py check | accept ID…`.

Whoever changes the text of a requirement has to look at its checks again. The digest of every promise at its
last review is kept beside the suite; where the catalogue says another one, the build is red until somebody
has looked and accepts.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from sandkit_conformance.catalogue import load_catalogue

REVIEWED = Path(__file__).resolve().parent.parent / "sdks" / "conformance" / "reviewed.json"


def promises() -> dict[str, str]:
    """Digest of every promise as the catalogue has it now, by requirement id."""
    return {name: requirement.digest for name, requirement in load_catalogue().requirements.items()}


def defects(now: Mapping[str, str], reviewed: Mapping[str, str]) -> list[str]:
    """What stands between the promises and their reviews, one line each."""
    changed = [name for name in now if name in reviewed and now[name] != reviewed[name]]
    return [
        *(f"{name} has changed since its checks were reviewed" for name in changed),
        *(f"{name} is new, and nobody has reviewed its checks" for name in now if name not in reviewed),
        *(f"{name} is reviewed and no longer promised" for name in reviewed if name not in now),
    ]


def accepted(now: Mapping[str, str], reviewed: Mapping[str, str], names: list[str]) -> dict[str, str]:
    """The reviews after `names` were looked at; those of promises that are gone leave with them.

    Raises:
        ValueError: a name is neither promised nor reviewed.
    """
    if unknown := [name for name in names if name not in now and name not in reviewed]:
        raise ValueError(f"{', '.join(unknown)}: no such requirement; `sandkit-conformance list` shows them")
    after = {**reviewed, **{name: now[name] for name in names if name in now}}
    gone = set(names) - set(now)
    return {name: after[name] for name in (*now, *reviewed) if name in after and name not in gone}


def main(arguments: list[str]) -> int:
    """Run `check` or `accept`; any other word is a mistake of the caller."""
    now = promises()
    reviewed = json.loads(REVIEWED.read_text("utf-8"))
    if arguments == ["check"]:
        found = defects(now, reviewed)
        for defect in found:
            name = defect.split()[0]
            print(
                f"{defect}; read `sandkit-conformance explain {name}`, mend its scenarios, then run "
                f"`make review ID={name}`",
                file=sys.stderr,
            )
        return 1 if found else 0
    if len(arguments) > 1 and arguments[0] == "accept":
        try:
            after = accepted(now, reviewed, arguments[1:])
        except ValueError as error:
            print(error, file=sys.stderr)
            return 2
        REVIEWED.write_text(json.dumps(after, indent=1) + "\n", "utf-8")
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
