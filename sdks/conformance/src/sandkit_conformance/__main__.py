from __future__ import annotations

import gc
import sys

from sandkit_conformance.cli import run_command_line

_OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main() -> None:
    """Entry point of the console script."""
    # A run keeps all it has seen until the report is written: looking for garbage among it finds none.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    sys.exit(run_command_line(sys.argv[1:]))


if __name__ == "__main__":
    main()
