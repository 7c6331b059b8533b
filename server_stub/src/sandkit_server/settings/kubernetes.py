"""Options of the Kubernetes runtime."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

from sandkit_server.settings.error import SettingsError, require_choice

__all__ = ["ENDPOINTS", "PULL_POLICIES", "WORKLOAD_PROVIDERS", "KubernetesOptions"]

WORKLOAD_PROVIDERS: Final = ("batchsandbox", "agent-sandbox")
PULL_POLICIES: Final = ("Always", "IfNotPresent", "Never")
ENDPOINTS: Final = ("pod", "server")

_DNS_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_DNS_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class KubernetesOptions:
    """What the operator chooses for sandboxes on a cluster.

    Attributes:
        namespace: Where the objects live; ``None`` for that of the pod or of the kubeconfig's context.
        kubeconfig: File that tells how the API server is reached; ``None`` for the pod's service account, the
            variable ``KUBECONFIG``, or ``~/.kube/config``, in this order.
        context: Context of the kubeconfig; ``None`` for its current one.
        workload_provider: The kind sandboxes run as: ``batchsandbox`` (with our controller) or
            ``agent-sandbox`` (with that project's own).
        image_pull_policy: When nodes pull images; ``None`` for Kubernetes' own default.
        pod_template: File with a pod template (YAML or JSON) that lies under the pod of every sandbox: node
            selector, tolerations, runtime class, security context, sidecars.
        snapshot_pull_secret: Name of the secret that pods pull images of snapshots with.
        endpoints: What clients are told: the address of the ``pod``, or one on this ``server`` that leads
            there, for clients outside the cluster's network.

    Raises:
        SettingsError: on construction.
    """

    runtime: ClassVar[str] = "kubernetes"

    namespace: str | None = None
    kubeconfig: Path | None = None
    context: str | None = None
    workload_provider: str = "batchsandbox"
    image_pull_policy: str | None = None
    pod_template: Path | None = None
    snapshot_pull_secret: str | None = None
    endpoints: str = "pod"

    def __post_init__(self) -> None:
        require_choice("--workload-provider", self.workload_provider, WORKLOAD_PROVIDERS)
        require_choice("--endpoints", self.endpoints, ENDPOINTS)
        if self.image_pull_policy is not None:
            require_choice("--image-pull-policy", self.image_pull_policy, PULL_POLICIES)
        if self.namespace is not None and _DNS_LABEL.match(self.namespace) is None:
            raise SettingsError(
                f"--namespace {self.namespace}: a namespace is lower-case letters, digits and inner hyphens."
            )
        if self.snapshot_pull_secret is not None and _DNS_NAME.match(self.snapshot_pull_secret) is None:
            raise SettingsError(f"--snapshot-pull-secret {self.snapshot_pull_secret}: give a secret's name.")
        for option, path in (("--kubeconfig", self.kubeconfig), ("--pod-template", self.pod_template)):
            if path is not None and not path.is_file():
                raise SettingsError(f"{option} {path}: there is no such file.")
