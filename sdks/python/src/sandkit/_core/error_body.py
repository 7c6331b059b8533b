"""From an answer outside 2xx to the exception for it, whatever its body is.

The body may be the API's own `ErrorResponse`, the `detail` of other frameworks, a gateway's HTML page,
plain text, nothing, or the first half of any of these.
"""

from __future__ import annotations

import html
import http
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from sandkit._core import errors
from sandkit._core.accounts import Attempted, ErrorAnswer, ErrorDetail
from sandkit._core.error_table import code_name

BODY_LIMIT = 64 * 1024
"""Bytes of an error body that are read and kept; the rest is not even received."""

_MESSAGE_LIMIT = 500
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)

_BY_STATUS: dict[int, type[errors.ApiError]] = {
    400: errors.BadRequestError,
    401: errors.UnauthorizedError,
    403: errors.ForbiddenError,
    404: errors.NotFoundError,
    409: errors.ConflictError,
    413: errors.PayloadTooLargeError,
    415: errors.UnsupportedMediaTypeError,
    422: errors.BadRequestError,
    429: errors.RateLimitedError,
    501: errors.NotSupportedError,
    503: errors.UnavailableError,
}
_BY_CODE: dict[tuple[int, str], type[errors.ApiError]] = {
    (403, "QUOTA_EXCEEDED"): errors.QuotaExceededError,
    (409, "INVALID_STATE"): errors.InvalidStateError,
    (409, "INVALID_SOURCE_STATE"): errors.InvalidStateError,
    (409, "NOT_READY"): errors.InvalidStateError,
    (429, "POOL_CAPACITY_EXHAUSTED"): errors.CapacityExhaustedError,
}


def error_for(answer: ErrorAnswer, attempted: Attempted) -> errors.ApiError:
    """The exception for an answer: by status and code, else by status, else by the hundred."""
    fallback = errors.ServerError if answer.status >= 500 else errors.ApiError
    kind = _BY_CODE.get((answer.status, code_name(answer.code))) or _BY_STATUS.get(answer.status, fallback)
    return kind(answer, attempted)


def read_answer(
    status: int, headers: Mapping[str, str], content: bytes, now: datetime | None = None
) -> ErrorAnswer:
    """An answer outside 2xx taken apart. Never raises.

    Args:
        status: The HTTP status.
        headers: The headers, looked up by lower-case name.
        content: The body, or as much of it as arrived.
        now: The instant that an HTTP date in Retry-After is measured from; by default the current one.
    """
    body = content[:BODY_LIMIT].decode("utf-8", "replace")
    code, message, details = _envelope(body)
    return ErrorAnswer(
        status=status,
        code=code,
        message=_shortened(message or _described(status, headers, body)),
        details=details,
        headers=dict(headers),
        body=body,
        retry_after=retry_after(headers.get("retry-after"), now or datetime.now(UTC)),
    )


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds asked for by a Retry-After header (RFC 9110, 10.2.3); None when absent or unreadable."""
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text) if len(text) < 10 else float("inf")
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for numbers beyond those of any calendar
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())


def _envelope(body: str) -> tuple[str | None, str | None, tuple[ErrorDetail, ...]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None, None, ()
    if not isinstance(document, dict):
        return None, None, ()
    # Frameworks put what was raised under `detail`: a text, an object like ours, or a list of field errors.
    inner = document.get("detail")
    if isinstance(inner, dict) and "code" not in document:
        document = inner
    elif isinstance(inner, str) and "message" not in document:
        document = {**document, "message": inner}
    elif isinstance(inner, list) and "details" not in document:
        document = {"message": "the server refuses the request", **document, "details": inner}
    code, message, details = document.get("code"), document.get("message"), document.get("details")
    return (
        code if isinstance(code, str) and code else None,
        message if isinstance(message, str) and message else None,
        tuple(_detail(entry) for entry in details if isinstance(entry, dict))
        if isinstance(details, list)
        else (),
    )


def _detail(entry: dict[str, Any]) -> ErrorDetail:
    location = entry.get("loc")
    pointer = entry.get("pointer")
    if isinstance(location, list):
        pointer = "".join(f"/{part}" for part in location if part != "body")
    return ErrorDetail(
        pointer=str(pointer or ""),
        rule=str(entry.get("rule") or entry.get("type") or ""),
        message=str(entry.get("message") or entry.get("msg") or ""),
    )


def _described(status: int, headers: Mapping[str, str], body: str) -> str:
    """What can be said of an answer that says nothing in the API's own form."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = "unknown status"
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if 300 <= status < 400:
        target = headers.get("location", "elsewhere")
        return f"{phrase}: the server redirects to {target}; redirects are not followed, correct the base URL"
    if not body.strip():
        return f"{phrase} (the answer has no body)"
    if media_type == "text/html" or body.lstrip()[:1] == "<":
        title = _TITLE.search(body)
        named = f" titled '{' '.join(html.unescape(title[1]).split())}'" if title else ""
        return f"{phrase} (an HTML page{named}, probably by a gateway before the server)"
    if media_type == "text/plain":
        return f"{phrase}: {' '.join(body.split())}"
    return f"{phrase} (the body is not an error body of the API)"


def _shortened(text: str) -> str:
    return text if len(text) <= _MESSAGE_LIMIT else f"{text[: _MESSAGE_LIMIT - 1]}…"
