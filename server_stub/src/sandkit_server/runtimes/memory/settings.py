"""What the operator of a memory engine chooses."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandkit_server.core.ports import PauseMode


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Where committed images go. Push and pull secrets are two different ones, both named, never shown."""

    repository: str = "localhost:5000/sandkit"
    push_secret: str | None = "registry-push"  # noqa: S105 - the name of a secret
    pull_secret: str | None = "registry-pull"  # noqa: S105 - the name of a secret


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySettings:
    """Durations are seconds of the engine's clock.

    Attributes:
        transition_seconds: How long each transition takes at least, so that it can be observed.
        pause_mode: The way of pausing; ``None`` for an engine that cannot pause.
        registry: ``None`` when none is configured; then a rootfs pause fails and says so.
        commit_deadline: Longest time a commit may take before the committer is stopped.
        max_sandboxes: Quota; ``None`` for none.
        snapshots: Whether users can take snapshots.
        pools: Whether there are pools.
        retry_seconds: First and longest pause between attempts of a step that must succeed in the end.
    """

    transition_seconds: float = 0.01
    pause_mode: PauseMode | None = PauseMode.ROOTFS
    registry: RegistrySettings | None = field(default_factory=RegistrySettings)
    commit_deadline: float = 600.0
    max_sandboxes: int | None = None
    snapshots: bool = True
    pools: bool = True
    retry_seconds: tuple[float, float] = (0.05, 1.0)
