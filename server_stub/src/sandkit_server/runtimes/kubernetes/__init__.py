"""A runtime whose world is a namespace of a Kubernetes cluster: every state lives in its objects."""

from __future__ import annotations

from sandkit_server.runtimes.kubernetes.assembly import KubernetesRuntime
from sandkit_server.runtimes.kubernetes.operator_template import read_pod_template
from sandkit_server.runtimes.kubernetes.settings import KubernetesSettings, PodSettings

__all__ = ["KubernetesRuntime", "KubernetesSettings", "PodSettings", "read_pod_template"]
