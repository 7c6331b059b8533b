"""Servers that list and read wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sandkit_server.core import sandboxes
from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.core.model import (
    Page,
    PageRequest,
    Sandbox,
    SandboxFilter,
    SandboxState,
)
from sandkit_server.core.service import LifecycleService
from sandkit_server.testing.mutants.exchanges import Reply, answers, asked, without_field
from sandkit_server.testing.mutants.lenient import chokes
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Any]


def _total_of_the_page(original: Call) -> Call:
    def paginate(items: Any, request: PageRequest) -> Page[Any]:
        page = original(items, request)
        return replace(page, total_items=len(page.items))

    return paginate


def _newest_first(original: Call) -> Call:
    def paginate(items: Any, request: PageRequest) -> Page[Any]:
        page: Page[Any] = original(list(reversed(items)), request)
        return page

    return paginate


def _nothing_there(reply: Reply) -> None:
    if reply.is_for("GET", "/sandboxes") and reply.status == 200:
        body = reply.json
        if not body["items"] and body["pagination"]["page"] > 1:
            body["pagination"]["totalItems"] = body["pagination"]["totalPages"] = 0
            reply.write(body)


def _listed(change: Callable[[SandboxFilter], SandboxFilter]) -> Call:
    async def listed(real: LifecycleService, selection: SandboxFilter, page: PageRequest) -> Page[Sandbox]:
        return await real.list_sandboxes(change(selection), page)

    return listed


_STATES = {state.value for state in SandboxState}


def _exact_case(selection: SandboxFilter) -> SandboxFilter:
    states = {state if state in _STATES else f"no such state {state}" for state in selection.states}
    return replace(selection, states=frozenset(states))


def _one_state(selection: SandboxFilter) -> SandboxFilter:
    return replace(selection, states=frozenset(sorted(selection.states)[:1]))


def _one_entry(selection: SandboxFilter) -> SandboxFilter:
    return replace(selection, metadata=dict(list(selection.metadata.items())[:1]))


async def _total_without_states(
    real: LifecycleService, selection: SandboxFilter, page: PageRequest
) -> Page[Sandbox]:
    found = await real.list_sandboxes(selection, page)
    if not (selection.metadata and selection.states):
        return found
    every = await real.list_sandboxes(replace(selection, states=frozenset()), page)
    return replace(found, total_items=every.total_items)


def _known_states_only(selection: SandboxFilter) -> SandboxFilter:
    known = {state.casefold() for state in _STATES}
    if any(state.casefold() not in known for state in selection.states):
        raise invalid_request([FieldError("query:state", "known-value", "There is no such state.")])
    return selection


def _clamped(query: dict[str, str]) -> None:
    for name in ("page", "pageSize"):
        if re.fullmatch(r"-?\d+", query.get(name, "")):
            query[name] = str(max(int(query[name]), 1))


def _cut_to_size(query: dict[str, str]) -> None:
    if query.get("pageSize", "").isdigit():
        query["pageSize"] = str(min(int(query["pageSize"]), 200))


def _cut_off(query: dict[str, str]) -> None:
    for name in ("page", "pageSize"):
        query.update({name: digits} if (digits := query.get(name, "").partition(".")[0]) else {})


def _fifty(query: dict[str, str]) -> None:
    query.setdefault("pageSize", "50")


LISTING = (
    Mutant(
        id="list-page-clamped",
        requirement="API-77",
        defect="A page or page size below 1 is read as 1.",
        alter=asked("/sandboxes", _clamped),
    ),
    Mutant(
        id="list-page-cut-to-size",
        requirement="API-160",
        defect="Of a page larger than any the largest is given.",
        alter=asked("/sandboxes", _cut_to_size),
    ),
    Mutant(
        id="list-page-with-a-fraction",
        requirement="API-77",
        defect="A page is read as a number of any kind and cut off behind the point.",
        alter=asked("/sandboxes", _cut_off),
    ),
    Mutant(
        id="list-of-fifty",
        requirement="API-79",
        defect="A page has fifty entries unless another size is asked for.",
        alter=asked("/sandboxes", _fifty),
    ),
    Mutant(
        id="read-of-an-unknown-id-crashes",
        requirement="API-85",
        defect="An id that is not of the server's making is answered 500 when it is read.",
        alter=chokes("get_sandbox"),
    ),
    Mutant(
        id="list-counts-the-page",
        requirement="API-75",
        defect="The total is the number of entries on the page.",
        substitutions=swap(sandboxes, "paginate", _total_of_the_page),
        also={
            "API-78": "A page after the last has the wrong totals.",
        },
    ),
    Mutant(
        id="list-newest-first",
        requirement="API-76",
        defect="The newest sandbox comes first, so that each new one shifts the pages under the reader.",
        substitutions=swap(sandboxes, "paginate", _newest_first),
    ),
    Mutant(
        id="list-forgets-totals-after-the-end",
        requirement="API-78",
        defect="A page after the last says that there is nothing at all.",
        alter=answers(_nothing_there),
    ),
    Mutant(
        id="list-state-in-exact-case",
        requirement="API-80",
        defect="The state filter is compared letter by letter.",
        alter=service(list_sandboxes=_listed(_exact_case)),
    ),
    Mutant(
        id="list-one-state-only",
        requirement="API-81",
        defect="Of several state filters one counts.",
        alter=service(list_sandboxes=_listed(_one_state)),
    ),
    Mutant(
        id="list-one-entry-only",
        requirement="API-82",
        defect="Of several metadata entries the first counts.",
        alter=service(list_sandboxes=_listed(_one_entry)),
    ),
    Mutant(
        id="list-total-of-one-filter",
        requirement="API-83",
        defect="The total of a list filtered by metadata and state is counted by metadata alone.",
        alter=service(list_sandboxes=_total_without_states),
        also={"API-84": "An unknown state beside a metadata filter has the wrong total, too."},
    ),
    Mutant(
        id="list-unknown-state-refused",
        requirement="API-84",
        defect="A state nobody knows is an error, so that no client can be newer than its server.",
        alter=service(list_sandboxes=_listed(_known_states_only)),
    ),
    Mutant(
        id="read-forgets-the-origin",
        requirement="API-86",
        defect="The image is shown by the create and not by the read.",
        alter=answers(without_field("image", "GET", "/sandboxes/[^/]+")),
        also={"API-28": "The image is part of what is read back."},
    ),
)
