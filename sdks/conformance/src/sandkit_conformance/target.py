"""Targets: the server under test, from a target file and from options, which win."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, field, frozen

from sandkit_conformance.failures import BadFileError, SuiteError
from sandkit_conformance.scenario.document import read_document
from sandkit_conformance.scenario.schema import problems, whole

DEFAULT_BUDGETS: Final[Mapping[str, float]] = {
    "request": 10.0,
    "start": 60.0,
    "pause": 120.0,
    "resume": 120.0,
    "stop": 60.0,
    "snapshot": 120.0,
    "settle": 15.0,
    "window": 0.5,
    "scenario": 300.0,
    "poll": 0.01,
}
DEFAULT_TEMPLATE: Final[Mapping[str, Any]] = {
    "image": {"uri": "busybox:1.36"},
    "entrypoint": ["sleep", "3600"],
    "resourceLimits": {"cpu": "100m", "memory": "64Mi"},
}
DEFAULT_CHOICES: Final[Mapping[str, Any]] = {
    "pauseMode": "rootfs",
    "renewInTransition": "accepted",
    "bodyLimit": 1_048_576,
    "serviceBase": "/v1",
    "pauseRefusal": {"status": 501, "code": "SANDBOX::API_NOT_SUPPORTED"},
}

DEFAULT_DOCKER_HOST: Final = "unix:///var/run/docker.sock"


@frozen
class PortAddress:
    """Where a side port is, and its key."""

    url: str
    key: str | None = field(default=None, repr=False)


@frozen
class ClusterAddress:
    """A cluster to look into, and who looks into the sandboxes there.

    `workloads` is `batchsandboxes` or `sandboxes`, the kind of object the server makes of a sandbox.
    """

    kubeconfig: Path
    namespace: str | None = None
    context: str | None = None
    workloads: str = "batchsandboxes"
    agent: PortAddress | None = None


@frozen
class DockerAddress:
    """A Docker engine to look into.

    `image` is one that it has, for reaching into volumes; `snapshot_images` is the repository of the images
    that are snapshots, whose tag is the snapshot's id.
    """

    host: str
    image: str
    snapshot_images: str | None = None


ProbeAddress = PortAddress | ClusterAddress | DockerAddress


@frozen
class Target:
    """A server under test. `root` is its address without `/v1`; `capabilities` None means everything."""

    root: str
    name: str = ""
    api_key: str | None = field(default=None, repr=False)
    probe: ProbeAddress | None = None
    control: PortAddress | None = None
    capabilities: frozenset[str] | None = None
    choices: Mapping[str, Any] = field(factory=lambda: dict(DEFAULT_CHOICES))
    budgets: Mapping[str, float] = field(factory=lambda: dict(DEFAULT_BUDGETS))
    template: Mapping[str, Any] = field(factory=lambda: dict(DEFAULT_TEMPLATE))
    codes: Mapping[str, tuple[str, ...]] = field(factory=dict)

    @property
    def service_base(self) -> str:
        """The path below which health and version are told: `/v1`, or empty for the root."""
        return str(self.choices.get("serviceBase", "/v1"))

    def has(self, capability: str | None) -> bool:
        """Whether the target declares the capability; null is a capability everybody has."""
        return capability is None or self.capabilities is None or capability in self.capabilities

    def seconds(self, budget: str | float) -> float:
        """A budget's length.

        Raises:
            SuiteError: no budget has that name.
        """
        if isinstance(budget, int | float):
            return float(budget)
        try:
            return self.budgets[budget]
        except KeyError:
            raise SuiteError(f"no budget is named `{budget}`; there are {', '.join(self.budgets)}") from None

    def same_code(self, expected: str, observed: str) -> bool:
        """Whether two codes mean the same: equal last parts, or the target declares the other name."""
        wanted, found = last_part(expected), last_part(observed)
        return wanted == found or found in {last_part(name) for name in self.codes.get(wanted, ())}


@frozen
class TargetOptions:
    """What the command line says about the target; None where it says nothing."""

    base_url: str | None = None
    api_key_env: str | None = None
    probe_url: str | None = None
    probe_key_env: str = "SANDKIT_PROBE_KEY"
    control_url: str | None = None
    control_key_env: str = "SANDKIT_CONTROL_KEY"


def last_part(code: str) -> str:
    """The part of an error code that clients match on."""
    return code.rpartition("::")[2]


def load_target(path: Path | None, options: TargetOptions, environment: Mapping[str, str]) -> Target:
    """Put a target together.

    Raises:
        SuiteError: a file that cannot be used, no address, or a credential variable that is not set.
    """
    data = _read(path) if path else {}
    address = options.base_url or data.get("baseUrl")
    if not address:
        raise SuiteError("no server: give --base-url, or a target file with `baseUrl`")
    key_name = options.api_key_env or data.get("apiKeyEnv")
    target = Target(
        root=_root(address),
        name=data.get("name") or _root(address),
        api_key=_credential(key_name, environment) if key_name else None,
        probe=_probe(options, data.get("probe"), environment),
        control=_port(options.control_url, options.control_key_env, data.get("control"), environment),
    )
    return evolve(
        target,
        capabilities=frozenset(data["capabilities"]) if "capabilities" in data else None,
        choices={**DEFAULT_CHOICES, **data.get("choices", {})},
        budgets={**DEFAULT_BUDGETS, **data.get("budgets", {})},
        template={**DEFAULT_TEMPLATE, **data.get("template", {})},
        codes={name: tuple(others) for name, others in data.get("codes", {}).items()},
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"cannot read the target file {path}: {error}") from error
    document = read_document(text, str(path))
    found = list(problems(document, whole("target"), document.data))
    if found:
        raise BadFileError(found)
    data: dict[str, Any] = document.data
    return data


def _root(address: str) -> str:
    parts = urlsplit(address)
    try:
        usable = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if parts.username is not None or parts.password is not None:
        raise SuiteError(
            "an address holds no user name and no password; --api-key-env names the key's variable"
        )
    if not usable or parts.query or parts.fragment:
        raise SuiteError(f"{address!r} is no address of a server; write it like http://localhost:8080/v1")
    return address.rstrip("/").removesuffix("/v1")


def _credential(name: str, environment: Mapping[str, str]) -> str:
    value = environment.get(name)
    if not value:
        raise SuiteError(f"the environment variable {name} is not set; the target needs it")
    return value


def _probe(
    options: TargetOptions, data: Mapping[str, Any] | None, environment: Mapping[str, str]
) -> ProbeAddress | None:
    """The probe; of one that is a cluster, the options name the agent."""
    if not data or data.get("kind", "http") == "http":
        return _port(options.probe_url, options.probe_key_env, data, environment)
    if data["kind"] == "docker":
        host = _credential(data["hostEnv"], environment) if "hostEnv" in data else data.get("host")
        return DockerAddress(host or DEFAULT_DOCKER_HOST, data["image"], data.get("snapshotImages"))
    return ClusterAddress(
        kubeconfig=Path(_credential(data["kubeconfigEnv"], environment)),
        namespace=data.get("namespace"),
        context=data.get("context"),
        workloads=data.get("workloads", "batchsandboxes"),
        agent=_port(options.probe_url, options.probe_key_env, data.get("agent"), environment),
    )


def _port(
    url: str | None, key_env: str, data: Mapping[str, Any] | None, environment: Mapping[str, str]
) -> PortAddress | None:
    if url:
        return PortAddress(_root(url), environment.get(key_env) or None)
    if not data:
        return None
    key = _credential(data["keyEnv"], environment) if "keyEnv" in data else None
    return PortAddress(_root(data["url"]), key)
