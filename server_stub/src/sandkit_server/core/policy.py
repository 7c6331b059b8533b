"""What the operator decides; constant while the server runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Limits, defaults and time-outs. Durations are seconds.

    Attributes:
        max_timeout: Longest lifetime a sandbox may be given or renewed to; ``None`` for no limit.
        host_path_prefixes: Absolute paths below which ``host`` volumes are allowed; none by default.
        ready_timeout: How long a new workload may stay Pending before it is given up.
        wait_ready: Answer a create only when the workload is ready, and roll back everything if it is not.
            Off by default: then a create answers at once and a workload that never gets ready is shown as
            Failed.
        claim_storage: Size of a claim whose request names none.
        claim_storage_class: Class of a claim whose request names none; ``None`` for the engine's own default.
        claim_access_modes: Access modes of a claim whose request names none.
        reconcile_interval: Time between two looks for what a crash or a failed clean-up left behind.
        reconcile_grace: Age below which a claim without a workload may belong to a create that is still
            under way in another server; it is left alone until then.
        exclusive: No other server works on this engine, so at start no create can be under way and the
            grace is 0.
        contention_attempts: How often a compare-and-set is tried when others keep changing the object.
    """

    max_timeout: int | None = None
    host_path_prefixes: tuple[str, ...] = ()
    ready_timeout: float = 300.0
    wait_ready: bool = False
    claim_storage: str = "1Gi"
    claim_storage_class: str | None = None
    claim_access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    reconcile_interval: float = 30.0
    reconcile_grace: float = 60.0
    exclusive: bool = False
    contention_attempts: int = 8
