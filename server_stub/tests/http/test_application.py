"""What holds for every exchange, whatever the handler does: id, key, limits, envelope, log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.access_log import AccessLog
from sandkit_server.http.application import Application
from sandkit_server.http.authentication import API_KEY_HEADER, KeyCheck
from sandkit_server.http.body import BodyReader
from sandkit_server.http.exchange import JSON, Answer, Request
from sandkit_server.http.routing import Route, Router

KEY = "the-key"


def _application(handler: Callable[[Request], Awaitable[Answer]], key: str | None = KEY) -> Application:
    routes = [Route("POST", "/act", handler), Route("GET", "/open", handler, secured=False)]
    return Application(
        Router(routes), KeyCheck(API_KEY_HEADER, key), BodyReader(100, timeout=5), AccessLog("test")
    )


async def _ask(
    application: Application, method: str = "POST", path: str = "/act", **how: Any
) -> httpx.Response:
    how.setdefault("headers", {API_KEY_HEADER: KEY})
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.request(method, path, **how)


def _scope(headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    """A POST to /act as a server hands it over, where httpx would be too helpful."""
    return {
        "type": "http",
        "method": "POST",
        "path": "/act",
        "raw_path": b"/act",
        "query_string": b"",
        "headers": headers,
    }


async def _echo(request: Request) -> Answer:
    return Answer(200, await request.read_body(), JSON)


async def test_the_request_id_of_the_client_comes_back() -> None:
    answer = await _ask(_application(_echo), headers={API_KEY_HEADER: KEY, "X-Request-ID": "a.B_9~:/+=-"})
    assert answer.headers.get_list("X-Request-ID") == ["a.B_9~:/+=-"]


@pytest.mark.parametrize("sent", ["", " ", "a b", "a\tb", "ä", "a" * 129, "a;b", '"a"', "{}"])
async def test_any_other_request_id_is_replaced(sent: str) -> None:
    answer = await _ask(_application(_echo), headers={API_KEY_HEADER: KEY, "X-Request-ID": sent.encode()})
    assert len(answer.headers["X-Request-ID"]) == 32
    assert answer.headers["X-Request-ID"] != sent


async def test_ids_of_two_requests_differ() -> None:
    application = _application(_echo)
    first, second = await _ask(application), await _ask(application)
    assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(API_KEY_HEADER, "")],
        [(API_KEY_HEADER, "wrong")],
        [(API_KEY_HEADER, KEY + "x")],
        [(API_KEY_HEADER, f"Bearer {KEY}")],
        [(API_KEY_HEADER, KEY), (API_KEY_HEADER, KEY)],
        [(API_KEY_HEADER, KEY), (API_KEY_HEADER, "wrong")],
        [("Authorization", KEY)],
    ],
    ids=["none", "empty", "wrong", "longer", "prefixed", "twice", "two different", "other header"],
)
async def test_without_exactly_the_key_nothing_happens(headers: list[tuple[str, str]]) -> None:
    called = False

    async def handler(request: Request) -> Answer:
        nonlocal called
        called = True
        return Answer(204)

    answer = await _ask(_application(handler), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "REQUEST::UNAUTHORIZED"
    assert "WWW-Authenticate" in answer.headers
    assert KEY not in answer.text
    assert not called


async def test_an_open_route_needs_no_key() -> None:
    assert (await _ask(_application(_echo), "GET", "/open", headers={})).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:8080"},
        {"Host": "127.0.0.1"},
        {"Host": "[::1]:8080"},
        {"Host": "LOCALHOST"},
        {"Host": ""},
        {"Host": "localhost", "Origin": "http://localhost:3000"},
    ],
    ids=str,
)
async def test_a_server_without_a_key_lets_everybody_of_this_machine_in(headers: dict[str, str]) -> None:
    answer = await _ask(_application(_echo, key=None), headers={"Host": "localhost", **headers})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "example.test"},
        {"Host": "localhost.example.test"},
        {"Host": "192.0.2.7:8080"},
        {"Host": "["},
        {"Host": "localhost", "Origin": "https://example.test"},
        {"Host": "localhost", "Origin": "null"},
    ],
    ids=str,
)
async def test_a_server_without_a_key_lets_no_page_of_another_site_in(headers: dict[str, str]) -> None:
    answer = await _ask(_application(_echo, key=None), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "REQUEST::FORBIDDEN")


async def test_with_a_key_the_name_of_the_server_does_not_matter() -> None:
    headers = {API_KEY_HEADER: KEY, "Host": "example.test", "Origin": "https://example.test"}
    assert (await _ask(_application(_echo), headers=headers)).status_code == 200


async def test_no_answer_is_kept_by_a_cache() -> None:
    for headers in ({API_KEY_HEADER: KEY}, {}):
        answer = await _ask(_application(_echo), headers=headers)
        assert answer.headers["Cache-Control"] == "no-store"


def test_an_empty_key_is_no_key() -> None:
    with pytest.raises(ValueError, match="never empty"):
        KeyCheck(API_KEY_HEADER, "")


def test_the_name_of_a_key_tells_nothing_of_it_and_is_stable() -> None:
    first, again, other = (KeyCheck(API_KEY_HEADER, key).caller.key_id for key in (KEY, KEY, "other"))
    assert first == again != other
    assert KEY not in first


async def test_a_body_at_the_limit_is_read() -> None:
    assert (await _ask(_application(_echo), content=b"x" * 100)).content == b"x" * 100


async def test_a_larger_body_is_refused_by_its_length_before_it_is_read() -> None:
    async def receive() -> Any:
        raise AssertionError("the body was read")

    answers: list[Any] = []

    async def send(message: Any) -> None:
        answers.append(message)

    await _application(_echo, key=None)(_scope([(b"content-length", b"101")]), receive, send)
    assert answers[0]["status"] == 413
    assert json.loads(answers[1]["body"])["code"] == "REQUEST::PAYLOAD_TOO_LARGE"


async def test_a_larger_body_without_a_length_is_refused_on_the_way() -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while True:
            sent += 10
            yield b"x" * 10

    application = _application(_echo, key=None)
    answers: list[Any] = []
    source = endless()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": await anext(source), "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    await application(_scope([(b"transfer-encoding", b"chunked")]), receive, send)
    assert answers[0]["status"] == 413
    assert sent == 110


async def test_a_body_that_does_not_come_is_not_waited_for_forever() -> None:
    application = Application(
        Router([Route("POST", "/act", _echo)]),
        KeyCheck(API_KEY_HEADER, KEY),
        BodyReader(100, timeout=0.02),
        AccessLog("test"),
    )

    async def stuck() -> Any:
        yield b"x"
        await asyncio.sleep(60)

    answer = await _ask(application, content=stuck())
    assert answer.status_code == 408
    assert answer.json()["code"] == "REQUEST::TIMEOUT"


async def test_a_client_that_leaves_before_its_request_is_complete_changes_nothing() -> None:
    finished = False

    async def handler(request: Request) -> Answer:
        nonlocal finished
        await request.read_body()
        finished = True
        return Answer(204)

    messages = iter([{"type": "http.request", "body": b"x", "more_body": True}, {"type": "http.disconnect"}])
    sent: list[Any] = []

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    await _application(handler, key=None)(_scope([]), receive, send)
    assert not finished
    assert sent == []


async def test_a_crash_answers_the_envelope_and_logs_its_cause_under_the_same_id(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def handler(request: Request) -> Answer:
        raise ZeroDivisionError("secret detail")

    answer = await _ask(_application(handler), headers={API_KEY_HEADER: KEY, "X-Request-ID": "trace-me"})
    assert answer.status_code == 500
    assert answer.json() == {
        "code": "REQUEST::INTERNAL_ERROR",
        "message": "The server failed; quote the request id to its operator.",
    }
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "trace-me" in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "status", "header"),
    [
        (SandkitError(ErrorCode.REQUEST_UNAVAILABLE, "later", retry_after=2.1), 503, ("retry-after", "3")),
        (SandkitError(ErrorCode.REQUEST_UNAVAILABLE, "later"), 503, ("retry-after", "1")),
        (
            SandkitError(ErrorCode.POOL_POOL_CAPACITY_EXHAUSTED, "empty", retry_after=0.2),
            429,
            ("retry-after", "1"),
        ),
        (SandkitError(ErrorCode.REQUEST_UNSUPPORTED_MEDIA_TYPE, "no"), 415, ("accept-encoding", "identity")),
        (SandkitError(ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, 'no "ä\r\nX: y" here'), 404, None),
    ],
)
async def test_an_error_leaves_with_its_status_and_headers(
    error: SandkitError, status: int, header: tuple[str, str] | None
) -> None:
    async def handler(request: Request) -> Answer:
        raise error

    answer = await _ask(_application(handler))
    assert answer.status_code == status
    assert answer.json() == {"code": error.code.value, "message": error.message}
    assert answer.headers["content-type"] == "application/json"
    if header is not None:
        assert answer.headers[header[0]] == header[1]


async def test_a_draining_server_asks_to_come_back() -> None:
    application = _application(_echo)
    application.draining = True
    answer = await _ask(application)
    assert answer.status_code == 503
    assert answer.json()["code"] == "REQUEST::UNAVAILABLE"
    assert answer.headers["Retry-After"] == "1"


async def test_a_request_that_outlives_the_grace_is_told_so() -> None:
    entered = asyncio.Event()

    async def handler(request: Request) -> Answer:
        entered.set()
        await asyncio.sleep(60)
        return Answer(204)

    application = _application(handler)
    asking = asyncio.ensure_future(_ask(application))
    await entered.wait()
    application.draining = True
    asking.cancel()
    assert (await asking).status_code == 503


async def test_head_is_get_for_the_handler_and_options_lists_the_methods() -> None:
    async def handler(request: Request) -> Answer:
        return Answer(200, request.method.encode(), JSON)

    application = _application(handler)
    head = await _ask(application, "HEAD", "/open")
    assert head.headers["content-length"] == "3"
    options = await _ask(application, "OPTIONS", "/open", headers={})
    assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


async def test_the_access_log_tells_what_happened_and_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="sandkit_server.access")
    await _ask(
        _application(_echo),
        path="/act?token=hunter2",
        content=b'{"password": "hunter2"}',
        headers={API_KEY_HEADER: KEY, "X-Request-ID": "id-1", "Cookie": "hunter2"},
    )
    (record,) = [record for record in caplog.records if record.name == "sandkit_server.access"]
    line = json.loads(record.getMessage())
    milliseconds = line.pop("milliseconds")
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {
        "event": "request", "listener": "test", "requestId": "id-1", "method": "POST", "path": "/act",
        "status": 200,
    }  # fmt: skip
    assert 0 <= milliseconds < 5000
    assert "hunter2" not in caplog.text
    assert KEY not in caplog.text


async def test_the_lifespan_protocol_is_answered() -> None:
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    outgoing: list[Any] = []

    async def receive() -> Any:
        return next(incoming)

    async def send(message: Any) -> None:
        outgoing.append(message["type"])

    await _application(_echo)({"type": "lifespan"}, receive, send)
    assert outgoing == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
