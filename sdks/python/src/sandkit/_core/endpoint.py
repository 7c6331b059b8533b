"""The address of a port of a sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where clients reach a port.

    Attributes:
        url: The address, always with a scheme: the server's own, or else the one the API is reached by.
        headers: Headers to send with every request to it; they may hold a secret and are left out of the
            repr.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class EndpointRoute:
    """Which kind of address is asked for.

    Attributes:
        through_server: One that leads through the server, for clients that cannot reach the runtime's
            network.
        expires: A signed one that is valid until then: a datetime, or seconds since the Unix epoch.
    """

    through_server: bool = False
    expires: datetime | int | None = None


def endpoint_url(address: str, scheme: str) -> str:
    """The address with a scheme; the given one where it has none."""
    return address if "://" in address else f"{scheme}://{address.removeprefix('//')}"


def epoch_seconds(moment: datetime | int) -> int:
    """An instant as whole seconds since the Unix epoch.

    Raises ValueError for a datetime without a UTC offset.
    """
    if isinstance(moment, datetime):
        if moment.utcoffset() is None:
            raise ValueError("expires has no UTC offset; use datetime.now(UTC) + timedelta(…)")
        return int(moment.timestamp())
    return moment
