"""What the operator decides about one controller process, checked as a whole before anything is started."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from sandkit_server.controller.config import Config
from sandkit_server.controller.naming import is_name, is_registry
from sandkit_server.kubernetes.lease import Terms

LOG_LEVELS: Final = ("debug", "info", "warning", "error")

_DURATIONS: Final = (
    "commit_deadline",
    "release_deadline",
    "job_ttl",
    "start_grace",
    "pull_patience",
    "resume_deadline",
    "recycle_after",
)


class SettingsError(ValueError):
    """Settings that contradict each other or would be unsafe; the text says what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The process around :class:`~sandkit_server.controller.config.Config`. Durations are seconds.

    Attributes:
        namespace: Where to work; ``None`` for the pod's or the context's own.
        kubeconfig: How the API server is reached; ``None`` for the pod's account, ``$KUBECONFIG`` or
            ``~/.kube/config``.
        context: Of the kubeconfig; ``None`` for its current one.
        config: What decisions depend on.
        lease: Name of the lease that the replicas compete for.
        terms: Its times.
        workers: Objects worked on at the same time.
        rate: Calls a second in the long run.
        burst: Calls at once.
        resync: Time between two looks at everything, a net under the watches.
        metrics_host: Address of /metrics, /healthz and /readyz.
        metrics_port: Its port, 0 for a free one.
        log_level: Least severity to log.

    Raises:
        SettingsError: on construction.
    """

    namespace: str | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    config: Config = field(default_factory=Config)
    lease: str = "sandkit-controller"
    terms: Terms = field(default_factory=Terms)
    workers: int = 16
    rate: float = 200.0
    burst: int = 400
    resync: float = 600.0
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9090
    log_level: str = "info"

    def __post_init__(self) -> None:
        if self.log_level not in LOG_LEVELS:
            raise SettingsError(f"--log-level {self.log_level}: choose one of {', '.join(LOG_LEVELS)}.")
        if self.kubeconfig is not None and not self.kubeconfig.is_file():
            raise SettingsError(f"--kubeconfig {self.kubeconfig}: there is no such file.")
        if not 0 <= self.metrics_port <= 65535:
            raise SettingsError(f"--metrics-port {self.metrics_port}: give a port from 0 to 65535.")
        for option, number in (
            ("--workers", self.workers),
            ("--rate", self.rate),
            ("--burst", self.burst),
            ("--resync", self.resync),
        ):
            if not 0 < number < float("inf"):
                raise SettingsError(f"{option} {number}: give a number above 0.")
        self._check_names()
        self._check_config()

    def _check_names(self) -> None:
        for option, name in (
            ("--namespace", self.namespace),
            ("--lease", self.lease),
            ("--push-secret", self.config.push_secret),
            ("--pull-secret", self.config.pull_secret),
        ):
            if name is not None and not is_name(name):
                raise SettingsError(
                    f"{option} {name}: a name is lower-case letters, digits, inner hyphens and dots."
                )

    def _check_config(self) -> None:
        config = self.config
        for name in _DURATIONS:
            if not 0 < getattr(config, name) < float("inf"):
                option = "--" + name.replace("_", "-")
                raise SettingsError(f"{option} {getattr(config, name)}: give a number of seconds above 0.")
        for host in config.insecure_registries:
            if "/" in host or not is_registry(host):
                raise SettingsError(f"--insecure-registry {host}: give a host, with its port if it has one.")
        if config.registry is None:
            return
        if not is_registry(config.registry):
            raise SettingsError(
                f"--registry {config.registry}: give a host, its port and a path, such as "
                "registry.example.com:5000/sandboxes, without a scheme."
            )
        if config.push_secret is None or config.committer_image is None:
            raise SettingsError(
                "--registry needs --push-secret and --committer-image; nothing is pushed else."
            )
        if config.push_secret == config.pull_secret:
            raise SettingsError(
                "--pull-secret: give another secret than --push-secret; sandboxes must not hold credentials "
                "that overwrite images."
            )


def add_options(run: argparse.ArgumentParser) -> None:
    """Add every option of ``sandkit-controller run``; one that is not given is ``None``."""
    add = run.add_argument
    add("--namespace", metavar="NAME", help="where to work (the pod's or the context's own)")
    add(
        "--kubeconfig",
        metavar="PATH",
        type=Path,
        help="how the API server is reached (the pod's account, $KUBECONFIG, ~/.kube/config)",
    )
    add("--context", metavar="NAME", help="context of the kubeconfig (its current one)")
    add("--metrics-host", metavar="HOST", help="address of /metrics, /healthz and /readyz (127.0.0.1)")
    add("--metrics-port", metavar="PORT", type=int, help="its TCP port, 0 for a free one (9090)")
    add("--log-level", choices=LOG_LEVELS, help="least severity to log (info)")
    add("--lease", metavar="NAME", help="lease that replicas compete for (sandkit-controller)")
    for name in ("duration", "deadline", "retry"):
        meaning = {
            "duration": "others take over after",
            "deadline": "gives up after",
            "retry": "pause between",
        }
        default = getattr(Terms(), name)
        add(
            f"--lease-{name}",
            metavar="SECONDS",
            type=float,
            help=f"{meaning[name]} so long without renewal ({default:g})"
            if name != "retry"
            else f"pause between two renewals ({default:g})",
        )
    add("--workers", metavar="N", type=int, help="objects worked on at the same time (16)")
    add("--rate", metavar="N", type=float, help="calls a second in the long run (200)")
    add("--burst", metavar="N", type=int, help="calls at once (400)")
    add("--resync", metavar="SECONDS", type=float, help="time between two looks at everything (600)")
    _add_decisions(run)


def _add_decisions(run: argparse.ArgumentParser) -> None:
    pausing = run.add_argument_group("pause and snapshots")
    add = pausing.add_argument
    add("--registry", metavar="HOST/PATH", help="where images are pushed; without it nothing can be paused")
    add(
        "--insecure-registry",
        dest="insecure_registries",
        metavar="HOST",
        action="append",
        help="registry that speaks plain http; may be repeated (none)",
    )
    add("--push-secret", metavar="NAME", help="secret that commit jobs push with")
    add("--pull-secret", metavar="NAME", help="secret that resumed pods pull with (none)")
    add("--committer-image", metavar="IMAGE", help="image of the commit jobs")
    add("--containerd-socket", metavar="PATH", help="on the nodes (/run/containerd/containerd.sock)")
    add("--containerd-namespace", metavar="NAME", help="of the kubelet's containers (k8s.io)")
    _add_seconds(pausing, int, commit_deadline="a commit may take, with its push")
    _add_seconds(pausing, int, release_deadline="one attempt to let a frozen source run on may take")
    _add_seconds(pausing, int, job_ttl="a finished job is kept at most")
    _add_seconds(pausing, float, resume_deadline="a resume may take")
    pods = run.add_argument_group("pods and pools")
    _add_seconds(pods, float, start_grace="a pod may not be ready before its status says why")
    _add_seconds(pods, float, pull_patience="an image may fail to be pulled")
    _add_seconds(pods, float, recycle_after="a failed warm pod is kept")


def _add_seconds(group: Any, kind: type, **meaning: str) -> None:
    for name, text in meaning.items():
        option = "--" + name.replace("_", "-")
        default = getattr(Config(), name)
        group.add_argument(option, metavar="SECONDS", type=kind, help=f"how long {text} ({default:g})")


def from_options(parsed: Mapping[str, Any]) -> Settings:
    """The settings that parsed options stand for. Raises SettingsError."""
    given = {name: value for name, value in parsed.items() if value is not None}
    terms = {
        name.removeprefix("lease_"): given.pop(name)
        for name in ("lease_duration", "lease_deadline", "lease_retry")
        if name in given
    }
    if "insecure_registries" in given:
        given["insecure_registries"] = frozenset(given["insecure_registries"])
    names = {each.name for each in fields(Config)}
    config = Config(**{name: given.pop(name) for name in names & given.keys()})
    try:
        return Settings(config=config, terms=Terms(**terms), **given)
    except SettingsError:
        raise
    except ValueError as error:
        raise SettingsError(f"--lease-duration, --lease-deadline, --lease-retry: {error}.") from error


def parse(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> Settings:
    """The settings of a command line. Raises SettingsError."""
    options = vars(parser.parse_args(arguments))
    options.pop("command", None)
    return from_options(options)
