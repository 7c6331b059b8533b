"""What a body may be labelled as."""

from __future__ import annotations

from collections.abc import Sequence

from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.http.exchange import Request

__all__ = ["has_body", "require_media_type"]


def has_body(request: Request) -> bool:
    """Whether the request announces a body (RFC 9112, 6.3), even if that turns out to be empty."""
    if request.header(b"transfer-encoding"):
        return True
    return any(value.strip(b"0") for value in request.header(b"content-length"))


def require_media_type(request: Request, readable: Sequence[str]) -> None:
    """Refuse a body that is labelled as anything but UTF-8 text of one of the ``readable`` media types.

    Raises:
        SandkitError: REQUEST::UNSUPPORTED_MEDIA_TYPE; also for a missing label and for any content encoding.
    """
    encodings = [
        value for value in request.header(b"content-encoding") if value.strip().lower() != b"identity"
    ]
    if encodings:
        raise _unsupported("Send the body without a Content-Encoding.")
    labels = request.header(b"content-type")
    if len(labels) != 1:
        raise _unsupported(f"Send one Content-Type: {' or '.join(readable)}.")
    media_type, *parameters = labels[0].decode("latin-1").split(";")
    if media_type.strip().lower() not in readable:
        raise _unsupported(f"Send the body as {' or '.join(readable)}.")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip().strip('"').lower() not in {"utf-8", "utf8"}:
            raise _unsupported("Send the body in UTF-8.")


def _unsupported(message: str) -> SandkitError:
    return SandkitError(ErrorCode.REQUEST_UNSUPPORTED_MEDIA_TYPE, message)
