"""The command line: ``sandkit-server serve`` and ``sandkit-server version``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sandkit_server.settings import (
    API_KEY_VARIABLE,
    CONTROL_KEY_VARIABLE,
    LOG_LEVELS,
    OPTIONAL_PARTS,
    PAUSE_MODES,
    PROBE_KEY_VARIABLE,
    RUNTIMES,
    Settings,
    SettingsError,
)

if TYPE_CHECKING:
    from sandkit_server.main import Alterations
    from sandkit_server.serving import Addresses

__all__ = ["main", "run"]

_logger: Final = logging.getLogger("sandkit_server")

_USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 2 wrong usage or an address that cannot be had."""
    raise SystemExit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str], alter: Alterations | None = None) -> int:
    """Run the command line and return the exit code; ``alter`` is for servers with a known defect."""
    options = vars(_parser().parse_args(arguments))
    if options.pop("command") == "version":
        from sandkit_server.main import version

        print(version())  # noqa: T201  (what this command is for)
        return 0
    keys = Settings.keys_from()
    given = {name: value for name, value in options.items() if value is not None}
    for name in ("allowed_host_prefixes", "without"):
        given[name] = tuple(given.get(name, ()))
    try:
        settings = Settings(**{**keys, **given})
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
    from sandkit_server.event_loop import loop_factory
    from sandkit_server.http.access_log import show_access_log
    from sandkit_server.serving import ListenError

    show_access_log(settings.access_log)
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(_until_signal(settings, alter))
    except ListenError as trouble:
        return _complain(f"{trouble}.")
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


def _complain(text: str) -> int:
    print(f"sandkit-server: {text}", file=sys.stderr)  # noqa: T201  (before logging is set up)
    return _USAGE


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
    _add_api_options(serve)
    _add_runtime_options(serve)
    _add_test_ports(serve)
    return parser


def _add_api_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("API")
    _add(group, "--host", help="address to listen on (127.0.0.1)")
    _add(group, "--port", type=int, help="TCP port, 0 for a free one (8080)")
    _add(
        group,
        "--public-address",
        metavar="HOST:PORT",
        help="address clients use, where it is not the one listened on",
    )
    _add(
        group, "--api-key", metavar="KEY", help=f"key clients have to send (environment: {API_KEY_VARIABLE})"
    )
    _add(group, "--max-body-bytes", type=int, metavar="N", help="largest request body (1048576)")
    _add(
        group,
        "--shutdown-grace",
        type=float,
        metavar="SECONDS",
        help="time for requests under way when stopping (10)",
    )
    _add(group, "--ready-file", type=Path, metavar="PATH", help="gets the addresses as JSON once ready")
    _add(group, "--log-level", choices=LOG_LEVELS, help="least severity to log (info)")
    _add(group, "--access-log", action="store_true", help="log a line of JSON for each request")


def _add_runtime_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("runtime")
    _add(group, "--runtime", choices=RUNTIMES, help="what runs the sandboxes (memory)")
    _add(group, "--pause-mode", choices=PAUSE_MODES, help="how the memory runtime pauses (rootfs)")
    _add(group, "--transition-time", type=float, metavar="SECONDS", help="time of each of its steps (0.02)")
    _add(group, "--max-lifetime", type=int, metavar="SECONDS", help="longest lifetime of a sandbox (none)")
    _add(group, "--max-sandboxes", type=int, metavar="N", help="quota of the memory runtime (none)")
    _add(
        group,
        "--without",
        action="append",
        choices=OPTIONAL_PARTS,
        help="a part the memory runtime shall not have; may be repeated (none)",
    )
    _add(
        group,
        "--allowed-host-prefix",
        dest="allowed_host_prefixes",
        action="append",
        metavar="PATH",
        help="folder below which host volumes may lie; may be repeated (none)",
    )


def _add_test_ports(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("for tests, on 127.0.0.1 only")
    for name, variable in (("probe", PROBE_KEY_VARIABLE), ("control", CONTROL_KEY_VARIABLE)):
        _add(
            group,
            f"--{name}-port",
            type=int,
            metavar="PORT",
            help=f"TCP port of the {name}, 0 for a free one (off)",
        )
        _add(group, f"--{name}-key", metavar="KEY", help=f"its key (environment: {variable})")


def _add(group: Any, name: str, **how: Any) -> None:
    group.add_argument(name, default=None, **how)


if __name__ == "__main__":
    main()
