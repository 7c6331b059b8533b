"""Whether a target has what a scenario, a step or a requirement needs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import frozen

from sandkit_conformance.catalogue import Requirement
from sandkit_conformance.engine.context import RunContext
from sandkit_conformance.scenario.model import Needs, Scenario, Step
from sandkit_conformance.verdict import Verdict

_PROBE_FEATURES: Final[Mapping[str, str]] = {
    "events": "events",
    "file": "files",
    "environment": "environment",
}
_SEED_FEATURES: Final[Mapping[str, str]] = {"file": "files"}
_CONTROL_FEATURES: Final[Mapping[str, str]] = {
    "fault": "faults",
    "clear": "faults",
    "gate": "gates",
    "advance": "clock",
    "restart": "restart",
}


@frozen
class Unmet:
    """A need that is not met, and the verdict that follows from it."""

    verdict: Verdict
    reason: str


def unmet(needs: Needs, run: RunContext) -> Unmet | None:
    """The first need of a scenario or a step that the target does not meet."""
    return next(_unmet(needs, run), None)


def _unmet(needs: Needs, run: RunContext) -> Iterator[Unmet]:
    for capability in needs.capabilities:
        if not run.target.has(capability):
            yield Unmet(Verdict.NOT_APPLICABLE, f"the target does not declare the capability {capability}")
    for name, value in needs.choices.items():
        chosen = run.target.choices.get(name)
        if chosen != value:
            yield Unmet(Verdict.NOT_APPLICABLE, f"the target's choice of {name} is {chosen}, not {value}")
    for port, features, offered in (
        ("probe", needs.probe, run.ports.probe),
        ("control", needs.control, run.ports.control),
    ):
        for feature in features:
            if offered is None:
                yield Unmet(
                    Verdict.UNOBSERVABLE, f"needs a {port} port that can do `{feature}`; there is none"
                )
            elif feature not in offered:
                yield Unmet(Verdict.UNOBSERVABLE, f"the {port} port cannot do `{feature}`")


def excluded(scenario: Scenario, run: RunContext) -> Unmet | None:
    """Whether the target has something that the scenario is about the lack of."""
    needs = scenario.unless
    single = [Needs(capabilities=(one,)) for one in needs.capabilities]
    single += [Needs(probe=(one,)) for one in needs.probe]
    single += [Needs(control=(one,)) for one in needs.control]
    if any(unmet(one, run) is None for one in single):
        return Unmet(Verdict.NOT_APPLICABLE, "the target has what this scenario is about the lack of")
    for name, value in needs.choices.items():
        if run.target.choices.get(name) == value:
            return Unmet(Verdict.NOT_APPLICABLE, f"the target's choice of {name} is {json.dumps(value)}")
    return None


def unmet_by_step(step: Step, run: RunContext) -> Unmet | None:
    """The same for a step, with what its verb and its requirement need by themselves."""
    needs = step.needs
    if step.body.get("auth", "valid") != "valid" and run.target.api_key is None:
        return Unmet(Verdict.NOT_APPLICABLE, "the target has no API key")
    requirement = run.catalogue.requirements.get(step.check or "")
    implied = Needs(
        capabilities=_capability(requirement),
        probe=tuple(_probe_features(step)),
        control=tuple(_control_features(step)),
    )
    return unmet(needs, run) or unmet(implied, run)


def _capability(requirement: Requirement | None) -> tuple[str, ...]:
    return (requirement.capability,) if requirement and requirement.capability else ()


def _probe_features(step: Step) -> Iterator[str]:
    looked_for = step.body.get(step.verb)
    if step.verb in {"await", "never"} and isinstance(looked_for, Mapping):
        looked_for = looked_for.get("probe")
    elif step.verb != "probe":
        looked_for = None
    if isinstance(looked_for, str):
        yield _PROBE_FEATURES.get(looked_for, "view")
    if step.verb in {"seed", "remove", "edit"}:
        yield _SEED_FEATURES.get(step.body[step.verb], "seed")


def _control_features(step: Step) -> Iterator[str]:
    if step.verb in _CONTROL_FEATURES:
        yield _CONTROL_FEATURES[step.verb]
    condition = step.body.get(step.verb)
    if step.verb in {"await", "never"} and isinstance(condition, Mapping) and "fault" in condition:
        yield "faults"


def implied_needs(scenario: Scenario) -> Needs:
    """What a scenario's steps need by their verbs alone: for `explain` and for a stand-in's choice."""
    probe = dict.fromkeys(feature for step in scenario.all_steps() for feature in _probe_features(step))
    control = dict.fromkeys(feature for step in scenario.all_steps() for feature in _control_features(step))
    return Needs(
        capabilities=scenario.needs.capabilities,
        probe=tuple(dict.fromkeys([*scenario.needs.probe, *probe])),
        control=tuple(dict.fromkeys([*scenario.needs.control, *control])),
        choices=scenario.needs.choices,
    )
