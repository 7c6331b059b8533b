"""What the fixtures give: a server, its probe, its control port and the ledger, without any `await`."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import define, field, frozen

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.engine.client import send
from sandkit_conformance.engine.context import RUN_LABEL, Outcome, ScenarioContext, StepContext
from sandkit_conformance.engine.requests import build_call
from sandkit_conformance.engine.verbs import PERFORMERS
from sandkit_conformance.engine.verbs.calling import CALL_FIELDS
from sandkit_conformance.failures import Position, SuiteError
from sandkit_conformance.ledger import Entry, Kind
from sandkit_conformance.probes.view import KINDS
from sandkit_conformance.scenario.model import Step
from sandkit_conformance.verdict import Verdict

Wait = Callable[..., Any]


@frozen
class Place:
    """One test's part of the session's run."""

    scenario: ScenarioContext
    wait: Wait

    def step(self, verb: str, **body: Any) -> StepContext:
        """A step with the test's own number."""
        step = Step(verb=verb, body={verb: None, **body}, number="1", position=Position("", 0))
        return StepContext(self.scenario, step)


@define
class TargetHandle:
    """The server under test. Everything that is created through it is deleted when the test ends."""

    _place: Place
    base_url: str = field(init=False)
    run_id: str = field(init=False)

    def __attrs_post_init__(self) -> None:
        run = self._place.scenario.run
        self.base_url = f"{run.target.root}/v1"
        self.run_id = run.run_id

    @property
    def metadata(self) -> dict[str, str]:
        """What a client of your own puts into `metadata`, so that the leak verdict and `sweep` see it."""
        return {RUN_LABEL: self.run_id}

    def unique(self, text: str) -> str:
        """A DNS label that no other test or run has; the same text gives the same label within one test."""
        return self._place.scenario.unique(text)

    def call(self, operation: str, subject: str | None = None, **fields: Any) -> Exchange:
        """Send one call by its operationId; `subject` is the first path parameter.

        Fields are those of a scenario's `call`: `with_` (laid over the target's template), `body`, `query`,
        `headers`, `path`, `auth`, `without`. Never raises for what the server answers.

        Raises:
            SuiteError: no such operation or field.
        """
        given = {"call": operation, **{name.rstrip("_"): value for name, value in fields.items()}}
        if subject is not None:
            given["for"] = subject
        unknown = given.keys() - set(CALL_FIELDS)
        if unknown:
            raise SuiteError(
                f"call has no field {', '.join(sorted(unknown))}; there are {', '.join(CALL_FIELDS)}"
            )
        run = self._place.scenario.run
        built = build_call(given, run, run.target.seconds("request"))
        answer: Exchange = self._place.wait(send, self._place.step("call"), built)
        return answer

    def wait(self, subject: str, state: str | list[str], within: str | float = "start") -> None:
        """Read a sandbox until it is in a state (`gone` for no more there).

        Raises:
            AssertionError: not within the budget, or it went elsewhere; with every state that was seen.
        """
        context = self._place.step("await", **{"await": state, "for": subject, "within": within})
        outcome: Outcome = self._place.wait(PERFORMERS["await"], context)
        if outcome.verdict is not Verdict.PASS:
            raise AssertionError("; ".join(outcome.reasons))


@frozen
class ProbeHandle:
    """What the API hides."""

    _place: Place

    @property
    def features(self) -> frozenset[str]:
        """What the probe can do."""
        return self._place.scenario.run.ports.probe or frozenset()

    def rows(self, kind: str, **where: Any) -> list[dict[str, Any]]:
        """Rows of the view whose fields have these values: workloads, volumes, snapshots, jobs and so on."""
        if kind not in KINDS:
            raise SuiteError(f"the view has no {kind}; there are {', '.join(KINDS)}")
        view = self._place.wait(self._place.step("probe").probe.view)
        return [dict(row) for row in view.kind(kind) if all(row.get(name) == where[name] for name in where)]

    def file(self, path: str, *, sandbox: str | None = None, volume: str | None = None) -> str | None:
        """A file's text as a sandbox sees it, or out of a volume; None when it is not there."""
        probe = self._place.step("probe").probe
        text: str | None = self._place.wait(partial(probe.read_file, path, sandbox=sandbox, volume=volume))
        return text

    def create_volume(self, name: str, **fields: Any) -> Mapping[str, Any]:
        """Put a volume there as if it had been there before; it goes when the test ends."""
        scenario = self._place.scenario
        scenario.run.ledger.intend("claim", name, scenario.scenario.name)
        row: Mapping[str, Any] = self._place.wait(
            self._place.step("seed").probe.create_volume, {"name": name, **fields}
        )
        return row


@frozen
class FaultsHandle:
    """The control port: faults and gates that go when the test ends, the clock, restarts."""

    _place: Place

    @property
    def features(self) -> frozenset[str]:
        """What the control port can do."""
        return self._place.scenario.run.ports.control or frozenset()

    def inject(self, point: str, **fields: Any) -> str:
        """Make an inner step go wrong: `action`, `when`, `status`, `match`, `times`; the fault's id."""
        handle = self._intended("fault")
        control = self._place.step("fault").control
        self._place.wait(control.inject, {"id": handle, "point": point, **fields})
        return handle

    def hits(self, fault: str) -> int | None:
        """How often a fault has struck."""
        hits: int | None = self._place.wait(self._place.step("clear").control.fault_hits, fault)
        return hits

    def hold(self, point: str, when: str = "before", match: Mapping[str, Any] | None = None) -> str:
        """Hold whatever comes to a step; the gate's id."""
        handle = self._intended("gate")
        fields = {"id": handle, "point": point, "when": when, **({"match": dict(match)} if match else {})}
        self._place.wait(self._place.step("gate").control.hold, fields)
        return handle

    def held(self, gate: str, wait: float = 5.0) -> int:
        """How many stand at a gate; waits so many seconds for the first."""
        count: int = self._place.wait(self._place.step("gate").control.held, gate, wait)
        return count

    def release(self, gate: str) -> None:
        """Let through what stands at a gate."""
        self._place.wait(self._place.step("gate").control.release, gate)

    def advance(self, seconds: float) -> str:
        """Move the server's clock, for all workers; the new time."""
        time: str = self._place.wait(self._place.step("advance").control.advance, seconds)
        return time

    def _intended(self, kind: Kind) -> str:
        scenario = self._place.scenario
        handle = scenario.unique(f"{kind}-{secrets.token_hex(4)}")
        scenario.run.ledger.intend(kind, handle, scenario.scenario.name)
        return handle


@frozen
class LedgerHandle:
    """What the test has made by other means than `target`, and wants to have taken back."""

    _place: Place

    def made(self, kind: Kind, name: str) -> None:
        """Something was made: sandbox, snapshot, pool, claim or workload. Say it before you make it."""
        self._place.scenario.run.ledger.made(kind, name, self._place.scenario.scenario.name)

    def gone(self, kind: Kind, name: str) -> None:
        """It is there no more."""
        self._place.scenario.run.ledger.gone(Entry(kind, name, self._place.scenario.scenario.name))

    def standing(self) -> list[str]:
        """What the test has made and not yet taken back, as `kind name`."""
        entries = self._place.scenario.run.ledger.standing(self._place.scenario.scenario.name)
        return [f"{entry.kind} {entry.name}" for entry in entries]
