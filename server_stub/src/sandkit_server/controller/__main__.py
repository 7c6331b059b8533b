"""The command line: ``sandkit-controller run`` and ``sandkit-controller version``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Final

from sandkit_server.controller.settings import Settings, SettingsError, add_options, from_options

__all__ = ["main", "run"]

_USAGE: Final = 2
_NOT_STARTED: Final = 3

_logger: Final = logging.getLogger("sandkit_server.controller")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong usage, 3 the cluster cannot be worked with."""
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit code."""
    options = vars(_parser().parse_args(arguments))
    if options.pop("command") == "version":
        print(version("sandkit-server"))  # noqa: T201  (what this command is for)
        return 0
    try:
        settings = from_options(options)
    except SettingsError as wrong:
        return _complain(str(wrong), _USAGE)
    return _run(settings)


def _run(settings: Settings) -> int:
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # The HTTP client tells each request; the metrics count them.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    # Loaded here and not above, so that wrong usage is told at once.
    from sandkit_server.controller.main import ControllerProcess
    from sandkit_server.kubernetes.credentials import ConfigurationError

    try:
        asyncio.run(_until_signal(ControllerProcess, settings))
    except (ConfigurationError, OSError) as trouble:
        return _complain(f"{trouble}.", _NOT_STARTED)
    return 0


async def _until_signal(process: type, settings: Settings) -> None:
    controller = process(settings)
    working = asyncio.ensure_future(controller.run())
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        # The next signal meets the default action: whoever asks twice does not want to wait.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        _logger.info("stopping")
        working.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, begin_to_stop)
    host, port = controller.address
    _logger.info("metrics and health at http://%s:%d", host, port)
    with suppress(asyncio.CancelledError):
        await working


def _complain(text: str, code: int) -> int:
    print(f"sandkit-controller: {text}", file=sys.stderr)  # noqa: T201  (for whoever typed the command)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandkit-controller",
        description="Controller of BatchSandbox, SandboxSnapshot and Pool in one namespace of a cluster.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", help="print the version")
    add_options(
        commands.add_parser(
            "run",
            help="run until SIGINT or SIGTERM",
            description="Run until SIGINT or SIGTERM; of several replicas the holder of a lease works.",
            allow_abbrev=False,
        )
    )
    return parser


if __name__ == "__main__":
    main()
