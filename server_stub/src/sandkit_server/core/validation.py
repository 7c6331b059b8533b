"""The rules a request must keep beyond its schema; all broken ones are collected, nothing is looked up.

Each finding names the field by JSON pointer and the rule by a stable word. The rules that the schema states
too are checked again here, so that the core is safe behind any front end.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from sandkit_server.core.errors import ErrorCode, FieldError, SandkitError
from sandkit_server.core.model import (
    CreatePool,
    CreateSandbox,
    NetworkPolicy,
    NetworkRule,
    Platform,
    PoolCapacity,
)
from sandkit_server.core.naming import (
    RESERVED_PREFIX,
    dns_label_fault,
    label_key_fault,
    label_value_fault,
    pointer,
)
from sandkit_server.core.policy import Policy
from sandkit_server.core.quantities import parse_quantity
from sandkit_server.core.volume_rules import volume_faults

SHORTEST_TIMEOUT = 60
RENEW_EXTENSION = "access.renew.extend.seconds"
RENEW_EXTENSION_BOUNDS = range(300, 86_401)
PLATFORM_VALUES: Mapping[str, tuple[str, ...]] = {"os": ("linux", "windows"), "arch": ("amd64", "arm64")}
ACTIONS = ("allow", "deny")

_HOST = re.compile(
    r"(\*\.)?([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?", re.IGNORECASE
)


def create_faults(request: CreateSandbox, policy: Policy, backends: frozenset[str]) -> list[FieldError]:
    """Every rule a create request breaks, in the order of its fields."""
    return [
        *_source_faults(request),
        *_entrypoint_faults(request),
        *_timeout_faults(request.timeout_seconds, policy),
        *_resource_faults(request),
        *_environment_faults(request.env),
        *metadata_faults(request.metadata, "metadata"),
        *_extension_faults(request),
        *_platform_faults(request.platform),
        *_network_faults(request.network_policy),
        *volume_faults(request.volumes, policy.host_path_prefixes, backends),
    ]


def patch_faults(patch: Mapping[str, str | None]) -> list[FieldError]:
    """Every rule a metadata patch breaks; removing a reserved key is refused as setting it is."""
    return list(metadata_faults({key: value or "" for key, value in patch.items()}))


def pool_faults(pool: CreatePool) -> list[FieldError]:
    """Every rule a new pool breaks."""
    found = [*_capacity_faults(pool.capacity)]
    if fault := dns_label_fault(pool.name, longest=253):
        found.insert(0, FieldError("/name", "dns-label", f"A pool name {fault}."))
    if not pool.template.containers:
        where = pointer("template", "spec", "containers")
        found.append(FieldError(where, "not-empty", "A pool template has at least one container."))
    for index, container in enumerate(pool.template.containers):
        at = ("template", "spec", "containers", index, "resources")
        found += _quantity_faults(container.resource_limits, *at, "limits")
        found += _quantity_faults(container.resource_requests, *at, "requests")
    return found


def capacity_faults(capacity: PoolCapacity) -> list[FieldError]:
    """Every rule a pool's capacity breaks."""
    return list(_capacity_faults(capacity))


def check_renewal(expires_at: datetime, now: datetime, policy: Policy) -> None:
    """Raise unless ``expires_at`` is later than now and within the operator's limit (TTL-03)."""
    code = ErrorCode.SANDBOX_INVALID_EXPIRATION
    if expires_at <= now:
        message = "expiresAt must be later than now."
        raise SandkitError(code, message, details=[FieldError("/expiresAt", "future", message, code)])
    if policy.max_timeout is not None and expires_at > now + timedelta(seconds=policy.max_timeout):
        message = f"expiresAt must be at most {policy.max_timeout} seconds from now."
        raise SandkitError(code, message, details=[FieldError("/expiresAt", "maximum", message, code)])


def metadata_faults(metadata: Mapping[str, str], *where: str) -> Iterator[FieldError]:
    """Metadata are Kubernetes labels outside our own prefix."""
    code = ErrorCode.SANDBOX_INVALID_METADATA_LABEL
    for key, value in metadata.items():
        at = pointer(*where, key)
        if key.startswith(RESERVED_PREFIX):
            yield FieldError(at, "reserved-prefix", f"The prefix {RESERVED_PREFIX} is reserved.", code)
        elif fault := label_key_fault(key):
            yield FieldError(at, "label-key", f"A metadata key {fault}.", code)
        if fault := label_value_fault(value):
            yield FieldError(at, "label-value", f"A metadata value {fault}.", code)


def _source_faults(request: CreateSandbox) -> Iterator[FieldError]:
    if request.pool_ref is not None:
        if request.snapshot_id is not None:
            message = "A sandbox out of a pool cannot start from a snapshot; leave snapshotId out."
            yield FieldError("/snapshotId", "not-with-pool", message)
        if request.volumes:
            yield FieldError("/volumes", "not-with-pool", "A sandbox out of a pool cannot mount volumes.")
    elif request.image is not None and request.snapshot_id is not None:
        yield FieldError("", "exactly-one-source", "Give image or snapshotId, not both.")
    elif request.image is None and request.snapshot_id is None:
        message = "Give one of image, snapshotId and extensions.poolRef."
        yield FieldError("", "exactly-one-source", message)
    if request.image is not None and (
        not request.image.uri or re.search(r"[\s\x00-\x1f]", request.image.uri)
    ):
        yield FieldError(
            "/image/uri", "image-reference", "An image reference is not empty and has no spaces."
        )


def _entrypoint_faults(request: CreateSandbox) -> Iterator[FieldError]:
    if request.entrypoint is None:
        if request.image is not None and request.pool_ref is None:
            message = "Give at least one entrypoint argument when the sandbox starts from an image."
            yield FieldError("/entrypoint", "required-with-image", message)
        return
    if not request.entrypoint or not request.entrypoint[0]:
        yield FieldError("/entrypoint", "not-empty", "The entrypoint names at least the command.")
    for index, argument in enumerate(request.entrypoint):
        if "\x00" in argument:
            yield FieldError(pointer("entrypoint", index), "no-nul", "An argument has no NUL character.")


def _timeout_faults(timeout: int | None, policy: Policy) -> Iterator[FieldError]:
    if timeout is None:
        return
    if timeout < SHORTEST_TIMEOUT:
        yield FieldError("/timeout", "minimum", f"The timeout is at least {SHORTEST_TIMEOUT} seconds.")
    elif policy.max_timeout is not None and timeout > policy.max_timeout:
        message = f"The timeout is at most {policy.max_timeout} seconds on this server."
        yield FieldError("/timeout", "maximum", message)
    elif timeout > timedelta(days=36_500).total_seconds():
        yield FieldError("/timeout", "maximum", "The timeout is at most a hundred years.")


def _resource_faults(request: CreateSandbox) -> Iterator[FieldError]:
    if not request.resource_limits and request.pool_ref is None:
        message = "Name at least one resource limit; only a sandbox out of a pool does without."
        yield FieldError("/resourceLimits", "required-outside-pool", message)
    limits, requests = request.resource_limits or {}, request.resource_requests or {}
    yield from _quantity_faults(limits, "resourceLimits")
    yield from _quantity_faults(requests, "resourceRequests")
    for name in requests.keys() & limits.keys():
        asked, allowed = parse_quantity(requests[name]), parse_quantity(limits[name])
        if asked is not None and allowed is not None and asked > allowed:
            message = f"The request for {name} is above its limit."
            yield FieldError(pointer("resourceRequests", name), "within-limit", message)


def _quantity_faults(quantities: Mapping[str, str], *where: str | int) -> Iterator[FieldError]:
    for name, text in quantities.items():
        if fault := label_key_fault(name):
            yield FieldError(pointer(*where, name), "resource-name", f"A resource name {fault}.")
        value = parse_quantity(text)
        if value is None:
            message = "A quantity is a number with an optional suffix, such as 500m or 512Mi."
            yield FieldError(pointer(*where, name), "quantity", message)
        elif value <= 0:
            yield FieldError(pointer(*where, name), "positive", "A quantity is greater than 0.")


def _environment_faults(env: Mapping[str, str | None]) -> Iterator[FieldError]:
    for name, value in env.items():
        if not name or "=" in name or "\x00" in name:
            message = "A variable name is not empty and has neither '=' nor NUL."
            yield FieldError(pointer("env", name), "variable-name", message)
        if value is not None and "\x00" in value:
            yield FieldError(pointer("env", name), "no-nul", "A variable's value has no NUL character.")


def _extension_faults(request: CreateSandbox) -> Iterator[FieldError]:
    if request.pool_ref is not None and (fault := dns_label_fault(request.pool_ref, longest=253)):
        yield FieldError("/extensions/poolRef", "dns-label", f"A pool name {fault}.")
    seconds = request.extensions.get(RENEW_EXTENSION)
    if seconds is not None and not _is_within_bounds(seconds):
        low, high = RENEW_EXTENSION_BOUNDS[0], RENEW_EXTENSION_BOUNDS[-1]
        message = f"{RENEW_EXTENSION} is a whole number from {low} to {high}."
        yield FieldError(pointer("extensions", RENEW_EXTENSION), "bounds", message)


def _is_within_bounds(text: str) -> bool:
    return bool(re.fullmatch(r"[0-9]{1,9}", text)) and int(text) in RENEW_EXTENSION_BOUNDS


def _platform_faults(platform: Platform | None) -> Iterator[FieldError]:
    if platform is None:
        return
    for name, value in (("os", platform.os), ("arch", platform.arch)):
        known = PLATFORM_VALUES[name]
        if value not in known:
            yield FieldError(
                pointer("platform", name), "known-value", f"{name} is one of {', '.join(known)}."
            )


def _network_faults(network: NetworkPolicy | None) -> Iterator[FieldError]:
    if network is None:
        return
    if network.default_action is not None and network.default_action not in ACTIONS:
        yield FieldError("/networkPolicy/defaultAction", "known-value", "defaultAction is allow or deny.")
    for index, rule in enumerate(network.egress):
        yield from _rule_faults(index, rule)


def _rule_faults(index: int, rule: NetworkRule) -> Iterator[FieldError]:
    where = ("networkPolicy", "egress", index)
    if rule.action not in ACTIONS:
        yield FieldError(pointer(*where, "action"), "known-value", "action is allow or deny.")
    if not _is_target(rule.target):
        message = "A target is a host name, a wildcard such as *.example.com, an address or a CIDR."
        yield FieldError(pointer(*where, "target"), "network-target", message)


def _is_target(target: str) -> bool:
    try:
        ipaddress.ip_network(target, strict=False)
    except ValueError:
        return len(target) <= 253 and bool(_HOST.fullmatch(target))
    return True


def _capacity_faults(capacity: PoolCapacity) -> Iterator[FieldError]:
    ranges = (
        ("buffer", capacity.buffer_min, capacity.buffer_max),
        ("pool", capacity.pool_min, capacity.pool_max),
    )
    for name, low, high in ranges:
        if low < 0:
            yield FieldError(pointer("capacitySpec", f"{name}Min"), "minimum", f"{name}Min is at least 0.")
        if low > high:
            message = f"{name}Min is not above {name}Max."
            yield FieldError(pointer("capacitySpec", f"{name}Min"), "range", message)
