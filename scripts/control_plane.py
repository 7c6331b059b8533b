"""Runs the tests of the control-plane tier: `python scripts/control_plane.py [PYTEST ARGUMENTS]`.

The programs are built from Go modules first, if they are missing or out of date. The kills at every write
lead some eighty whole lives, so they run only when they are named: `make control-plane-kills`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sandkit_server.testing.control_plane import programs

ROOT = Path(__file__).resolve().parent.parent
TESTS = "server_stub/control_plane/tests"
KILLS = f"{TESTS}/product"


def main(arguments: list[str]) -> int:
    """Build, then run pytest; 2 when the programs cannot be built."""
    try:
        programs.build()
    except programs.ProgramsMissing as error:
        print(error, file=sys.stderr)
        return 2
    named = any(argument.startswith(TESTS) for argument in arguments)
    chosen = arguments if named else [TESTS, f"--ignore={KILLS}", *arguments]
    return subprocess.run([sys.executable, "-m", "pytest", *chosen], cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
