"""What an answer of the API server means to the core: `Status` objects to port errors.

Whatever is not certainly without effect becomes Unavailable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx2
import msgspec

from sandkit_server.core.port_errors import (
    AlreadyExists,
    Exhausted,
    Forbidden,
    Invalid,
    NotFound,
    PortError,
    Unavailable,
    VersionConflict,
)
from sandkit_server.kubernetes.calls import Call, Expired, Misconfigured, Object, Verb

# A message may quote what was sent; this much of it is enough to act on.
_LONGEST_MESSAGE: Final = 2_000
_RETRY_AFTER: Final = 1.0
# The longest a server can make us wait; a wrong header must not stop a controller for a day.
_LONGEST_RETRY_AFTER: Final = 60.0
_WRONG_CONTENT: Final = frozenset({400, 406, 413, 415, 422})


def decode(content: bytes) -> Mapping[str, Any]:
    """The object in the body of an answer. Raises Unavailable for anything else."""
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Unavailable("the answer of the API server cannot be read") from error


def check(obj: Object) -> Object:
    """``obj`` itself, if it says its version, as every object and list does. Raises Unavailable if not."""
    match obj:
        case {"metadata": {"resourceVersion": str(version)}} if version.isdecimal() and version.isascii():
            return obj
    raise Unavailable("what the API server answered is no object of its own")


def refusal(call: Call, response: httpx2.Response, namespace: str) -> PortError:
    """The error that an answer other than 2xx stands for."""
    try:
        status = msgspec.json.decode(response.content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        status = {}
    if status.get("kind") != "Status":
        # A proxy, or the API server's own plain text for a path it does not serve.
        text = response.text.strip()[:200]
        status = {
            "message": f"HTTP {response.status_code}: {text}" if text else f"HTTP {response.status_code}"
        }
    status = {**status, "code": response.status_code}
    return translate(call, status, namespace, retry_after(response.headers.get("Retry-After")))


def translate(call: Call, status: Mapping[str, Any], namespace: str, wait: float | None = None) -> PortError:
    """The error that a ``Status`` with a failure stands for.

    Args:
        call: What was asked.
        status: The answer; ``code`` is the HTTP status.
        namespace: Where it was asked, for messages.
        wait: Seconds of the answer's Retry-After, if it had one.
    """
    code = status.get("code")
    message = str(status.get("message") or f"HTTP {code}")[:_LONGEST_MESSAGE]
    details = status.get("details") or {}
    error: PortError
    match code:
        case 401:
            error = Unavailable(f"the API server does not accept the server's credentials: {message}", 5.0)
        case 403:
            error = _forbidden(call, message, details, namespace)
        case 404:
            error = _not_found(call, message, details, namespace)
        case 405:
            error = Misconfigured(f"{call.resource.full_name} cannot be used this way: {message}")
        case 409:
            error = _conflict(status.get("reason"), message, details)
        case 410:
            error = Expired(message)
        case _ if code in _WRONG_CONTENT:
            # A uid in a patch is a precondition: the object of that name is another one.
            other = call.verb is Verb.PATCH and _blames(details, "metadata.uid")
            error = NotFound(message) if other else Invalid(message)
        case _:
            wait = wait if wait is not None else details.get("retryAfterSeconds") or _RETRY_AFTER
            error = Unavailable(f"the API server cannot answer now: {message}", float(wait))
    return error


def retry_after(header: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header; ``None`` if there is none, or a date (Kubernetes sends none)."""
    if header is None or not header.isascii() or not header.isdigit():
        return None
    return min(float(header), _LONGEST_RETRY_AFTER)


def permission(call: Call) -> tuple[str, str]:
    """The verb and resource a role would have to allow for ``call``."""
    resource = call.resource.full_name
    return str(call.verb), f"{resource}/{call.subresource}" if call.subresource else resource


def _forbidden(call: Call, message: str, details: Mapping[str, Any], namespace: str) -> PortError:
    causes = details.get("causes") or ()
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return Misconfigured(f"the namespace {namespace} is being deleted")
    if "exceeded quota" in message:
        return Exhausted("quota", message)
    if 'User "' in message and " cannot " in message:
        return Forbidden(*permission(call))
    if "blockOwnerDeletion" in message:
        return Forbidden("set blockOwnerDeletion on", call.resource.full_name)
    # Admission: a policy, a limit range, pod security, a webhook.
    return Invalid(message)


def _not_found(call: Call, message: str, details: Mapping[str, Any], namespace: str) -> PortError:
    if details.get("kind") == "namespaces":
        return Misconfigured(f"the namespace {namespace} does not exist")
    if details.get("name"):
        return NotFound(message)
    kind, version = call.resource.full_name, call.resource.version
    return Misconfigured(f"the API server does not serve {kind} in version {version} ({message})")


def _conflict(reason: object, message: str, details: Mapping[str, Any]) -> PortError:
    if reason == "AlreadyExists":
        return AlreadyExists(message)
    if details.get("kind") == "resourcequotas":
        # Somebody else was counted at the same moment; the object itself is not the problem.
        return Unavailable(message)
    if "UID in precondition" in message or "UID in the precondition" in message:
        return NotFound(message)
    return VersionConflict(message)


def _blames(details: Mapping[str, Any], field: str) -> bool:
    return any(cause.get("field") == field for cause in details.get("causes") or ())
