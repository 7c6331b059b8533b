"""How pytest-xdist shares the work out: the checks of one scenario go to one worker."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

_SINGLY = frozenset({"load", "worksteal"})


class ScenarioScheduling(LoadScopeScheduling):  # type: ignore[misc]
    """Scenarios stay together; other tests go as `--dist` says."""

    def __init__(self, config: pytest.Config, log: Any, scenario_of: Callable[[str], str | None]) -> None:
        super().__init__(config, log)
        self._scenario_of = scenario_of
        self._singly = config.getvalue("dist") in _SINGLY

    def _split_scope(self, nodeid: str) -> str:
        scenario = self._scenario_of(nodeid)
        if scenario:
            return scenario
        return nodeid if self._singly else super()._split_scope(nodeid)
