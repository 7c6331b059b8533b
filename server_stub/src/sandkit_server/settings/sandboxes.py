"""Limits, defaults and time-outs of sandboxes, on any runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from sandkit_server.core.policy import Policy
from sandkit_server.core.quantities import parse_quantity
from sandkit_server.settings.error import SettingsError, require_choice, require_duration

__all__ = ["ACCESS_MODES", "SandboxOptions"]

ACCESS_MODES: Final = ("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod")

_SHORTEST_LIFETIME: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """What holds for every sandbox. Times are seconds.

    Attributes:
        max_lifetime: Longest lifetime a sandbox may be given or renewed to; ``None`` for no bound.
        allowed_host_prefixes: Absolute folders below which ``host`` volumes may lie; none by default.
        ready_timeout: How long a sandbox may take to start before it is given up.
        wait_ready: Answer a create only when the sandbox runs, and leave nothing of one that does not.
        claim_storage: Size of a claim whose request names none.
        claim_storage_class: Class of a claim whose request names none; ``None`` for the engine's default.
        claim_access_modes: Access modes of a claim whose request names none.
        reconcile_interval: Time between two looks for what a crash left behind.
        reconcile_grace: Age below which a claim without a sandbox may belong to a create under way in
            another server.

    Raises:
        SettingsError: on construction.
    """

    max_lifetime: int | None = None
    allowed_host_prefixes: tuple[str, ...] = ()
    ready_timeout: float = 300.0
    wait_ready: bool = False
    claim_storage: str = "1Gi"
    claim_storage_class: str | None = None
    claim_access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    reconcile_interval: float = 30.0
    reconcile_grace: float = 60.0

    def __post_init__(self) -> None:
        if self.max_lifetime is not None and self.max_lifetime < _SHORTEST_LIFETIME:
            raise SettingsError(
                f"--max-lifetime {self.max_lifetime}: give at least {_SHORTEST_LIFETIME} seconds."
            )
        for prefix in self.allowed_host_prefixes:
            path = PurePosixPath(prefix)
            if not path.is_absolute() or ".." in path.parts:
                raise SettingsError(f"--allowed-host-prefix {prefix}: give an absolute path without '..'.")
        self._check_durations()
        self._check_claims()

    def _check_durations(self) -> None:
        for option, seconds in (
            ("--ready-timeout", self.ready_timeout),
            ("--reconcile-interval", self.reconcile_interval),
        ):
            require_duration(option, seconds)
            if seconds == 0:
                raise SettingsError(f"{option} 0: give more than 0 seconds.")
        require_duration("--reconcile-grace", self.reconcile_grace)

    def _check_claims(self) -> None:
        size = parse_quantity(self.claim_storage)
        if size is None or size <= 0:
            raise SettingsError(f"--claim-storage {self.claim_storage}: give a size such as 10Gi.")
        if not self.claim_access_modes:
            raise SettingsError("--claim-access-mode: give at least one.")
        for mode in self.claim_access_modes:
            require_choice("--claim-access-mode", mode, ACCESS_MODES)

    def policy(self) -> Policy:
        """The same in the core's terms."""
        return Policy(
            max_timeout=self.max_lifetime,
            host_path_prefixes=self.allowed_host_prefixes,
            ready_timeout=self.ready_timeout,
            wait_ready=self.wait_ready,
            claim_storage=self.claim_storage,
            claim_storage_class=self.claim_storage_class,
            claim_access_modes=self.claim_access_modes,
            reconcile_interval=self.reconcile_interval,
            reconcile_grace=self.reconcile_grace,
        )
