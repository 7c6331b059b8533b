"""Holds answers against what a scenario expects of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from sandkit_conformance.drivers.port import Exchange
from sandkit_conformance.engine.context import Outcome, RunContext
from sandkit_conformance.failures import SuiteError
from sandkit_conformance.scenario.matchers import match, match_fields, show


@frozen
class _Wanted:
    """The statuses that will do, as numbers and as whole classes, and the codes."""

    text: str
    statuses: frozenset[int] = frozenset()
    classes: frozenset[int] = frozenset()
    codes: tuple[str, ...] = ()

    def accepts(self, status: int) -> bool:
        return status in self.statuses or status // 100 in self.classes

    @property
    def succeeds(self) -> bool:
        return 2 in self.classes or any(200 <= status < 300 for status in self.statuses)


def judge_reply(expect: Mapping[str, Any], exchange: Exchange, run: RunContext) -> Outcome:
    """Every way an answer differs from `expect`; halts when the wrong thing happened, or nothing did."""
    if exchange.failure:
        return Outcome.fail(f"{_named(exchange)}: {exchange.failure.message}", halts=True)
    status = exchange.status or 0
    wanted = _wanted(expect, run)
    if wanted and not wanted.accepts(status):
        # With another status the rest of the answer is another story, too.
        reason = f"status: expected {wanted.text}, observed {exchange.outcome()}"
        return Outcome.fail(reason, halts=wanted.succeeds != exchange.ok)
    reasons = _code_reasons(wanted.codes, exchange.code, run) if wanted and exchange.code else []
    reasons += _content_reasons(expect, exchange)
    return Outcome.fail(*reasons) if reasons else Outcome()


def _named(exchange: Exchange) -> str:
    return f"{exchange.call.method} {exchange.call.path}"


def _wanted(expect: Mapping[str, Any], run: RunContext) -> _Wanted | None:
    codes = expect.get("code", ())
    codes = (codes,) if isinstance(codes, str) else tuple(codes)
    if "table" in expect:
        cell = run.catalogue.cell(expect["table"])
        if cell is None:
            raise SuiteError(f"the operation x state table has no cell `{expect['table']}`")
        text = f"{cell.status} {cell.code}" if cell.code else str(cell.status)
        table_codes = (cell.code,) if cell.code else ()
        return _Wanted(f"{text} ({expect['table']})", frozenset({cell.status}), codes=codes or table_codes)
    status = expect.get("status", "2xx" if not set(expect) & {"status", "code"} else None)
    if status is None:
        return _Wanted("an error", classes=frozenset({4, 5}), codes=codes)
    if isinstance(status, str) and status.endswith("xx"):
        return _Wanted(f"any {status}", classes=frozenset({int(status[0])}), codes=codes)
    statuses = frozenset(int(one) for one in (status if isinstance(status, list) else [status]))
    text = " or ".join(str(one) for one in sorted(statuses))
    return _Wanted(f"{text} {' or '.join(codes)}".strip(), statuses, codes=codes)


def _code_reasons(codes: tuple[str, ...], observed: str, run: RunContext) -> list[str]:
    if not codes or any(run.target.same_code(code, observed) for code in codes):
        return []
    return [f"code: expected {' or '.join(codes)} (by its last part), observed {observed}"]


def _content_reasons(expect: Mapping[str, Any], exchange: Exchange) -> list[str]:
    reasons: list[str] = []
    body = exchange.json
    if "headers" in expect:
        headers = exchange.header_map
        for name, matcher in expect["headers"].items():
            value = match_fields({"$": matcher}, headers.get(name.lower()))
            reasons += [f"header {name}: expected {one.expected}, observed {one.observed}" for one in value]
    if "body" in expect:
        reasons += [str(one) for one in match_fields(expect["body"], body)]
    if "text" in expect:
        reasons += [str(one) for one in match(expect["text"], exchange.text, "text")]
    if "detail" in expect:
        details = body.get("details") if isinstance(body, dict) else None
        details = details if isinstance(details, list) else []
        if all(match_fields(expect["detail"], detail) for detail in details):
            reasons.append(f"details: expected one with {show(expect['detail'])}, observed {show(details)}")
    return reasons
