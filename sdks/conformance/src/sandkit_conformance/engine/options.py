"""What a run is asked to do."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import field, frozen

from sandkit_conformance.baseline import Baseline
from sandkit_conformance.drivers.choosing import RAW
from sandkit_conformance.profile import Profile
from sandkit_conformance.verdict import Gate

DEFAULT_CONCURRENCY: Final = 8


@frozen
class RunOptions:
    """What a run is asked to do. `concurrency` is how many scenarios run side by side.

    `driver` is `raw`, the name of a driver of the suite's own, or the command of another one.
    """

    profile: Profile
    patterns: tuple[str, ...] = ()
    gate: Gate = "spec"
    seed: int | None = None
    concurrency: int = DEFAULT_CONCURRENCY
    report_dir: Path | None = None
    run_id: str | None = None
    baseline: Baseline = field(factory=Baseline)
    command: str = ""
    driver: str = RAW
