"""What the operator decides about one server process, checked as a whole before anything is started."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["API_KEY_VARIABLE", "CONTROL_KEY_VARIABLE", "PROBE_KEY_VARIABLE", "Settings", "SettingsError"]

API_KEY_VARIABLE: Final = "OPEN_SANDBOX_API_KEY"
PROBE_KEY_VARIABLE: Final = "SANDKIT_PROBE_KEY"
CONTROL_KEY_VARIABLE: Final = "SANDKIT_CONTROL_KEY"

RUNTIMES: Final = ("memory",)
PAUSE_MODES: Final = ("rootfs", "freeze", "none")
OPTIONAL_PARTS: Final = ("snapshots", "pools", "registry")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")

_SHORTEST_LIFETIME: Final = 60
_HIGHEST_PORT: Final = 65535
# What can be sent as a header value and comes back unchanged.
_KEY: Final = re.compile(r"[\x21-\x7e]+\Z")


class SettingsError(ValueError):
    """Settings that contradict each other or would be unsafe; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything ``sandkit-server serve`` can be told. Times are seconds, sizes are bytes.

    Attributes:
        port: TCP port of the API; 0 takes a free one.
        public_address: ``host[:port]`` under which clients reach the API, where that is not the bound one,
            such as behind a load balancer.
        api_key: The key clients send; without one, everybody who reaches the port is let in, so only a
            loopback
            ``host`` is accepted.
        pause_mode: How the memory runtime pauses: ``rootfs`` keeps the files, ``freeze`` the processes,
            ``none`` cannot.
        transition_time: How long the memory runtime takes for each step, so that states in between can be
            seen.
        without: What the memory runtime does not have, out of ``snapshots``, ``pools`` and ``registry``.
        max_sandboxes: Quota of the memory runtime; ``None`` for none.
        max_lifetime: Longest lifetime a sandbox may be given or renewed to; ``None`` for no bound.
        allowed_host_prefixes: Absolute folders below which ``host`` volumes may lie; none by default.
        max_body_bytes: Largest request body that is read.
        body_timeout: How long a request body may take to arrive.
        shutdown_grace: How long requests under way get to finish when the server is told to stop.
        probe_port: TCP port of the probe, on loopback; ``None`` for no probe.
        control_port: TCP port of the control, on loopback; ``None`` for no control.
        ready_file: Gets ``{"baseUrl", "probeUrl", "controlUrl", "pid"}`` once the server accepts connections.

        access_log: Write a line of JSON for each request to standard error; costs about a third of the speed.

    Raises:
        SettingsError: on construction.
    """

    runtime: str = "memory"
    host: str = "127.0.0.1"
    port: int = 8080
    public_address: str | None = None
    api_key: str | None = field(default=None, repr=False)
    pause_mode: str = "rootfs"
    transition_time: float = 0.02
    without: tuple[str, ...] = ()
    max_sandboxes: int | None = None
    max_lifetime: int | None = None
    allowed_host_prefixes: tuple[str, ...] = ()
    max_body_bytes: int = 1024 * 1024
    body_timeout: float = 30.0
    shutdown_grace: float = 10.0
    probe_port: int | None = None
    probe_key: str | None = field(default=None, repr=False)
    control_port: int | None = None
    control_key: str | None = field(default=None, repr=False)
    ready_file: Path | None = None
    log_level: str = "info"
    access_log: bool = False

    def __post_init__(self) -> None:
        self._check_choices()
        self._check_numbers()
        self._check_keys()
        if self.ready_file is not None and not self.ready_file.parent.is_dir():
            raise SettingsError(f"--ready-file {self.ready_file}: there is no such folder; make it first.")
        for prefix in self.allowed_host_prefixes:
            path = PurePosixPath(prefix)
            if not path.is_absolute() or ".." in path.parts:
                raise SettingsError(f"--allowed-host-prefix {prefix}: give an absolute path without '..'.")

    def _check_choices(self) -> None:
        wished_away = tuple(("--without", part, OPTIONAL_PARTS) for part in self.without)
        for option, value, choices in (
            *wished_away,
            ("--runtime", self.runtime, RUNTIMES),
            ("--pause-mode", self.pause_mode, PAUSE_MODES),
            ("--log-level", self.log_level, LOG_LEVELS),
        ):
            if value not in choices:
                raise SettingsError(f"{option} {value}: choose one of {', '.join(choices)}.")

    def _check_numbers(self) -> None:
        for option, port in (
            ("--port", self.port),
            ("--probe-port", self.probe_port),
            ("--control-port", self.control_port),
        ):
            if port is not None and not 0 <= port <= _HIGHEST_PORT:
                raise SettingsError(f"{option} {port}: give a port from 0 (any free one) to {_HIGHEST_PORT}.")
        if self.max_lifetime is not None and self.max_lifetime < _SHORTEST_LIFETIME:
            raise SettingsError(
                f"--max-lifetime {self.max_lifetime}: give at least {_SHORTEST_LIFETIME} seconds."
            )
        if self.max_sandboxes is not None and self.max_sandboxes < 1:
            raise SettingsError(f"--max-sandboxes {self.max_sandboxes}: give at least 1.")
        if self.max_body_bytes < 1:
            raise SettingsError(f"--max-body-bytes {self.max_body_bytes}: give at least 1.")
        for option, seconds in (
            ("--transition-time", self.transition_time),
            ("--shutdown-grace", self.shutdown_grace),
        ):
            if not 0 <= seconds < float("inf"):
                raise SettingsError(f"{option} {seconds}: give a number of seconds, 0 or more.")

    def _check_keys(self) -> None:
        if self.api_key is None and not _is_loopback(self.host):
            raise SettingsError(
                f"Without an API key, {self.host} would let everybody in who can reach it. "
                f"Set {API_KEY_VARIABLE} or --api-key, or listen on 127.0.0.1."
            )
        for name, port, key in (
            ("probe", self.probe_port, self.probe_key),
            ("control", self.control_port, self.control_key),
        ):
            if port is not None and key is None:
                raise SettingsError(
                    f"The {name} sees and changes what the API hides, so it needs a key of its own: set "
                    f"SANDKIT_{name.upper()}_KEY or --{name}-key."
                )
        keys = [key for key in (self.api_key, self.probe_key, self.control_key) if key is not None]
        if any(_KEY.match(key) is None for key in keys):
            raise SettingsError("A key is one or more printable ASCII characters without spaces.")
        if len(set(keys)) < len(keys):
            raise SettingsError(
                "The API, the probe and the control each need a key of their own; two are the same."
            )

    @staticmethod
    def keys_from(environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
        """The keys the environment holds, by field name; an empty variable counts as unset."""
        return {
            "api_key": environment.get(API_KEY_VARIABLE) or None,
            "probe_key": environment.get(PROBE_KEY_VARIABLE) or None,
            "control_key": environment.get(CONTROL_KEY_VARIABLE) or None,
        }


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
