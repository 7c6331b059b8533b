"""The options of ``sandkit-server serve``: one for each setting, under the setting's name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sandkit_server.settings.kubernetes import ENDPOINTS, PULL_POLICIES, WORKLOAD_PROVIDERS
from sandkit_server.settings.memory import OPTIONAL_PARTS, PAUSE_MODES
from sandkit_server.settings.sandboxes import ACCESS_MODES
from sandkit_server.settings.server import (
    API_KEY_VARIABLE,
    CONTROL_KEY_VARIABLE,
    LOG_LEVELS,
    PROBE_KEY_VARIABLE,
    RUNTIMES,
    Settings,
)

__all__ = ["VARIABLES", "add_options", "arguments_of", "given_options"]

# Keys are better given by environment variable: everybody on the machine can read a command line.
VARIABLES: Final[Mapping[str, str]] = {
    "api_key": API_KEY_VARIABLE,
    "probe_key": PROBE_KEY_VARIABLE,
    "control_key": CONTROL_KEY_VARIABLE,
}
# Settings of several values: the option is repeated, and named in the singular.
_REPEATED: Final[Mapping[str, str]] = {
    "allowed_host_prefixes": "allowed_host_prefix",
    "claim_access_modes": "claim_access_mode",
    "without": "without",
}
_NOT_OFFERED: Final = frozenset({"body_timeout"})


def add_options(serve: argparse.ArgumentParser) -> None:
    """Add every option; one that is not given is ``None`` after parsing."""
    _add_api_options(serve)
    _add_sandbox_options(serve)
    _add_memory_options(serve)
    _add_kubernetes_options(serve)
    _add_test_ports(serve)


def given_options(parsed: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as :meth:`Settings.of` takes it."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in parsed.items()
        if value is not None
    }


def arguments_of(settings: Settings) -> list[str]:
    """The arguments that give ``settings`` again, but for its keys and its ready file."""
    arguments: list[str] = []
    for name, value in settings.options().items():
        if name in {*VARIABLES, *_NOT_OFFERED, "ready_file"} or value is None:
            continue
        option = "--" + _REPEATED.get(name, name).replace("_", "-")
        if isinstance(value, bool):
            arguments += [option] if value else []
            continue
        for each in value if isinstance(value, tuple) else (value,):
            arguments += [option, str(each)]
    return arguments


def _add_api_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("API")
    _add(group, "host", help="address to listen on (127.0.0.1)")
    _add(group, "port", type=int, help="TCP port, 0 for a free one (8080)")
    _add(
        group, "public_address", "HOST:PORT", help="address clients use, where it is not the one listened on"
    )
    _add(group, "api_key", "KEY", help=f"key clients have to send (environment: {API_KEY_VARIABLE})")
    _add(group, "max_body_bytes", "N", type=int, help="largest request body (1048576)")
    _add(
        group, "shutdown_grace", "SECONDS", type=float, help="time for requests under way when stopping (10)"
    )
    _add(group, "ready_file", "PATH", type=Path, help="gets the addresses as JSON once ready")
    _add(group, "log_level", choices=LOG_LEVELS, help="least severity to log (info)")
    _add(group, "access_log", action="store_true", help="log a line of JSON for each request")


def _add_sandbox_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("sandboxes")
    _add(group, "runtime", choices=RUNTIMES, help="what runs the sandboxes (memory)")
    _add(group, "max_lifetime", "SECONDS", type=int, help="longest lifetime of a sandbox (none)")
    _add(group, "ready_timeout", "SECONDS", type=float, help="time a sandbox may take to start (300)")
    _add(group, "wait_ready", action="store_true", help="answer a create only when the sandbox runs")
    _add(
        group,
        "allowed_host_prefixes",
        "PATH",
        help="folder below which host volumes may lie; may be repeated (none)",
    )
    _add(group, "claim_storage", "SIZE", help="size of a volume claim whose request names none (1Gi)")
    _add(group, "claim_storage_class", "NAME", help="its storage class (the engine's default)")
    _add(
        group,
        "claim_access_modes",
        choices=ACCESS_MODES,
        help="its access modes; may be repeated (ReadWriteOnce)",
    )
    _add(
        group,
        "reconcile_interval",
        "SECONDS",
        type=float,
        help="time between two looks for what a crash left behind (30)",
    )
    _add(
        group,
        "reconcile_grace",
        "SECONDS",
        type=float,
        help="age below which a claim may belong to a create in another server (60)",
    )


def _add_memory_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("memory runtime")
    _add(group, "pause_mode", choices=PAUSE_MODES, help="how it pauses (rootfs)")
    _add(group, "transition_time", "SECONDS", type=float, help="time of each of its steps (0.01)")
    _add(group, "max_sandboxes", "N", type=int, help="its quota (none)")
    _add(group, "without", choices=OPTIONAL_PARTS, help="a part it shall not have; may be repeated (none)")


def _add_kubernetes_options(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("Kubernetes runtime")
    _add(group, "namespace", "NAME", help="where the objects live (the pod's or the context's own)")
    _add(
        group,
        "kubeconfig",
        "PATH",
        type=Path,
        help="how the API server is reached (the pod's account, $KUBECONFIG, ~/.kube/config)",
    )
    _add(group, "context", "NAME", help="context of the kubeconfig (its current one)")
    _add(group, "workload_provider", choices=WORKLOAD_PROVIDERS, help="kind sandboxes run as (batchsandbox)")
    _add(group, "image_pull_policy", choices=PULL_POLICIES, help="when nodes pull images (Kubernetes' own)")
    _add(
        group,
        "pod_template",
        "PATH",
        type=Path,
        help="pod template that lies under every sandbox's pod (none)",
    )
    _add(group, "snapshot_pull_secret", "NAME", help="secret that images of snapshots are pulled with (none)")
    _add(
        group,
        "endpoints",
        choices=ENDPOINTS,
        help="what clients are told: the pod's address, or one that leads there through this server (pod)",
    )


def _add_test_ports(serve: argparse.ArgumentParser) -> None:
    group = serve.add_argument_group("for tests, on 127.0.0.1 only")
    for name in ("probe", "control"):
        _add(group, f"{name}_port", "PORT", type=int, help=f"TCP port of the {name}, 0 for a free one (off)")
        _add(group, f"{name}_key", "KEY", help=f"its key (environment: {VARIABLES[f'{name}_key']})")


def _add(group: Any, name: str, metavar: str | None = None, **how: Any) -> None:
    option = "--" + _REPEATED.get(name, name).replace("_", "-")
    if name in _REPEATED:
        how["action"] = "append"
    if metavar is not None:
        how["metavar"] = metavar
    group.add_argument(option, dest=name, default=None, **how)
