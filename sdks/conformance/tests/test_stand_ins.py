"""Scenarios that stand in for others where those cannot be played."""

from __future__ import annotations

import pytest

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.engine.selection import choose
from sandkit_conformance.scenario.loader import parse_suite

from .conftest import Play
from .fakes import FakeControl

TEXT = """
version: 1
area: PAU
scenarios:
  - id: with-gates
    title: With gates it is exact
    steps:
      - {gate: hold, point: snapshot.commit, match: {name: x}, as: g}
      - {verify: 1, is: 1, check: PAU-06}
  - id: without-gates
    title: Without gates it is tried
    standsInFor: with-gates
    steps:
      - {verify: 1, is: 1, check: PAU-06}
  - id: something-else
    title: Something else altogether
    steps:
      - {verify: 1, is: 1, check: RES-01}
"""


@pytest.mark.parametrize(
    ("control", "played"),
    [(FakeControl(), ["with-gates"]), (None, ["without-gates"])],
    ids=["gates", "no gates"],
)
async def test_one_of_the_two_is_played(
    control: FakeControl | None, played: list[str], play: Play, catalogue: Catalogue
) -> None:
    run = (await play("steps:\n  - {verify: 1, is: 1, check: PAU-06}\n", control=control)).run
    chosen = choose(parse_suite([("f", TEXT)], catalogue), [catalogue.requirements["PAU-06"]], run)
    assert [one.scenario.id for one in chosen if one.left_out is None] == played
    assert len(chosen) == 2
