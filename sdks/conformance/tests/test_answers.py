"""The invariants, each seen to hold and to break."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.engine.answers import Judge
from sandkit_conformance.engine.invariants import Invariants
from sandkit_conformance.failures import Position
from sandkit_conformance.scenario.model import StandingCheck
from sandkit_conformance.scenario.schema import load_schema

GOOD = {"content-type": "application/json", "x-request-id": "r-1"}
SANDBOX = {
    "id": "sbx-1",
    "image": {"uri": "busybox"},
    "status": {"state": "Running", "lastTransitionAt": "2026-01-01T00:00:00Z"},
    "entrypoint": ["sleep"],
    "createdAt": "2026-01-01T00:00:00Z",
    "unheardOf": True,
}
ERROR = {"code": "SANDBOX::SANDBOX_NOT_FOUND", "message": "no"}


def answer(
    status: int, body: Any, headers: dict[str, str] | None = None, operation: str | None = "getSandbox"
) -> Exchange:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    call = Call("GET", "/v1/sandboxes/x", 1.0, operation=operation)
    fields = tuple((GOOD if headers is None else headers).items())
    return Exchange(call, "http://x", "", 0.0, 0.1, status=status, headers=fields, body=content)


@pytest.fixture
def judge(catalogue: Catalogue) -> Judge:
    return Judge(Contract(catalogue.openapi), catalogue)


def broken(judge: Judge, exchange: Exchange) -> dict[str, str]:
    return {finding.invariant: finding.message for finding in judge.findings(exchange) if finding.message}


def test_good_answers_break_nothing_and_unknown_fields_are_fine(judge: Judge) -> None:
    assert broken(judge, answer(200, SANDBOX)) == {}
    assert broken(judge, answer(404, ERROR)) == {}


@pytest.mark.parametrize(
    ("exchange", "invariant", "message"),
    [
        (answer(404, b"<html>"), "envelope", "without an error envelope"),
        (answer(404, {"detail": "x"}), "envelope", "no `code`"),
        (answer(404, {**ERROR, "message": None}), "envelope", "no `message`"),
        (answer(404, ERROR, {**GOOD, "content-type": "text/json"}), "envelope", "sent as text/json"),
        (answer(404, {**ERROR, "code": "not_found"}), "codes", "form AREA::NAME"),
        (answer(404, {**ERROR, "code": "K8S::NOT_FOUND"}), "codes", "not one the operation declares"),
        (answer(401, ERROR), "codes", "its status is 404"),
        (answer(503, {"code": "REQUEST::UNAVAILABLE", "message": "x"}), "retry-after", "without Retry-After"),
        (answer(418, ERROR), "documented-status", "418 is not documented for getSandbox"),
        (answer(200, b"{"), "schema", "not JSON"),
        (answer(200, {**SANDBOX, "status": {}}), "schema", "/status"),
        (answer(200, {**SANDBOX, "createdAt": "yesterday"}), "schema", "/createdAt"),
        (
            answer(200, SANDBOX, {**GOOD, "content-type": "text/plain"}),
            "schema",
            "text/plain, not application/json",
        ),
        (answer(202, SANDBOX, operation="createSandbox"), "schema", "202 without Location"),
        (answer(200, SANDBOX, {"content-type": "application/json"}), "request-id", "without X-Request-ID"),
        (
            answer(404, ERROR, {"content-type": "application/json"}),
            "error-request-id",
            "without X-Request-ID",
        ),
        (answer(200, {**SANDBOX, "createdAt": "2026-01-01T02:00:00+02:00"}), "utc-instants", "/createdAt"),
        (evolve(answer(200, SANDBOX), echoes=frozenset({"key"})), "no-keys", "a key was sent back"),
        (evolve(answer(404, ERROR), echoes=frozenset({"secret"})), "no-secrets", "a secret of a request"),
    ],
)
def test_a_broken_answer_breaks_its_own_invariant(
    exchange: Exchange, invariant: str, message: str, judge: Judge
) -> None:
    assert message in broken(judge, exchange)[invariant]


def test_a_request_id_missing_on_a_success_is_not_an_errors(judge: Judge) -> None:
    assert set(broken(judge, answer(200, SANDBOX, {"content-type": "application/json"}))) == {"request-id"}


def test_what_callers_wrote_may_be_named_like_an_instant(judge: Judge) -> None:
    assert broken(judge, answer(200, {**SANDBOX, "metadata": {"lookAt": "me"}})) == {}


def test_half_a_surrogate_pair_breaks_no_schema(judge: Judge) -> None:
    assert broken(judge, answer(200, {**SANDBOX, "metadata": {"half": "\ud800"}})) == {}
    assert (
        "/metadata/half"
        in broken(judge, answer(200, {**SANDBOX, "metadata": {"half": ["\ud800"]}}))["schema"]
    )


def test_a_body_nested_beyond_judging_breaks_its_schema(judge: Judge) -> None:
    body = json.dumps({**SANDBOX, "metadata": "deep"}).replace('"deep"', "[" * 300 + "]" * 300)
    assert broken(judge, answer(200, body.encode()))["schema"].startswith("(the body): nested too deep")


def test_calls_outside_the_spec_have_no_schema(judge: Judge) -> None:
    assert (
        broken(judge, answer(404, {"code": "REQUEST::ROUTE_NOT_FOUND", "message": "x"}, operation=None)) == {}
    )


def check(invariant: str) -> StandingCheck:
    return StandingCheck("API-01", invariant, "It holds", Position("f", 1))


def test_a_standing_check_sums_a_run_up(judge: Judge) -> None:
    invariants = Invariants(judge)
    assert invariants.judge(check("envelope")).verdict == "inconclusive"
    invariants.examine(answer(404, ERROR), "s step 1")
    assert invariants.judge(check("envelope")).verdict == "pass"
    for _ in range(20):
        invariants.examine(answer(500, b"oops"), "s step 2")
    found = invariants.judge(check("envelope"))
    assert found.verdict == "fail"
    assert found.reasons[0].startswith("s step 2: GET /v1/sandboxes/x: 500 without an error envelope")
    assert found.reasons[-1] == "… and 12 more"


def test_illegal_transitions_are_an_invariant_of_their_own(judge: Judge) -> None:
    invariants = Invariants(judge)
    invariants.transition("s step 1", "sandbox", None, 0.0)
    assert invariants.judge(check("legal-transitions")).verdict == "pass"
    invariants.transition("s step 2", "sandbox", "Paused → Pending is not in the transition table", 0.0)
    assert invariants.judge(check("legal-transitions")).verdict == "fail"


def test_every_invariant_of_the_format_is_known_to_the_judge(judge: Judge) -> None:
    named = set(load_schema("scenario")["$defs"]["standing"]["properties"]["invariant"]["enum"])
    seen: set[str] = {"legal-transitions"}
    for exchange in (answer(200, SANDBOX), answer(503, {"code": "REQUEST::UNAVAILABLE", "message": "x"})):
        seen |= {finding.invariant for finding in judge.findings(exchange)}
    assert seen == named
