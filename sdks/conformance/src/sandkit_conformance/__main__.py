from __future__ import annotations

import sys

from sandkit_conformance.cli import run_command_line


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
