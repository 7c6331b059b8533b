"""Which scenarios a run plays: those that check something selected, with stand-ins for those that cannot."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from sandkit_conformance.catalogue import Requirement
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.engine.needs import implied_needs, unmet
from sandkit_conformance.scenario.model import Scenario, Suite


@frozen
class Chosen:
    """A scenario of the run with its number in the suite; `left_out` says why it is not played."""

    scenario: Scenario
    ordinal: int
    left_out: str | None = None


def choose(suite: Suite, requirements: Iterable[Requirement], run: RunContext) -> list[Chosen]:
    """The scenarios of a run, in suite order."""
    wanted = {requirement.id for requirement in requirements}
    playable = {scenario.id: unmet(implied_needs(scenario), run) is None for scenario in suite.scenarios}
    stand_ins = {scenario.stands_in_for: scenario for scenario in suite.scenarios if scenario.stands_in_for}
    chosen: list[Chosen] = []
    for ordinal, scenario in enumerate(suite.scenarios):
        if any(step.check in wanted for step in scenario.checks()):
            chosen.append(Chosen(scenario, ordinal, _left_out(scenario, playable, stand_ins)))
    return chosen


def _left_out(scenario: Scenario, playable: dict[str, bool], stand_ins: dict[str, Scenario]) -> str | None:
    if scenario.stands_in_for and playable[scenario.stands_in_for]:
        return f"{scenario.stands_in_for} can be played itself"
    stand_in = stand_ins.get(scenario.id)
    if stand_in and not playable[scenario.id] and playable[stand_in.id]:
        return f"{stand_in.id} stands in for it"
    return None
