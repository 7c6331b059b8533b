"""Which route a path and method lead to."""

from __future__ import annotations

import pytest

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.exchange import Answer, Request
from sandkit_server.http.routing import MethodNotAllowedError, Route, Router


async def _answer(_: Request) -> Answer:
    return Answer(200)


ROUTES = [
    Route("GET", "/things", _answer),
    Route("POST", "/things", _answer),
    Route("GET", "/things/special", _answer),
    Route("GET", "/things/{thingId}", _answer),
    Route("DELETE", "/things/{thingId}", _answer),
    Route("POST", "/things/{thingId}/parts/{partId}", _answer),
    Route("GET", "/things/{thingId}/files", _answer),
    Route("GET", "/things/{thingId}/files/{path...}", _answer),
]
ROUTER = Router(ROUTES, ("/v1", ""))


@pytest.mark.parametrize(
    ("method", "path", "template", "parameters"),
    [
        ("GET", "/v1/things", "/things", {}),
        ("GET", "/things", "/things", {}),
        ("HEAD", "/v1/things", "/things", {}),
        ("GET", "/things/special", "/things/special", {}),
        ("GET", "/things/a", "/things/{thingId}", {"thingId": "a"}),
        ("GET", "/things/a%2Fb", "/things/{thingId}", {"thingId": "a/b"}),
        ("GET", "/things/%C3%A4%20", "/things/{thingId}", {"thingId": "ä "}),
        ("GET", "/things/%ff", "/things/{thingId}", {"thingId": "�"}),
        ("GET", "/%74hings", "/things", {}),
        ("POST", "/v1/things/a/parts/b", "/things/{thingId}/parts/{partId}", {"thingId": "a", "partId": "b"}),
        ("GET", "/things/a/files", "/things/{thingId}/files", {"thingId": "a"}),
        ("GET", "/things/a/files/", "/things/{thingId}/files/{path...}", {"thingId": "a", "path": ""}),
        (
            "GET",
            "/things/a/files/b//c%2Fd",
            "/things/{thingId}/files/{path...}",
            {"thingId": "a", "path": "b//c%2Fd"},
        ),
    ],
)
def test_a_known_path_leads_to_its_route(
    method: str, path: str, template: str, parameters: dict[str, str]
) -> None:
    route, found = ROUTER.match(method, path)
    assert route.path == template
    assert found == parameters


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "",
        "/v1",
        "/v1/",
        "/v2/things",
        "/v1/v1/things",
        "/things/",
        "/things//",
        "/v1/things/",
        "//things",
        "/Things",
    ],
)
def test_a_path_that_is_not_exactly_known_is_not_found(path: str) -> None:
    with pytest.raises(SandkitError) as refusal:
        ROUTER.match("GET", path)
    assert refusal.value.code is ErrorCode.REQUEST_ROUTE_NOT_FOUND


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/things", ("GET", "HEAD", "OPTIONS", "POST")),
        ("POST", "/v1/things/a", ("DELETE", "GET", "HEAD", "OPTIONS")),
        ("HEAD", "/things/a/parts/b", ("OPTIONS", "POST")),
        ("OPTIONS", "/things", ("GET", "HEAD", "OPTIONS", "POST")),
        ("get", "/things", ("GET", "HEAD", "OPTIONS", "POST")),
    ],
)
def test_another_method_is_told_what_the_path_has(method: str, path: str, allowed: tuple[str, ...]) -> None:
    with pytest.raises(MethodNotAllowedError) as refusal:
        ROUTER.match(method, path)
    assert refusal.value.allowed == allowed


def test_two_routes_for_the_same_request_are_refused_when_building() -> None:
    with pytest.raises(ValueError, match="two routes for GET /things"):
        Router([ROUTES[0], ROUTES[0]])
