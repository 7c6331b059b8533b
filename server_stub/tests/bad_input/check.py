"""How a refusal is checked: its answer, and that nothing has changed."""

from __future__ import annotations

from typing import Any

import httpx

from .case import Case
from .census import World

__all__ = ["check_envelope", "check_refusal"]


def check_refusal(world: World, case: Case) -> None:
    before = world.census()
    path = case.path.format_map(world.names)
    answer = world.client.request(case.method, path, content=case.content, headers=case.headers)
    body = check_envelope(answer)
    assert (answer.status_code, body["code"]) == (case.status, case.code), body
    found = tuple((detail["pointer"], detail["rule"]) for detail in body.get("details", ()))
    assert found == case.details
    assert world.census() == before


def check_envelope(answer: httpx.Response) -> dict[str, Any]:
    """The body of an error answer, checked for its form."""
    assert answer.headers["X-Request-ID"]
    assert answer.headers["Content-Type"] == "application/json"
    body: dict[str, Any] = answer.json()
    assert set(body) <= {"code", "message", "details"}
    assert body["code"].count("::") == 1
    assert body["message"]
    if "details" in body:
        assert body["details"]
        for detail in body["details"]:
            assert set(detail) == {"pointer", "rule", "message"}
            assert detail["message"]
    return body
