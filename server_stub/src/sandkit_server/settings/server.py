"""Options of the server itself, and how options of all kinds come together."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, Self

from sandkit_server.settings.error import SettingsError, require_choice, require_duration
from sandkit_server.settings.kubernetes import KubernetesOptions
from sandkit_server.settings.memory import MemoryOptions
from sandkit_server.settings.sandboxes import SandboxOptions

__all__ = ["API_KEY_VARIABLE", "CONTROL_KEY_VARIABLE", "LOG_LEVELS", "PROBE_KEY_VARIABLE", "Settings"]

API_KEY_VARIABLE: Final = "OPEN_SANDBOX_API_KEY"
PROBE_KEY_VARIABLE: Final = "SANDKIT_PROBE_KEY"
CONTROL_KEY_VARIABLE: Final = "SANDKIT_CONTROL_KEY"

LOG_LEVELS: Final = ("debug", "info", "warning", "error")

_ENGINES: Final[Mapping[str, type[MemoryOptions | KubernetesOptions]]] = {
    options.runtime: options for options in (MemoryOptions, KubernetesOptions)
}
RUNTIMES: Final = tuple(_ENGINES)

_HIGHEST_PORT: Final = 65535
# What can be sent as a header value and comes back unchanged.
_KEY: Final = re.compile(r"[\x21-\x7e]+\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything ``sandkit-server serve`` can be told. Times are seconds, sizes are bytes.

    Attributes:
        port: TCP port of the API; 0 takes a free one.
        public_address: ``host[:port]`` under which clients reach the API, where that is not the bound one,
            such as behind a load balancer.
        api_key: The key clients send; without one, everybody who reaches the port is let in, so only a
            loopback ``host`` is accepted.
        max_body_bytes: Largest request body that is read.
        body_timeout: How long a request body may take to arrive.
        shutdown_grace: How long requests under way get to finish when the server is told to stop.
        probe_port: TCP port of the probe, on loopback; ``None`` for no probe.
        control_port: TCP port of the control, on loopback; ``None`` for no control.
        ready_file: Gets ``{"baseUrl", "probeUrl", "controlUrl", "pid"}`` once the server accepts connections.
        access_log: Write a line of JSON for each request to standard error; costs about a third of the speed.
        sandboxes: What holds for every sandbox.
        engine: What runs the sandboxes, and its own options.

    Raises:
        SettingsError: on construction.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    public_address: str | None = None
    api_key: str | None = field(default=None, repr=False)
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
    sandboxes: SandboxOptions = field(default_factory=SandboxOptions)
    engine: MemoryOptions | KubernetesOptions = field(default_factory=MemoryOptions)

    def __post_init__(self) -> None:
        require_choice("--log-level", self.log_level, LOG_LEVELS)
        self._check_numbers()
        self._check_keys()
        self._check_test_ports()
        if self.ready_file is not None and not self.ready_file.parent.is_dir():
            raise SettingsError(f"--ready-file {self.ready_file}: there is no such folder; make it first.")

    @classmethod
    def of(cls, *, runtime: str = MemoryOptions.runtime, **options: Any) -> Self:
        """Settings from options of all kinds by their names, as the command line has them.

        Raises:
            SettingsError: also for an option that another runtime has and this one does not.
        """
        require_choice("--runtime", runtime, RUNTIMES)
        kind = _ENGINES[runtime]
        engine = _take(options, kind)
        for other in _ENGINES.values():
            for name in options.keys() & _names(other):
                option = name.replace("_", "-")
                raise SettingsError(
                    f"--{option} is an option of the {other.runtime} runtime; leave it out, or choose "
                    f"--runtime {other.runtime}."
                )
        sandboxes = SandboxOptions(**_take(options, SandboxOptions))
        return cls(**options, sandboxes=sandboxes, engine=kind(**engine))

    def options(self) -> dict[str, Any]:
        """The opposite of :meth:`of`: every option by its name."""
        own = {name: getattr(self, name) for name in _names(type(self)) - {"sandboxes", "engine"}}
        parts = [asdict(part) for part in (self.sandboxes, self.engine)]
        return {"runtime": self.runtime, **own, **parts[0], **parts[1]}

    @property
    def runtime(self) -> str:
        """Name of what runs the sandboxes."""
        return self.engine.runtime

    def _check_numbers(self) -> None:
        for option, port in (
            ("--port", self.port),
            ("--probe-port", self.probe_port),
            ("--control-port", self.control_port),
        ):
            if port is not None and not 0 <= port <= _HIGHEST_PORT:
                raise SettingsError(f"{option} {port}: give a port from 0 (any free one) to {_HIGHEST_PORT}.")
        if self.max_body_bytes < 1:
            raise SettingsError(f"--max-body-bytes {self.max_body_bytes}: give at least 1.")
        require_duration("--shutdown-grace", self.shutdown_grace)

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

    def _check_test_ports(self) -> None:
        if self.runtime == MemoryOptions.runtime:
            return
        for name, port in (("probe", self.probe_port), ("control", self.control_port)):
            if port is not None:
                raise SettingsError(
                    f"--{name}-port: only the memory runtime has a {name}; leave it out. A cluster is looked "
                    "into, and disturbed, from outside the server."
                )

    @staticmethod
    def keys_from(environment: Mapping[str, str] = os.environ) -> dict[str, str | None]:
        """The keys the environment holds, by field name; an empty variable counts as unset."""
        return {
            "api_key": environment.get(API_KEY_VARIABLE) or None,
            "probe_key": environment.get(PROBE_KEY_VARIABLE) or None,
            "control_key": environment.get(CONTROL_KEY_VARIABLE) or None,
        }


def _names(kind: Any) -> set[str]:
    return {each.name for each in fields(kind)}


def _take(options: dict[str, Any], kind: Any) -> dict[str, Any]:
    return {name: options.pop(name) for name in options.keys() & _names(kind)}


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
