"""The fields of a create as keywords, and the request they make."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Protocol, TypedDict

from sandkit._generated import models

DEFAULT_ENTRYPOINT: tuple[str, ...] = ("tail", "-f", "/dev/null")
"""What a sandbox from an image runs when no entrypoint is given: nothing, until it is deleted."""

DEFAULT_RESOURCE_LIMITS: Mapping[str, str] = MappingProxyType({"cpu": "1", "memory": "1Gi"})
"""The limits of a sandbox that gives none and does not come from a pool."""


class Identified(Protocol):
    """Anything with an id, such as a bound snapshot."""

    @property
    def id(self) -> str:
        """The id."""


class SandboxFields(TypedDict, total=False):
    """What a create takes; give exactly one of `image`, `snapshot` and `pool`.

    The server checks all rules between fields before it makes anything; a broken one raises
    BadRequestError, whose `details` name the fields.

    Attributes:
        image: An image reference, or ImageSpec for a private registry.
        snapshot: A snapshot, or its id, to start from; it must be Ready.
        pool: The name of a pool to take a warm sandbox from.
        entrypoint: The command and its arguments; `DEFAULT_ENTRYPOINT` by default with an image.
        timeout: Lifetime: whole seconds from 60, or a timedelta. Without one, the sandbox never expires
            by itself.
        resource_limits: Kubernetes quantities by resource; `DEFAULT_RESOURCE_LIMITS` by default, None for
            none at all.
        resource_requests: Kubernetes quantities by resource.
        env: Environment of the entrypoint. It is kept out of every repr.
        metadata: Labels to find the sandbox by.
        volumes: What to mount.
        platform: Platform, or `os/arch` such as `linux/arm64`.
        network_policy: Rules for outgoing traffic.
        credential_proxy: Let a proxy beside the sandbox add credentials.
        secure_access: Protect the endpoints with a header that only `endpoint()` tells.
        extensions: Opaque settings for the server's runtime.
    """

    image: str | models.ImageSpec
    snapshot: str | Identified
    pool: str
    entrypoint: Sequence[str]
    timeout: int | timedelta | None
    resource_limits: Mapping[str, str] | None
    resource_requests: Mapping[str, str]
    env: Mapping[str, str]
    metadata: Mapping[str, str]
    volumes: Sequence[models.Volume]
    platform: str | models.Platform
    network_policy: models.NetworkPolicy
    credential_proxy: models.CredentialProxy | bool
    secure_access: bool
    extensions: Mapping[str, str]


def sandbox_request(fields: SandboxFields) -> models.CreateSandboxRequest:
    """The request for these fields.

    Raises:
        TypeError: A field is misspelt or has the wrong type.
        ValueError: A value cannot be expressed, such as a lifetime with a fraction of a second.
    """
    known = SandboxFields.__annotations__
    refuse_unknown("create", fields, known)
    given: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    from_pool = "pool" in given
    if "image" in given:
        given.setdefault("entrypoint", DEFAULT_ENTRYPOINT)
    if not from_pool and "resource_limits" not in fields:
        given["resource_limits"] = DEFAULT_RESOURCE_LIMITS
    if from_pool:
        given["extensions"] = {**given.get("extensions", {}), "poolRef": given.pop("pool")}
    if "snapshot" in given:
        snapshot = given.pop("snapshot")
        given["snapshot_id"] = snapshot if isinstance(snapshot, str) else snapshot.id
    return models.CreateSandboxRequest(
        **{name: _CONVERSIONS.get(name, _as_given)(value) for name, value in given.items()}
    )


def refuse_unknown(function: str, given: Mapping[str, object], known: Mapping[str, object]) -> None:
    """Raises TypeError for a keyword that is not known, with the nearest one that is."""
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]!r}?" if near else f"; it takes {', '.join(known)}"
            raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")


def lifetime(value: int | timedelta) -> int:
    """A lifetime in whole seconds.

    Raises:
        TypeError: It is neither a whole number nor a timedelta.
        ValueError: It has a fraction of a second.
    """
    if isinstance(value, timedelta):
        seconds = value.total_seconds()
        if not seconds.is_integer():
            raise ValueError(f"timeout is {value}; the API counts whole seconds")
        return int(seconds)
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"timeout is {value!r}; use whole seconds or a timedelta")
    return value


def expiry(value: datetime | timedelta, now: datetime | None = None) -> datetime:
    """An instant, given as such or counted from now by this machine's clock.

    Raises:
        TypeError: It is neither a datetime nor a timedelta.
        ValueError: It has no UTC offset, or lies beyond the year 9999.
    """
    if isinstance(value, timedelta):
        try:
            return (now or datetime.now(UTC)) + value
        except OverflowError as problem:
            raise ValueError(f"expires_at is {value} from now, which no calendar holds") from problem
    if not isinstance(value, datetime):
        raise TypeError(f"expires_at is {value!r}; use a datetime with a UTC offset, or a timedelta from now")
    if value.utcoffset() is None:
        raise ValueError("expires_at has no UTC offset; use datetime.now(UTC) + timedelta(…), or a timedelta")
    return value


def _as_given(value: Any) -> Any:
    return value


def _image(value: str | models.ImageSpec) -> models.ImageSpec:
    return models.ImageSpec(uri=value) if isinstance(value, str) else value


def _platform(value: str | models.Platform) -> models.Platform:
    if not isinstance(value, str):
        return value
    os, separator, arch = value.partition("/")
    if not (os and separator and arch):
        raise ValueError(f"platform is {value!r}; use os/arch, such as linux/amd64")
    return models.Platform(os=os, arch=arch)


def _texts(value: Sequence[str]) -> list[str]:
    if isinstance(value, str):
        raise TypeError(f"entrypoint is {value!r}; use a list, one string per argument")
    return list(value)


def _proxy(value: models.CredentialProxy | bool) -> models.CredentialProxy:
    return models.CredentialProxy(enabled=value) if isinstance(value, bool) else value


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "image": _image,
    "entrypoint": _texts,
    "timeout": lifetime,
    "resource_limits": dict,
    "resource_requests": dict,
    "env": dict,
    "metadata": dict,
    "volumes": list,
    "platform": _platform,
    "credential_proxy": _proxy,
    "extensions": dict,
}
