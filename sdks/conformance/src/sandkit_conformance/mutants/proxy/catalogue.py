"""The faulty proxies, each with the requirement whose check has to find it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from attrs import evolve, field, frozen

from sandkit_conformance.mutants.listing import Kind, MutantEntry
from sandkit_conformance.mutants.proxy import behaviours as does
from sandkit_conformance.mutants.proxy.behaviours import changes, every, to
from sandkit_conformance.mutants.proxy.exchange import Behaviour, Reply, Request

_START_PAGE: Final = b"<!doctype html><title>Welcome</title><h1>Welcome</h1>"

# Longer than the suite waits for an answer in a campaign.
_TOO_LONG: Final = 12.0


@frozen
class FaultyProxy:
    """One proxy. `behaviour` makes what it does anew for every trial, as some remember what they saw."""

    id: str
    requirement: str
    defect: str
    behaviour: Callable[[], Behaviour]
    also: Mapping[str, str] = field(factory=dict)

    @property
    def entry(self) -> MutantEntry:
        """How a campaign lists it."""
        return MutantEntry(self.id, Kind.PROXY, self.requirement, self.defect, also=self.also)


def _start_page(_request: Request, reply: Reply) -> Reply:
    unknown = b"ROUTE_NOT_FOUND" in reply.body
    return reply.saying(200, does.HTML, _START_PAGE) if unknown else reply


def _done(_request: Request, reply: Reply) -> Reply:
    return evolve(reply.without(b"content-type"), status=204, body=b"")


_ANSWERS = (
    FaultyProxy(
        "proxy-request-id-its-own",
        "API-04",
        "The proxy numbers every exchange and writes its number over the caller's request id.",
        lambda: changes(every(), does.own_request_id),
    ),
    FaultyProxy(
        "proxy-strips-request-ids-of-errors",
        "API-07",
        "Errors are sent on without the headers that are not on the proxy's list.",
        lambda: changes(lambda _request, reply: reply.status >= 400, does.strips(b"x-request-id")),
    ),
    FaultyProxy(
        "proxy-strips-retry-after",
        "API-11",
        "Retry-After is between server and proxy, so the proxy thinks.",
        lambda: changes(every(), does.strips(b"retry-after")),
        also={"VOL-18": "It asks for the header in its own scenario."},
    ),
    FaultyProxy(
        "proxy-sends-the-start-page",
        "API-12",
        "A path that the server does not have is answered with the start page of a web application.",
        lambda: changes(every(404), _start_page),
    ),
    FaultyProxy(
        "proxy-strips-allow",
        "API-13",
        "405 is sent on without saying which methods there are.",
        lambda: changes(every(405), does.strips(b"allow")),
    ),
    FaultyProxy(
        "proxy-own-page-for-not-found",
        "API-01",
        "Whatever is not found is told with a page of the proxy's own, for people.",
        lambda: changes(every(404), does.page(404, "404 Not Found")),
    ),
    FaultyProxy(
        "proxy-hides-who-is-not-known",
        "API-20",
        "A key that is not known is told as a thing that is not there.",
        lambda: changes(every(401), does.turns_into(404)),
        also={
            "API-02": "The code does not go with the status.",
            "API-03": "404 is not an answer of every operation.",
            "API-19": "A missing key is told likewise.",
            "API-21": "So is one with a prefix.",
        },
    ),
    FaultyProxy(
        "proxy-names-the-key",
        "API-24",
        "A header left over from debugging tells which key was used.",
        lambda: changes(every(), does.names_the_key),
    ),
    FaultyProxy(
        "proxy-strips-location-of-sandboxes",
        "API-27",
        "Location is for redirects, so the proxy thinks, and removes that of a new sandbox.",
        lambda: changes(to("POST", "/sandboxes"), does.strips(b"location")),
        also={"API-03": "The description has the header as required."},
    ),
    FaultyProxy(
        "proxy-strips-location-of-snapshots",
        "API-114",
        "Location is for redirects, so the proxy thinks, and removes that of a new snapshot.",
        lambda: changes(to("POST", "/snapshots"), does.strips(b"location")),
        also={"API-03": "The description has the header as required."},
    ),
    FaultyProxy(
        "proxy-strips-location-of-pools",
        "API-131",
        "Location is for redirects, so the proxy thinks, and removes that of a new pool.",
        lambda: changes(to("POST", "/pools"), does.strips(b"location")),
        also={"API-03": "The description has the header as required."},
    ),
    FaultyProxy(
        "proxy-loses-the-body-of-a-new-pool",
        "API-130",
        "201 is sent on without its body.",
        lambda: changes(to("POST", "/pools"), does.loses_the_body),
        also={"API-03": "The description has a body there."},
    ),
    FaultyProxy(
        "proxy-calls-a-conflict-a-success",
        "API-127",
        "A conflict is what a repeated request meets, so the proxy thinks, and turns it into a success.",
        lambda: changes(to("DELETE", "/snapshots/[^/]+", 409), _done),
        also={"API-128": "It is refused likewise."},
    ),
    FaultyProxy(
        "proxy-knows-no-202",
        "PAU-01",
        "The proxy has a list of statuses, and 202 comes out as 200.",
        lambda: changes(to("POST", "/pause", 202), does.turns_into(200)),
        also={
            "API-03": "200 is no answer the description gives for a pause.",
            "PAU-15": "The winner of a race is told by its 202.",
        },
    ),
    FaultyProxy(
        "proxy-sends-logs-as-bytes",
        "API-142",
        "What is no JSON is sent on as bytes.",
        lambda: changes(
            to("GET", "/diagnostics/logs"),
            lambda _request, reply: reply.having(b"content-type", b"application/octet-stream"),
        ),
        also={"API-03": "The description has a text there."},
    ),
    FaultyProxy(
        "proxy-breaks-off-events",
        "API-143",
        "The connection is closed in the middle of a text.",
        lambda: changes(to("GET", "/diagnostics/events"), does.breaks_off),
    ),
    FaultyProxy(
        "proxy-calls-a-failure-a-bad-gateway",
        "API-155",
        "The failure of a server is told as one of the gateway.",
        lambda: changes(every(500), does.page(502, "502 Bad Gateway")),
        also={
            "API-01": "The page is no error envelope.",
            "API-03": "The page is no JSON, and 502 no answer the description gives.",
        },
    ),
)

_REQUESTS = (
    FaultyProxy(
        "proxy-declares-everything-json",
        "API-15",
        "Every body is declared to be JSON before it is sent on.",
        lambda: does.asks(does.all_json),
        also={"API-99": "That is not what a merge patch is."},
    ),
    FaultyProxy(
        "proxy-drops-the-idempotency-key",
        "API-68",
        "The proxy sends on the headers it knows, and Idempotency-Key is none of them.",
        lambda: does.asks(does.without_idempotency_key),
        also={
            "API-69": "Nothing is known of the first use.",
            "API-70": "Each of the racing creates makes a sandbox.",
            "API-72": "The same holds for snapshots.",
            "API-73": "Nothing is known of the first use there.",
            "API-74": "A bad key is not seen.",
        },
    ),
    FaultyProxy(
        "proxy-keeps-the-last-parameter",
        "API-81",
        "Of a parameter that is repeated the last value is sent on.",
        lambda: does.asks(does.last_of_each_parameter),
    ),
    FaultyProxy(
        "proxy-resolves-the-path",
        "API-85",
        "The path is decoded and its dots are resolved on the way.",
        lambda: does.asks(does.resolved_path),
        also={
            "API-03": "The answer to another path is not what was asked for.",
            "API-89": "A delete of such an id comes out at another path, too.",
        },
    ),
    FaultyProxy(
        "proxy-creates-twice",
        "API-26",
        "A create is sent once more, in case the first was lost.",
        lambda: does.sends_twice("POST", "/sandboxes"),
    ),
    FaultyProxy(
        "proxy-deletes-twice",
        "API-137",
        "A delete is sent once more, in case the first was lost, and the second answer is told.",
        lambda: does.sends_twice("DELETE", "/pools/[^/]+", tells_the_second=True),
    ),
    FaultyProxy(
        "proxy-holds-logs-back",
        "API-142",
        "Logs are collected until there are enough of them.",
        lambda: does.delays("GET", "/diagnostics/logs", _TOO_LONG),
    ),
    FaultyProxy(
        "proxy-caches-for-everybody",
        "API-19",
        "What was read with a key is kept and shown to those who have none.",
        does.caches_without_the_key,
        also={"API-22": "Who has no key sees what exists."},
    ),
    FaultyProxy(
        "proxy-caches-through-an-update",
        "API-136",
        "The copy of a pool is not dropped when the pool is changed.",
        lambda: does.caches_through_changes("PUT", "/pools/[^/]+"),
    ),
)

PROXIES: Final[Mapping[str, FaultyProxy]] = {proxy.id: proxy for proxy in (*_ANSWERS, *_REQUESTS)}
