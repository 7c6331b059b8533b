"""Rules about the requirement catalogue: ids that stay, operations that exist, words that bind."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from sandkit_codegen.lint.rule import Defect, listed, rule
from sandkit_codegen.load import Position, Requirement, SpecSet, text_of

_REPOSITORY_PATH = re.compile(r"[\w./-]+/[\w.-]+\.(?:ya?ml|md|py|json)\b")
_LEVEL_WORD = re.compile(r"\b(MUST|SHOULD|MAY)\b")


@rule("requirement-area")
def requirement_area(specs: SpecSet) -> Iterator[Defect]:
    """One file for each area, named after it."""
    for area in specs.areas:
        position = area.node.entries["area"].position
        stem = PurePosixPath(position.file).stem
        if area.area.lower() != stem:
            what = f"The area {area.area} is in the file {stem}.yaml."
            yield Defect(position, what, f"Move it to {area.area.lower()}.yaml, or correct the area.")
        for requirement in area.requirements:
            if not requirement.id.startswith(f"{area.area}-"):
                what = f"{requirement.id} does not belong to the area {area.area}."
                yield Defect(_id_position(requirement), what, f"Begin the id with {area.area}-, or move it.")


def _id_position(requirement: Requirement) -> Position:
    return requirement.node.entries["id"].position


@rule("requirement-unique")
def requirement_unique(specs: SpecSet) -> Iterator[Defect]:
    """No requirement id is used twice."""
    first: dict[str, Requirement] = {}
    for requirement in specs.requirements:
        other = first.setdefault(requirement.id, requirement)
        if other is not requirement:
            what = f"The id {requirement.id} was already used at {_id_position(other)}."
            yield Defect(_id_position(requirement), what, "Take the next free number.")


@rule("requirement-sequence")
def requirement_sequence(specs: SpecSet) -> Iterator[Defect]:
    """Requirements are numbered in order without gaps."""
    for area in specs.areas:
        expected = 1
        for requirement in area.requirements:
            number = int(requirement.id.rsplit("-", 1)[1])
            wanted = f"{area.area}-{expected:02d}"
            if number != expected or (requirement.id.startswith(area.area) and requirement.id != wanted):
                what = f"{requirement.id} stands where {wanted} is due."
                remedy = "Number in order and without gaps, with at least two digits."
                yield Defect(_id_position(requirement), what, remedy)
            expected = number + 1


@rule("requirement-operation")
def requirement_operation(specs: SpecSet) -> Iterator[Defect]:
    """Requirements cite existing operations."""
    known = [operation.operation_id for operation in specs.openapi.operations]
    for requirement in specs.requirements:
        for node in requirement.node.items_of("operation"):
            if text_of(node) not in known:
                remedy = f"Correct it; the operations are {listed(known)}."
                yield Defect(node.position, f"lifecycle.yaml has no operation {text_of(node)}.", remedy)


@rule("requirement-level")
def requirement_level(specs: SpecSet) -> Iterator[Defect]:
    """The text of a requirement uses the word of its level."""
    for requirement in specs.requirements:
        words = set(_LEVEL_WORD.findall(requirement.text))
        if requirement.level not in words:
            what = f"The text of {requirement.id} does not say {requirement.level}."
            remedy = f"Say in the text what {requirement.level} hold, or change the level."
            yield Defect(requirement.node.entries["text"].position, what, remedy)


@rule("requirement-check")
def requirement_check(specs: SpecSet) -> Iterator[Defect]:
    """What memory cannot show says where and why."""
    for requirement in specs.requirements:
        position = requirement.node.entries["testable_on"].position
        if "memory" not in requirement.testable_on and requirement.check is None:
            what = f"{requirement.id} cannot be shown on memory and does not say where it is checked."
            yield Defect(position, what, "Add `check` with the place, or make it testable on memory.")
        if requirement.check in {"docker", "cluster"} and "memory" in requirement.testable_on:
            what = f"{requirement.id} is testable on memory but checked on {requirement.check} only."
            yield Defect(requirement.node.at("check"), what, "Remove `check`, or `memory` from testable_on.")
        if requirement.check is not None and requirement.check != "sdk" and requirement.notes is None:
            what = f"{requirement.id} does not say why memory cannot show it."
            yield Defect(requirement.node.at("check"), what, "Add a note with the reason.")


@rule("requirement-source")
def requirement_source(specs: SpecSet) -> Iterator[Defect]:
    """The source fits the authority and is not one of our files."""
    for requirement in specs.requirements:
        position = requirement.node.entries["source"].position
        if requirement.authority == "spec" and requirement.source.startswith("reference design"):
            what = f"{requirement.id} claims the contract, but its source is the reference design."
            yield Defect(position, what, "Name the published contract, or change `authority`.")
        path = _REPOSITORY_PATH.search(requirement.source)
        if path is not None:
            what = f"The source of {requirement.id} is the file {path.group()} of this repository."
            yield Defect(position, what, "Name the contract, the RFC or the design it comes from.")


RULES = (
    requirement_area,
    requirement_unique,
    requirement_sequence,
    requirement_operation,
    requirement_level,
    requirement_check,
    requirement_source,
)
