"""Port errors in the API's terms, for the places where nothing more specific is known."""

from __future__ import annotations

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.port_errors import (
    Exhausted,
    Forbidden,
    Invalid,
    NotFound,
    PortError,
    Unavailable,
    Unsupported,
    VersionConflict,
)

RETRY_SECONDS = 1.0


def translate(error: PortError) -> SandkitError:
    """The general meaning of ``error``, whatever was being done."""
    if isinstance(error, Unavailable):
        return unavailable(f"The engine does not answer: {error.message}.", error.retry_after)
    if isinstance(error, VersionConflict):
        return unavailable("The object kept changing; nothing was done.")
    if isinstance(error, Forbidden):
        message = f"The operator must grant the server {error.verb} on {error.resource}."
        return SandkitError(ErrorCode.REQUEST_INTERNAL_ERROR, message)
    return SandkitError(ErrorCode.REQUEST_INTERNAL_ERROR, f"The engine refused: {error.message}.")


def unavailable(message: str, retry_after: float = RETRY_SECONDS) -> SandkitError:
    """Nothing is wrong with the request; it may be sent again after ``retry_after`` seconds."""
    return SandkitError(ErrorCode.REQUEST_UNAVAILABLE, message, retry_after=retry_after)


def translate_create(error: Exception, pool: str | None) -> SandkitError:
    """Why a workload could not be made."""
    if isinstance(error, SandkitError):
        return error
    if isinstance(error, Unavailable):
        return translate(error)
    if isinstance(error, Exhausted):
        return _exhausted(error)
    if isinstance(error, Invalid):
        message = f"The runtime refuses this workload: {error.message}."
        return SandkitError(ErrorCode.SANDBOX_WORKLOAD_REJECTED, message)
    if isinstance(error, (NotFound, Unsupported)) and pool is not None:
        return translate_pool(error, pool)
    reason = error.message if isinstance(error, PortError) else "an unforeseen failure"
    message = f"The workload could not be created: {reason}; everything made on the way was taken back."
    return SandkitError(ErrorCode.SANDBOX_CREATE_FAILED, message)


def translate_delete(error: PortError) -> SandkitError:
    """Why a workload could not be deleted; the caller may simply delete again."""
    if isinstance(error, Unavailable):
        return translate(error)
    message = f"The workload could not be deleted: {error.message}. Its volumes were left alone; retry."
    return SandkitError(ErrorCode.SANDBOX_DELETE_FAILED, message)


def translate_pool(error: PortError, name: str) -> SandkitError:
    """Why an operation on a pool failed."""
    if isinstance(error, NotFound):
        return SandkitError(ErrorCode.POOL_POOL_NOT_FOUND, f"There is no pool {name}.")
    if isinstance(error, Unsupported):
        return SandkitError(ErrorCode.POOL_POOL_NOT_SUPPORTED, error.message)
    if isinstance(error, Invalid):
        return SandkitError(ErrorCode.REQUEST_INVALID_PARAMETER, error.message)
    return translate(error)


def _exhausted(error: Exhausted) -> SandkitError:
    if error.what == "pool":
        retry_after = error.retry_after if error.retry_after is not None else RETRY_SECONDS
        return SandkitError(ErrorCode.POOL_POOL_CAPACITY_EXHAUSTED, error.message, retry_after=retry_after)
    return SandkitError(ErrorCode.SANDBOX_QUOTA_EXCEEDED, error.message)
