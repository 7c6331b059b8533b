"""Which runtimes there are.

A runtime's package is imported when it was chosen, and no other one is: that keeps a start short, and a
server of the one kind free of the other's dependencies.
"""

from __future__ import annotations

from sandkit_server.main.engine import Engine
from sandkit_server.settings import KubernetesOptions, Settings

__all__ = ["engine_of"]


def engine_of(settings: Settings) -> Engine:
    """The engine that was chosen. Raises StartError when its files cannot be read."""
    if isinstance(settings.engine, KubernetesOptions):
        from sandkit_server.main.kubernetes import ClusterEngine

        return ClusterEngine(settings.engine, settings.sandboxes.policy(), settings.api_key)
    from sandkit_server.main.memory import InProcessEngine

    return InProcessEngine(settings.engine, settings.sandboxes.policy())
