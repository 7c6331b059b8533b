"""The Kubernetes runtime, as the composition root sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sandkit_server.core.errors import StartError
from sandkit_server.core.policy import Policy
from sandkit_server.core.ports import Ports
from sandkit_server.main.engine import Runtime
from sandkit_server.settings import KubernetesOptions

__all__ = ["ClusterEngine"]


class ClusterEngine:
    """A namespace of a cluster."""

    def __init__(self, options: KubernetesOptions, policy: Policy, api_key: str | None) -> None:
        self._options = options
        self._policy = policy
        self._api_key = api_key

    def compose(self, endpoint_base: Callable[[], str], alter_ports: Callable[[Ports], Ports]) -> Runtime:  # noqa: ARG002
        """A new server over the same namespace."""
        raise StartError("The Kubernetes runtime is not part of this build.")

    def probe(self) -> None:
        """A cluster is looked into from outside the server."""
        return

    def control(self, restart: Callable[[bool], Awaitable[None]]) -> None:  # noqa: ARG002
        """A cluster is disturbed from outside the server."""
        return
