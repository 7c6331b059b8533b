"""Any answer outside 2xx becomes the right exception and says as much as can be known."""

from __future__ import annotations

import json
import pickle
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

import sandkit.errors as tree
from sandkit._core.error_body import BODY_LIMIT, error_for, read_answer, retry_after
from sandkit.errors import ApiError, Attempted, ErrorAnswer, ErrorDetail

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ATTEMPTED = Attempted("createSandbox", "POST", "http://localhost/v1/sandboxes", "sent-id")


def error(
    status: int, body: object = b"", content_type: str = "application/json", **headers: str
) -> ApiError:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = read_answer(status, {"content-type": content_type, **headers}, content, NOW)
    return error_for(answer, ATTEMPTED)


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "REQUEST::INVALID_PARAMETER", tree.BadRequestError),
        (401, "REQUEST::UNAUTHORIZED", tree.UnauthorizedError),
        (403, "REQUEST::FORBIDDEN", tree.ForbiddenError),
        (403, "SANDBOX::QUOTA_EXCEEDED", tree.QuotaExceededError),
        (404, "SANDBOX::SANDBOX_NOT_FOUND", tree.NotFoundError),
        (409, "VOLUME::PVC_MANAGED_BY_ANOTHER", tree.ConflictError),
        (409, "SANDBOX::INVALID_STATE", tree.InvalidStateError),
        (409, "KUBERNETES::INVALID_STATE", tree.InvalidStateError),
        (409, "SNAPSHOT::INVALID_SOURCE_STATE", tree.InvalidStateError),
        (409, "SNAPSHOT::NOT_READY", tree.InvalidStateError),
        (413, "REQUEST::PAYLOAD_TOO_LARGE", tree.PayloadTooLargeError),
        (415, "REQUEST::UNSUPPORTED_MEDIA_TYPE", tree.UnsupportedMediaTypeError),
        (418, "ODD::TEAPOT", tree.ApiError),
        (422, "REQUEST::INVALID_PARAMETER", tree.BadRequestError),
        (429, "REQUEST::TOO_MANY", tree.RateLimitedError),
        (429, "POOL::POOL_CAPACITY_EXHAUSTED", tree.CapacityExhaustedError),
        (500, "REQUEST::INTERNAL_ERROR", tree.ServerError),
        (501, "SANDBOX::API_NOT_SUPPORTED", tree.NotSupportedError),
        (502, "GATEWAY::BAD", tree.ServerError),
        (503, "REQUEST::UNAVAILABLE", tree.UnavailableError),
        (520, "GATEWAY::ODD", tree.ServerError),
    ],
)
def test_the_class_follows_status_and_code(status: int, code: str, kind: type[ApiError]) -> None:
    raised = error(status, {"code": code, "message": "because"})
    assert type(raised) is kind
    assert (raised.status, raised.code, raised.message) == (status, code, "because")


def test_details_and_remedy_are_in_the_text() -> None:
    raised = error(
        400,
        {
            "code": "VOLUME::INVALID_NAME",
            "message": "a volume is wrong",
            "details": [{"pointer": "/volumes/0/name", "rule": "pattern", "message": "no capitals"}],
        },
    )
    assert raised.details == (ErrorDetail("/volumes/0/name", "pattern", "no capitals"),)
    text = str(raised)
    assert "400 VOLUME::INVALID_NAME: a volume is wrong" in text
    assert "/volumes/0/name: no capitals (pattern)" in text
    assert raised.remedy is not None
    assert raised.remedy in text


def test_the_remedy_of_a_foreign_code_is_found_by_its_last_part() -> None:
    ours = error(404, {"code": "SANDBOX::SANDBOX_NOT_FOUND", "message": "x"}).remedy
    assert ours is not None
    assert error(404, {"code": "DOCKER::SANDBOX_NOT_FOUND", "message": "x"}).remedy == ours


def test_a_known_name_with_another_status_is_another_error() -> None:
    assert error(500, {"code": "SANDBOX::SANDBOX_NOT_FOUND", "message": "x"}).remedy is None


def test_the_servers_request_id_wins_over_the_one_sent() -> None:
    assert error(500, b"", **{"x-request-id": "theirs"}).request_id == "theirs"
    assert error(500, b"").request_id == "sent-id"


@pytest.mark.parametrize(
    ("body", "content_type", "told"),
    [
        (b"", "application/json", "Bad Gateway (the answer has no body)"),
        (b"  \n", "text/plain", "Bad Gateway (the answer has no body)"),
        (b"upstream\ngone", "text/plain; charset=utf-8", "Bad Gateway: upstream gone"),
        (b"<html><title>502 &amp;\n more</title>", "text/html", "titled '502 & more'"),
        (b"<!doctype html><p>no title", "application/json", "an HTML page, probably by a gateway"),
        (b'{"code": "SANDBOX::X", "mess', "application/json", "not an error body of the API"),
        (b"[1, 2]", "application/json", "not an error body of the API"),
        (b"null", "application/json", "not an error body of the API"),
        (b"\xff\xfe\x00garbage", "application/octet-stream", "not an error body of the API"),
        (b'{"code": 5, "message": ["no"]}', "application/json", "not an error body of the API"),
        (b"[" * 100_000, "application/json", "not an error body of the API"),
    ],
)
def test_a_body_of_another_kind_is_survived(body: bytes, content_type: str, told: str) -> None:
    raised = error(502, body, content_type)
    assert type(raised) is tree.ServerError
    assert raised.code is None
    assert told in raised.message
    assert raised.body == body[:BODY_LIMIT].decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("body", "code", "message", "details"),
    [
        ({"detail": "Not Found"}, None, "Not Found", ()),
        ({"detail": {"code": "A::B", "message": "m"}}, "A::B", "m", ()),
        ({"message": "only this"}, None, "only this", ()),
        ({"code": "A::B"}, "A::B", "Unprocessable", ()),
        (
            {"detail": [{"loc": ["body", "image", "uri"], "msg": "Field required", "type": "missing"}]},
            None,
            "the server refuses the request",
            (ErrorDetail("/image/uri", "missing", "Field required"),),
        ),
        ({"code": "A::B", "message": "m", "details": "odd"}, "A::B", "m", ()),
        (
            {"code": "A::B", "message": "m", "details": [7, {"rule": 3}]},
            "A::B",
            "m",
            (ErrorDetail("", "3", ""),),
        ),
    ],
)
def test_bodies_of_other_frameworks(
    body: object, code: str | None, message: str, details: tuple[ErrorDetail, ...]
) -> None:
    raised = error(422, body)
    assert raised.code == code
    assert raised.message.startswith(message)
    assert raised.details == details


def test_an_unknown_status_has_no_phrase_but_a_message() -> None:
    assert error(599, b"").message == "unknown status (the answer has no body)"


def test_a_redirect_says_what_to_correct() -> None:
    raised = error(307, b"", location="https://elsewhere.test/v1/sandboxes")
    assert type(raised) is ApiError
    assert "redirects to https://elsewhere.test/v1/sandboxes" in raised.message
    assert "base URL" in raised.message


def test_a_very_long_message_and_body_are_cut() -> None:
    raised = error(500, {"code": "A::B", "message": "x" * 20_000})
    assert len(raised.message) == 500
    assert len(error(500, b"y" * (BODY_LIMIT + 5)).body) == BODY_LIMIT


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 0 ", 0.0),
        ("99999999999999999999", float("inf")),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(seconds=90), usegmt=True), 0.0),
        ("Mon, 02 Nov 2026 09:30:05 -0000", 5.0),
        ("-3", None),
        ("1.5", None),
        ("soon", None),
        ("Mon, 02 Nov 99999999999999999999 09:30:05 GMT", None),
        ("Mon, 02 Nov 2026 09:30:05 +99999999999999", None),
        ("²", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_in_seconds_and_as_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


EXAMPLES = [
    ErrorAnswer(503, "A::B", "m", (ErrorDetail("/x", "r", "m"),), {"retry-after": "3"}, "{}", 3.0),
    "no answer within 30 s.",
]


@pytest.mark.parametrize(
    "name",
    [name for name in tree.__all__ if name.endswith("Error") and name != "ResponseDecodeError"],
)
def test_every_exception_survives_a_pickle(name: str) -> None:
    kind = getattr(tree, name)
    if issubclass(kind, tree.ApiError):
        raised: Exception = kind(EXAMPLES[0], ATTEMPTED)
    elif issubclass(kind, tree.RequestError):
        raised = kind(EXAMPLES[1], ATTEMPTED)
    elif issubclass(kind, tree.WaitError):
        seen = (tree.Observation(0.5, "Pending", "Why", "because", "id-1"),)
        raised = kind(tree.WaitReport("sandbox", "sbx-1", ("Running",), 3.0, seen, "3 s have passed"))
    else:
        raised = kind("a setting is wrong")
    if isinstance(raised, tree.RequestError):
        raised.maybe_applied = True
    copy = pickle.loads(pickle.dumps(raised))
    assert type(copy) is kind
    assert str(copy) == str(raised)
    assert vars(copy) == vars(raised)


def test_an_unreadable_answer_survives_a_pickle() -> None:
    raised = tree.ResponseDecodeError("expected an object", ATTEMPTED, 200, "/status", "[]")
    copy = pickle.loads(pickle.dumps(raised))
    assert str(copy) == str(raised)
    assert "at /status: expected an object" in str(copy)
    assert (copy.status, copy.pointer, copy.body) == (200, "/status", "[]")
