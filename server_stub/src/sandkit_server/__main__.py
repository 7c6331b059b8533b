"""The command line: ``sandkit-server serve`` and ``sandkit-server version``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sandkit_server.settings import Settings, SettingsError
from sandkit_server.settings.command_line import add_options, given_options

if TYPE_CHECKING:
    from sandkit_server.addresses import Addresses
    from sandkit_server.main import Alterations

__all__ = ["main", "run"]

_logger: Final = logging.getLogger("sandkit_server")

_USAGE: Final = 2
_NOT_STARTED: Final = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    0 done, 2 wrong usage or an address that cannot be had, 3 an engine that cannot be worked with.
    """
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], alter: Alterations | None = None) -> int:
    """Run the command line and return the exit code; ``alter`` is for servers with a known defect."""
    options = vars(_parser().parse_args(arguments))
    if options.pop("command") == "version":
        from sandkit_server.main import version

        print(version())  # noqa: T201  (what this command is for)
        return 0
    try:
        settings = Settings.of(**{**Settings.keys_from(), **given_options(options)})
    except SettingsError as wrong:
        return _complain(str(wrong))
    return _serve(settings, alter)


def _serve(settings: Settings, alter: Alterations | None) -> int:
    logging.basicConfig(
        level=settings.log_level.upper(),
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # Loaded here and not above, so that wrong usage is told at once.
    from sandkit_server.core.errors import StartError
    from sandkit_server.event_loop import loop_factory
    from sandkit_server.http.access_log import show_access_log
    from sandkit_server.serving import ListenError

    show_access_log(settings.access_log)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_until_signal(settings, alter))
    except ListenError as trouble:
        return _complain(f"{trouble}.")
    except StartError as trouble:
        return _complain(str(trouble), _NOT_STARTED)
    return 0


async def _until_signal(settings: Settings, alter: Alterations | None) -> None:
    from sandkit_server.serving import serve

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def begin_to_stop() -> None:
        # The next signal meets the default action: whoever asks twice does not want to wait.
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
        _logger.info("stopping: requests under way have %g seconds", settings.shutdown_grace)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, begin_to_stop)

    def report(addresses: Addresses) -> None:
        guarded = "API key required" if settings.api_key is not None else "no API key, this machine only"
        _logger.info("serving %s (%s runtime, %s)", addresses.base_url, settings.runtime, guarded)
        for name, url in (("probe", addresses.probe_url), ("control", addresses.control_url)):
            if url is not None:
                _logger.info("serving the %s at %s", name, url)

    await serve(settings, stop, report, alter)


def _complain(text: str, code: int = _USAGE) -> int:
    print(f"sandkit-server: {text}", file=sys.stderr)  # noqa: T201  (for whoever typed the command)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandkit-server",
        description="Reference server of the sandbox lifecycle API.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("version", help="print the version")
    serve = commands.add_parser(
        "serve",
        help="serve the API until SIGINT or SIGTERM",
        description="Serve the API until SIGINT or SIGTERM. Keys are better given by environment "
        "variable than here, where everybody on the machine can read them.",
        allow_abbrev=False,
    )
    add_options(serve)
    return parser


if __name__ == "__main__":
    main()
