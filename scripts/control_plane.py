"""Runs the tests of the control-plane tier: `python scripts/control_plane.py [PYTEST ARGUMENTS]`.

The programs are built from Go modules first, if they are missing or out of date.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandkit_server.testing.control_plane import programs

ROOT = Path(__file__).resolve().parent.parent
TESTS = "server_stub/control_plane/tests"


def main(arguments: list[str]) -> int:
    """Build, then run pytest; 2 when the programs cannot be built."""
    try:
        programs.build()
    except programs.ProgramsMissing as error:
        print(error, file=sys.stderr)
        return 2
    chosen = arguments if any(argument.startswith(TESTS) for argument in arguments) else [TESTS, *arguments]
    return subprocess.run([sys.executable, "-m", "pytest", *chosen], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
