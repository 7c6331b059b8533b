"""The leak verdict: what of this run is still on the server when everything has been taken back."""

from __future__ import annotations

import time
from typing import Final

import anyio

from sandkit_conformance.drivers.port import API_KEY_HEADER, Call
from sandkit_conformance.drivers.side_port import SidePortError
from sandkit_conformance.engine.cleaning import can_remove_claims
from sandkit_conformance.engine.context import RUN_LABEL, RunContext
from sandkit_conformance.engine.result import LeakResult
from sandkit_conformance.verdict import Verdict

_PAGE: Final = 100
# In the words of the probe's view and of the API.
_PLURALS: Final = {"sandbox": "sandboxes", "claim": "volumes"}
_DEAD_STATES: Final = frozenset({"Terminated"})


async def labelled_sandboxes(run: RunContext) -> list[str]:
    """Ids of the living sandboxes that carry this run's label: also those whose create was never answered."""
    found: list[str] = []
    page = 1
    while True:
        headers = ((API_KEY_HEADER, run.target.api_key),) if run.target.api_key else ()
        query = (("metadata", f"{RUN_LABEL}={run.run_id}"), ("page", str(page)), ("pageSize", str(_PAGE)))
        call = Call("GET", "/v1/sandboxes", run.target.seconds("request"), query=query, headers=headers)
        exchange = await run.plain.perform(call)
        body = exchange.json
        items = body.get("items") if exchange.ok and isinstance(body, dict) else None
        if not isinstance(items, list):
            return found
        # The filter is the server's word; the label in the answer is what counts before anything is deleted.
        found += [str(item["id"]) for item in items if _labelled(item, run.run_id)]
        if len(items) < _PAGE:
            return found
        page += 1


def _labelled(item: object, run_id: str) -> bool:
    if not isinstance(item, dict) or "id" not in item:
        return False
    metadata, status = item.get("metadata") or {}, item.get("status") or {}
    return metadata.get(RUN_LABEL) == run_id and status.get("state") not in _DEAD_STATES


async def delete_sandbox(run: RunContext, name: str) -> bool:
    """Delete one sandbox and wait until it is gone; for sandboxes no scenario answers for any more."""
    headers = ((API_KEY_HEADER, run.target.api_key),) if run.target.api_key else ()
    deadline = time.monotonic() + run.target.seconds("stop")
    while time.monotonic() < deadline:
        path = run.contract.path_of(run.contract.operation("deleteSandbox"), {"sandboxId": name})
        exchange = await run.plain.perform(
            Call("DELETE", path, run.target.seconds("request"), headers=headers)
        )
        if exchange.status == 404:
            return True
        if not exchange.ok and exchange.status not in {409, 429, 500, 503}:
            return False
        await anyio.sleep(0.05)
    return False


async def find_leaks(run: RunContext, before: tuple[str, ...] | None) -> LeakResult:
    """Take back what no scenario knew of, then count what is left."""
    orphans = await labelled_sandboxes(run)
    left = [f"sandboxes/{name}" for name in orphans if not await delete_sandbox(run, name)]
    # No API deletes a claim: without a probe that could, one that stays is nobody's fault.
    standing = [entry for entry in run.ledger.standing() if entry.kind != "claim" or can_remove_claims(run)]
    known = [f"{_PLURALS.get(entry.kind, f'{entry.kind}s')}/{entry.name}" for entry in standing]
    left = list(dict.fromkeys([*left, *known]))
    if run.probe is None or "view" not in run.probe.features or before is None:
        return LeakResult(Verdict.FAIL if left else Verdict.UNOBSERVABLE, tuple(left), _unseen(run))
    try:
        hidden = await _settled(run, before)
    except SidePortError as error:
        return LeakResult(Verdict.INCONCLUSIVE, tuple(left), str(error))
    leaked = tuple(dict.fromkeys([*left, *hidden]))
    return LeakResult(Verdict.FAIL if leaked else Verdict.PASS, leaked)


def _unseen(run: RunContext) -> str:
    claims = [entry.name for entry in run.ledger.standing() if entry.kind == "claim"]
    text = "without a probe only what the API shows was looked at"
    if not claims:
        return text
    names = f"{len(claims)} claims whose names begin with sk{run.run_id}-"
    return f"{text}; {names} may have stayed, remove them by hand"


async def _settled(run: RunContext, before: tuple[str, ...]) -> list[str]:
    """Objects of this run that were not there at the start and do not go away within the budget `settle`."""
    assert run.probe is not None
    names = run.ledger.names() | {run.run_id}
    deadline = time.monotonic() + run.target.seconds("settle")
    while True:
        view = await run.probe.view()
        left = [one for one in view.belonging_to(names) if one not in before]
        left += [
            one
            for one in view.census()
            if one not in before and f"sk{run.run_id}-" in one and one not in left
        ]
        if not left or time.monotonic() > deadline:
            return left
        await anyio.sleep(0.1)
