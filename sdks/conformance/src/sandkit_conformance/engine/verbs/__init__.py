"""The closed set of verbs; `parallel` is the scenario runner's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from sandkit_conformance.engine.context import Outcome, StepContext
from sandkit_conformance.engine.verbs.calling import call
from sandkit_conformance.engine.verbs.disturbing import advance, clear, fault, gate, restart
from sandkit_conformance.engine.verbs.looking import edit, let, probe, remove, seed, verify
from sandkit_conformance.engine.verbs.racing import race
from sandkit_conformance.engine.verbs.waiting import await_, never

Verb = Callable[[StepContext], Awaitable[Outcome]]

PERFORMERS: Final[Mapping[str, Verb]] = {
    "call": call,
    "await": await_,
    "never": never,
    "probe": probe,
    "verify": verify,
    "race": race,
    "seed": seed,
    "remove": remove,
    "edit": edit,
    "fault": fault,
    "clear": clear,
    "gate": gate,
    "advance": advance,
    "restart": restart,
    "let": let,
}
