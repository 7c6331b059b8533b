"""The pytest plugin: every check a test item, and fixtures for tests of your own.

Without a target (`--sandkit-target`, `--sandkit-base-url` or the ini option `sandkit_target`) it does nothing
and imports nothing of the suite.
"""

from __future__ import annotations

import pytest

_PORTS = ("probe", "control")


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, all with the prefix `--sandkit-`."""
    group = parser.getgroup("sandkit", "sandkit conformance")
    group.addoption("--sandkit-target", metavar="FILE", help="Target file of the server under test.")
    group.addoption("--sandkit-base-url", metavar="URL", help="Address of the API; wins over the file.")
    group.addoption("--sandkit-api-key-env", metavar="NAME", help="Environment variable with the API key.")
    for port in _PORTS:
        group.addoption(f"--sandkit-{port}-url", metavar="URL", help=f"Address of the {port} port.")
        group.addoption(
            f"--sandkit-{port}-key-env",
            metavar="NAME",
            default=f"SANDKIT_{port.upper()}_KEY",
            help=f"Environment variable with the {port} port's key (default: %(default)s).",
        )
    group.addoption(
        "--sandkit-checks",
        metavar="PROFILE",
        help="Collect the suite's own checks: core, pause, volumes, lifecycle, faults or full.",
    )
    group.addoption("--sandkit-scenarios", metavar="DIR", help="Scenario files instead of the suite's own.")
    group.addoption("--sandkit-baseline", metavar="FILE", help="Known failures; a stale line is red.")
    group.addoption("--sandkit-seed", type=int, metavar="N", help="Repeat the races of an earlier session.")
    group.addoption("--sandkit-report-dir", metavar="DIR", help="Folder for trace.ndjson and ledger.ndjson.")
    group.addoption(
        "--sandkit-allow-unobservable",
        action="store_true",
        help="Do not turn the session red for what no probe or control port could show.",
    )
    group.addoption("--sandkit-picks", action="append", default=[], help="(internal) ids of single checks")
    parser.addini("sandkit_target", "Target file of the server under test.")


def pytest_configure(config: pytest.Config) -> None:
    """Wake up when there is a target."""
    option = config.option
    if not (option.sandkit_target or option.sandkit_base_url or config.getini("sandkit_target")):
        if option.sandkit_checks:
            raise pytest.UsageError(
                "--sandkit-checks needs a server: give --sandkit-target or --sandkit-base-url"
            )
        return
    from sandkit_conformance.plugin.session import activate

    activate(config)
