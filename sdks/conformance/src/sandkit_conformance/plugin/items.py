"""Checks as pytest items: `conformance::PAU-07::second-pause::3`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandkit_conformance.catalogue import Catalogue, Requirement
from sandkit_conformance.engine.result import ScenarioResult
from sandkit_conformance.scenario.model import Scenario, Suite
from sandkit_conformance.verdict import CheckResult, Verdict

ROOT = "conformance"
Perform = Callable[["CheckItem"], None]


class CheckNotPassedError(Exception):
    """A check has another verdict than pass; carries what the report shows."""

    def __init__(self, verdict: Verdict, text: str, reason: str = "") -> None:
        self.verdict = verdict
        self.reason = reason or text
        super().__init__(text)


class RequirementNode(pytest.Collector):
    """One promise, with its checks below it."""

    def collect(self) -> Iterator[pytest.Item]:
        """Checks come all at once, from `items_of`."""
        return iter(())


class CheckItem(pytest.Item):
    """One check of a scenario, or a standing check (then there is no scenario)."""

    def __init__(
        self,
        requirement: Requirement,
        scenario: Scenario | None,
        title: str,
        perform: Perform,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.requirement = requirement
        self.scenario = scenario
        self.title = title
        self.perform = perform
        for marker in (
            pytest.mark.requirement(id=requirement.id),
            pytest.mark.level(name=requirement.level),
            pytest.mark.authority(name=requirement.authority),
            pytest.mark.area(name=requirement.area),
        ):
            self.add_marker(marker)
        self.extra_keyword_matches |= {requirement.id, requirement.level, requirement.authority}
        self.user_properties += [
            ("requirement", requirement.id),
            ("level", requirement.level),
            ("authority", requirement.authority),
        ]

    @property
    def step(self) -> str:
        """The number of the step in its scenario."""
        return self.name.rpartition("::")[2]

    def reportinfo(self) -> tuple[Path | str, int | None, str]:
        """Where it is, for pytest: in no file of the session."""
        return ROOT, None, f"{self.requirement.id}: {self.title}"

    def runtest(self) -> None:
        """Play the scenario, if no check before this one did, and look at the verdict."""
        self.perform(self)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The verdict in the suite's words, without a traceback into its engine."""
        if isinstance(excinfo.value, CheckNotPassedError):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)


def items_of(
    session: pytest.Session, suite: Suite, catalogue: Catalogue, perform: Perform
) -> Iterator[CheckItem]:
    """Every check of the suite: a scenario's side by side, then exclusive scenarios, standing checks last."""
    root = RequirementNode.from_parent(session, name=ROOT, nodeid=ROOT)
    nodes: dict[str, RequirementNode] = {}

    def node(requirement: str) -> RequirementNode:
        if requirement not in nodes:
            made = RequirementNode.from_parent(root, name=requirement, nodeid=f"{ROOT}::{requirement}")
            nodes[requirement] = made
        return nodes[requirement]

    for scenario in sorted(suite.scenarios, key=lambda one: one.exclusive):
        for step in scenario.checks():
            cited = step.check or ""
            yield CheckItem.from_parent(
                node(cited),
                name=f"{scenario.name}::{step.number}",
                requirement=catalogue.requirements[cited],
                scenario=scenario,
                title=step.title,
                perform=perform,
            )
    for check in suite.standing:
        yield CheckItem.from_parent(
            node(check.check),
            name=f"standing::{check.invariant}",
            requirement=catalogue.requirements[check.check],
            scenario=None,
            title=check.says,
            perform=perform,
        )


def check_of(item: CheckItem, result: ScenarioResult) -> CheckResult:
    """The item's own check out of the result of its scenario."""
    if result.left_out:
        verdict, reasons = Verdict.NOT_APPLICABLE, (result.left_out,)
        name = item.scenario.name if item.scenario else ""
        return CheckResult(item.requirement.id, name, item.step, item.title, verdict, reasons)
    return next(
        check
        for check in result.checks
        if check.step == item.step and check.requirement == item.requirement.id
    )


def told(requirement: Requirement, check: CheckResult, reproduce: list[str]) -> str:
    """What a reader has to know about a check that did not pass."""
    lines = [
        f"{requirement.id} {check.verdict} ({requirement.level}, {requirement.authority})",
        requirement.text,
        "",
        f"{check.title}  ({check.scenario}, step {check.step})",
        *(f"  {reason}" for reason in check.reasons),
        *(f"  $ {command}" for command in reproduce),
    ]
    return "\n".join(lines)
