"""`probe`, `verify`, `let`, and the probe's own `seed`, `remove` and `edit`."""

from __future__ import annotations

from typing import Any

from sandkit_conformance.engine.context import PASSED, Outcome, StepContext
from sandkit_conformance.engine.observation import judge_rows, look
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.matchers import match


async def probe(context: StepContext) -> Outcome:
    """Look once at what the API hides."""
    fields = {
        name: context.resolve(context.body[name])
        for name in ("probe", "where", "for", "file", "volume", "after", "expect")
        if name in context.body
    }
    observed, _ = await look(fields, context)
    context.bind(observed.value())
    reasons = judge_rows(fields.get("expect", {}), observed)
    return Outcome.fail(*reasons) if reasons else PASSED


async def verify(context: StepContext) -> Outcome:
    """Look at a value in hand."""
    text = context.body["verify"]
    label = text if isinstance(text, str) else "value"
    mismatches = match(context.get("is"), context.get("verify"), label)
    return Outcome.fail(*(str(one) for one in mismatches)) if mismatches else PASSED


async def let(context: StepContext) -> Outcome:
    """Set variables."""
    context.scenario.variables |= context.get("let")
    return PASSED


async def seed(context: StepContext) -> Outcome:
    """Put something there behind the server's back, into the ledger first."""
    what, fields = context.body["seed"], context.get("with")
    ledger, scenario = context.run.ledger, context.scenario.scenario.name
    if what == "volume":
        _own(fields["name"], context)
        ledger.intend("claim", fields["name"], scenario)
    if what == "workload":
        _own(fields["sandboxId"], context)
        ledger.intend("workload", fields["sandboxId"], scenario)
        ledger.intend("sandbox", fields["sandboxId"], scenario)

    async def ask() -> Any:
        if what == "file":
            return await context.probe.write_file(fields["sandboxId"], fields["path"], fields["text"])
        if what == "volume":
            return await context.probe.create_volume(fields)
        return await context.probe.create_workload(fields)

    answer = (await context.look("seed", {"what": what, "fields": fields}, ask)).value
    if what == "workload":
        ledger.made("workload", str(answer.get("name") or fields["sandboxId"]), scenario)
        ledger.made("sandbox", str(answer.get("sandboxId") or fields["sandboxId"]), scenario)
    if what != "file":
        context.bind(answer)
    return PASSED


def _own(name: str, context: StepContext) -> None:
    if not name.startswith(f"sk{context.run.run_id}-"):
        raise SuiteError(f"seed: `{name}` is not a name of this run; make it with ${{unique('…')}}")


async def remove(context: StepContext) -> Outcome:
    """Delete an object directly; one that is not there is a broken prerequisite."""
    kind, name = context.body["remove"], context.get("name")
    seen = await context.look(
        "remove", {"what": kind, "name": name}, lambda: context.probe.remove(kind, name)
    )
    return PASSED if seen.value else Outcome.fail(f"there is no {kind} `{name}` to remove", halts=True)


async def edit(context: StepContext) -> Outcome:
    """Change an object as somebody else would; one that is not there is a broken prerequisite."""
    name, fields = context.get("name"), context.get("with")
    query = {"what": "volume", "name": name, "fields": fields}
    row = (await context.look("edit", query, lambda: context.probe.edit_volume(name, fields))).value
    context.bind(row)
    return PASSED if row is not None else Outcome.fail(f"there is no volume `{name}` to edit", halts=True)
