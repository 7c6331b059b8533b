"""Traces of the explorer, taken on a cluster: the model and the cluster have to agree on what is broken.

A test class names the fixtures ``cluster``, an empty namespace, and ``eventually``, which lets the cluster's
own controllers act until what it is given holds.
"""

# ruff: noqa: D102  (what a test asserts is said by its name)

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from sandkit_server.kubernetes.calls import Cluster
from sandkit_server.testing.explorer.catalogue import SCENARIOS
from sandkit_server.testing.explorer.defects import DEFECTS
from sandkit_server.testing.explorer.replaying import Eventually, Replay
from sandkit_server.testing.explorer.scenarios import Stage
from sandkit_server.testing.explorer.search import Bounds, Search
from sandkit_server.testing.explorer.traces import trace_of

_DEPTH = 12


class ReplayContract:
    """What is broken on the model is broken on the cluster, by the same words."""

    @pytest.fixture(autouse=True)
    def quiet(self) -> Iterator[None]:
        logging.disable(logging.CRITICAL)
        yield
        logging.disable(logging.NOTSET)

    @pytest.mark.parametrize(
        "identifier",
        [
            "sweep-before-delete",
            "delete-in-background",
            "owner-reference-dropped",
            "roll-back-sweeps-whatever-the-delete-said",
        ],
    )
    async def test_a_trace_breaks_the_same_promise(
        self, cluster: Cluster, eventually: Eventually, identifier: str
    ) -> None:
        defect = DEFECTS[identifier]
        with defect.installed():
            stage = Stage(SCENARIOS[defect.scenario])
            finding = Search(stage.world, Bounds(depth=_DEPTH)).run().finding
            assert finding is not None
            trace = trace_of(defect.scenario, finding)
            broken = await Replay(Stage(SCENARIOS[defect.scenario]), trace, cluster, eventually).run()
        assert broken == trace.broken
