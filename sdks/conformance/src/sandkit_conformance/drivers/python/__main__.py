from __future__ import annotations

import argparse
import asyncio
import os
import sys


def main() -> int:
    """Speak the driver protocol on standard input and output; 2 when the SDK is not there."""
    parser = argparse.ArgumentParser(prog="python -m sandkit_conformance.drivers.python")
    parser.add_argument("--mode", choices=["sync", "async"], default="sync")
    mode = parser.parse_args().mode
    # The server and the key are what hello says, never what happens to stand in the environment.
    for name in [name for name in os.environ if name.startswith("OPEN_SANDBOX_")]:
        del os.environ[name]
    try:
        from sandkit_conformance.drivers.python.session import serve
    except ModuleNotFoundError as error:
        sys.stderr.write(f"this driver needs the Python SDK: {error}; install `sandkit` beside the suite\n")
        return 2
    asyncio.run(serve(mode))
    return 0


if __name__ == "__main__":
    sys.exit(main())
