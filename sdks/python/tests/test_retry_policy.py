"""Which failures are sent again, by operation, and after how long."""

from __future__ import annotations

import pytest

from sandkit._core import errors
from sandkit._core.accounts import Attempted, ErrorAnswer
from sandkit._core.error_body import error_for
from sandkit._core.retry import Again, Repeatability, RetryPolicy, repeatability
from sandkit._generated.errors import ErrorDescriptor, Retryable
from sandkit._generated.table import OPERATIONS

POLICY = RetryPolicy()
HARMLESS, KEYED, HARMFUL = Repeatability.HARMLESS, Repeatability.KEYED, Repeatability.HARMFUL


def attempted(attempts: int = 1) -> Attempted:
    return Attempted("op", "POST", "http://localhost/v1", "id", attempts)


def api_error(
    status: int, code: str | None = None, *, retry_after: float | None = None, attempts: int = 1
) -> errors.ApiError:
    error = error_for(ErrorAnswer(status, code, "m", retry_after=retry_after), attempted(attempts))
    error.maybe_applied = status in {500, 502, 504}
    return error


def lost(*, sent: bool) -> errors.TransportError:
    error = errors.TransportError("broke off", attempted())
    error.maybe_applied = sent
    return error


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("createSandbox", KEYED),
        ("createSnapshot", KEYED),
        ("createPool", HARMFUL),
        ("pauseSandbox", HARMFUL),
        ("resumeSandbox", HARMFUL),
    ],
)
def test_what_a_second_request_does(operation: str, kind: Repeatability) -> None:
    assert repeatability(OPERATIONS[operation]) is kind


def test_every_other_operation_may_be_repeated() -> None:
    others = OPERATIONS.keys() - {
        "createSandbox",
        "createSnapshot",
        "createPool",
        "pauseSandbox",
        "resumeSandbox",
    }
    assert {repeatability(OPERATIONS[name]) for name in others} == {HARMLESS}


@pytest.mark.parametrize("status", [408, 425, 429, 503])
@pytest.mark.parametrize("kind", [HARMLESS, KEYED, HARMFUL])
def test_what_was_not_carried_out_is_repeated(status: int, kind: Repeatability) -> None:
    assert POLICY.decide(api_error(status), kind, lambda: 1.0) == Again(0.5)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_what_may_have_been_carried_out_is_repeated_only_if_that_is_harmless(status: int) -> None:
    error = api_error(status)
    assert POLICY.decide(error, HARMLESS, lambda: 1.0) == Again(0.5)
    assert POLICY.decide(error, KEYED, lambda: 1.0) == Again(0.5, only_with_key=True)
    assert POLICY.decide(error, HARMFUL, lambda: 1.0) is None


def test_a_lost_connection_counts_by_whether_something_was_sent() -> None:
    assert POLICY.decide(lost(sent=False), HARMFUL, lambda: 1.0) == Again(0.5)
    assert POLICY.decide(lost(sent=True), HARMFUL, lambda: 1.0) is None
    assert POLICY.decide(lost(sent=True), KEYED, lambda: 1.0) == Again(0.5, only_with_key=True)
    assert POLICY.decide(lost(sent=True), HARMLESS, lambda: 1.0) == Again(0.5)


@pytest.mark.parametrize("status", [300, 307, 400, 401, 403, 404, 405, 409, 413, 415, 422, 501, 505])
def test_what_will_not_change_is_not_repeated(status: int) -> None:
    assert POLICY.decide(api_error(status), HARMLESS, lambda: 1.0) is None


def test_an_answer_that_breaks_the_contract_is_not_repeated() -> None:
    error = errors.ResponseDecodeError("odd", attempted(), 200, "", "")
    assert POLICY.decide(error, HARMLESS, lambda: 1.0) is None


def test_the_error_table_has_the_last_word() -> None:
    assert POLICY.decide(api_error(500, "SANDBOX::CREATE_FAILED"), HARMLESS, lambda: 1.0) is not None
    assert POLICY.decide(api_error(409, "SANDBOX::INVALID_STATE"), HARMLESS, lambda: 1.0) is None
    # Known by name, but the table has it under another status: then the status decides.
    assert POLICY.decide(api_error(503, "SANDBOX::INVALID_STATE"), HARMLESS, lambda: 1.0) is not None


def test_a_code_that_the_table_calls_hopeless_is_not_repeated_whatever_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hopeless = ErrorDescriptor(503, "m", Retryable.NEVER, "r")
    monkeypatch.setattr("sandkit._core.retry.describe", lambda code, *_: hopeless if code else None)
    assert POLICY.decide(api_error(503, "RUNTIME::LICENCE_EXPIRED"), HARMLESS, lambda: 1.0) is None
    assert POLICY.decide(api_error(503), HARMLESS, lambda: 1.0) is not None


def test_delays_double_up_to_a_limit_and_are_drawn_from_zero() -> None:
    limits = [POLICY.back_off(attempt, lambda: 1.0) for attempt in range(1, 9)]
    assert limits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
    assert POLICY.back_off(10_000, lambda: 1.0) == 8.0
    assert POLICY.back_off(3, lambda: 0.0) == 0.0
    assert POLICY.back_off(3, lambda: 0.25) == 0.5


def test_retry_after_is_the_least_to_wait() -> None:
    assert POLICY.decide(api_error(503, retry_after=7), HARMLESS, lambda: 1.0) == Again(7)
    assert POLICY.decide(api_error(503, retry_after=0), HARMLESS, lambda: 1.0) == Again(0.5)
    assert POLICY.decide(api_error(503, retry_after=60), HARMLESS, lambda: 1.0) == Again(60)


def test_a_longer_retry_after_than_anybody_waits_for_is_given_to_the_caller() -> None:
    assert POLICY.decide(api_error(429, retry_after=61), HARMLESS, lambda: 1.0) is None
    assert POLICY.decide(api_error(429, retry_after=float("inf")), HARMLESS, lambda: 1.0) is None
