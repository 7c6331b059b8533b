"""The Kubernetes runtime, as the composition root sees it."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Awaitable, Callable

from sandkit_server.core.errors import StartError
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports
from sandkit_server.kubernetes.connection import discover
from sandkit_server.kubernetes.credentials import ConfigurationError
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.main.engine import Runtime
from sandkit_server.runtimes.kubernetes import (
    KubernetesRuntime,
    KubernetesSettings,
    PodSettings,
    read_pod_template,
)
from sandkit_server.settings import KubernetesOptions

__all__ = ["ClusterEngine"]


class ClusterEngine:
    """A namespace of a cluster.

    Raises:
        StartError: on construction, when it is not known how to reach the cluster, or when the pod template
            is none.
    """

    def __init__(self, options: KubernetesOptions, policy: Policy, api_key: str | None) -> None:
        self._options = options
        self._policy = policy
        self._settings = KubernetesSettings(
            workload_provider=options.workload_provider,
            pods=PodSettings(
                template=read_pod_template(options.pod_template) if options.pod_template is not None else {},
                image_pull_policy=options.image_pull_policy,
                snapshot_pull_secret=options.snapshot_pull_secret,
            ),
            through_server=options.endpoints == "server",
            endpoint_secret=_endpoint_secret(api_key),
        )
        try:
            self._connection = discover(os.environ, path=options.kubeconfig, context=options.context)
        except ConfigurationError as error:
            raise StartError(
                f"It is not known how to reach the cluster: {error}. Give --kubeconfig and --context, or run "
                "the server in a pod with a service account."
            ) from error

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Runtime:
        """A new server over the same namespace."""
        cluster = HttpCluster(
            self._connection, field_manager="sandkit-server", namespace=self._options.namespace
        )
        return KubernetesRuntime(cluster, self._settings, self._policy, endpoint_base, alter_ports)

    def probe(self) -> None:
        """A cluster is looked into from outside the server."""
        return

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> None:  # noqa: ARG002
        """A cluster is disturbed from outside the server."""
        return


def _endpoint_secret(api_key: str | None) -> bytes:
    """What access tokens are signed with: the same in every server of one API key, and not that key."""
    if api_key is None:
        return secrets.token_bytes(32)
    return hmac.new(api_key.encode(), b"sandkit endpoint access", hashlib.sha256).digest()
