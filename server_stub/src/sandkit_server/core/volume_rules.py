"""The rules for the volumes of a create request; every broken one is found, nothing is looked up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sandkit_server.core.errors import ErrorCode, FieldError
from sandkit_server.core.model import ClaimSource, HostSource, OssfsSource, Volume
from sandkit_server.core.naming import (
    absolute_path_fault,
    dns_label_fault,
    is_below,
    pointer,
    relative_path_fault,
)
from sandkit_server.core.quantities import parse_quantity

ACCESS_MODES = frozenset({"ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"})
OSSFS_VERSIONS = frozenset({"1.0", "2.0"})

_STORAGE = re.compile(r"\d+(\.\d+)?(Ki|Mi|Gi|Ti|Pi|Ei)?", re.ASCII)
_BUCKET = re.compile(r"[a-z0-9][-a-z0-9]{1,61}[a-z0-9]", re.ASCII)
_SPACE_OR_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def volume_faults(
    volumes: Sequence[Volume], host_prefixes: Sequence[str], backends: frozenset[str]
) -> Iterator[FieldError]:
    """All broken rules.

    ``backends`` are those the runtime has, ``host_prefixes`` those the operator allows.
    """
    for index, volume in enumerate(volumes):
        yield from _naming_faults(index, volume)
        yield from _backend_faults(index, volume, backends)
        if volume.host is not None:
            yield from _host_faults(index, volume.host, host_prefixes)
        if volume.claim is not None:
            yield from _claim_faults(index, volume.claim)
        if volume.ossfs is not None:
            yield from _ossfs_faults(index, volume.ossfs)
    yield from _repetition_faults(volumes)
    yield from _flag_faults(volumes)


def _fault(code: ErrorCode, rule: str, message: str, *where: str | int) -> FieldError:
    return FieldError(pointer("volumes", *where), rule, message, code)


def _naming_faults(index: int, volume: Volume) -> Iterator[FieldError]:
    if fault := dns_label_fault(volume.name):
        yield _fault(ErrorCode.VOLUME_INVALID_NAME, "dns-label", f"A volume name {fault}.", index, "name")
    code = ErrorCode.VOLUME_INVALID_MOUNT_PATH
    if fault := absolute_path_fault(volume.mount_path):
        yield _fault(code, "absolute-path", f"A mount path {fault}.", index, "mountPath")
    elif volume.mount_path == "/":
        yield _fault(code, "not-root", "A volume cannot be mounted over the root.", index, "mountPath")
    elif ":" in volume.mount_path:
        yield _fault(code, "no-colon", "A mount path has no ':'.", index, "mountPath")
    if volume.sub_path and (fault := relative_path_fault(volume.sub_path)):
        code = ErrorCode.VOLUME_INVALID_SUB_PATH
        yield _fault(code, "relative-path", f"A sub-path {fault}.", index, "subPath")


def _backend_faults(index: int, volume: Volume, backends: frozenset[str]) -> Iterator[FieldError]:
    sources = {"host": volume.host, "pvc": volume.claim, "ossfs": volume.ossfs}
    named = [name for name, source in sources.items() if source is not None]
    if len(named) != 1:
        message = f"A volume names exactly one of host, pvc and ossfs, not {' and '.join(named) or 'none'}."
        yield _fault(ErrorCode.VOLUME_INVALID_BACKEND, "exactly-one-backend", message, index)
    for name in named:
        if name not in backends:
            message = f"This runtime has no {name} volumes; it has {', '.join(sorted(backends))}."
            yield _fault(ErrorCode.VOLUME_UNSUPPORTED_BACKEND, "supported-backend", message, index, name)


def _host_faults(index: int, host: HostSource, prefixes: Sequence[str]) -> Iterator[FieldError]:
    if fault := absolute_path_fault(host.path):
        code = ErrorCode.VOLUME_INVALID_HOST_PATH
        yield _fault(code, "absolute-path", f"A host path {fault}.", index, "host", "path")
    elif not is_below(host.path, prefixes):
        allowed = ", ".join(prefixes) or "none"
        message = f"The host path lies outside the prefixes the operator allows ({allowed})."
        yield _fault(ErrorCode.VOLUME_HOST_PATH_NOT_ALLOWED, "allowed-prefix", message, index, "host", "path")


def _claim_faults(index: int, claim: ClaimSource) -> Iterator[FieldError]:
    if fault := dns_label_fault(claim.claim_name, longest=253):
        code = ErrorCode.VOLUME_INVALID_PVC_NAME
        yield _fault(code, "dns-label", f"A claim name {fault}.", index, "pvc", "claimName")
    code = ErrorCode.VOLUME_INVALID_STORAGE
    if claim.storage is not None and not _is_size(claim.storage):
        message = "A size is a positive number, optionally followed by Ki, Mi, Gi, Ti, Pi or Ei."
        yield _fault(code, "quantity", message, index, "pvc", "storage")
    if claim.access_modes is not None and not claim.access_modes:
        message = "Name at least one access mode, or leave the list out."
        yield _fault(code, "not-empty", message, index, "pvc", "accessModes")
    for position, mode in enumerate(claim.access_modes or ()):
        if mode not in ACCESS_MODES:
            message = f"An access mode is one of {', '.join(sorted(ACCESS_MODES))}."
            yield _fault(code, "known-value", message, index, "pvc", "accessModes", position)


def _is_size(text: str) -> bool:
    return bool(_STORAGE.fullmatch(text)) and (parse_quantity(text) or 0) > 0


def _ossfs_faults(index: int, ossfs: OssfsSource) -> Iterator[FieldError]:
    def fault(rule: str, message: str, *where: str | int) -> FieldError:
        return _fault(ErrorCode.VOLUME_INVALID_OSSFS, rule, message, index, "ossfs", *where)

    if not _BUCKET.fullmatch(ossfs.bucket):
        message = "A bucket name has 3 to 63 lower-case letters, digits and inner hyphens."
        yield fault("bucket-name", message, "bucket")
    if not ossfs.endpoint or _SPACE_OR_CONTROL.search(ossfs.endpoint):
        yield fault("not-empty", "An endpoint is an address without spaces.", "endpoint")
    if ossfs.version is not None and ossfs.version not in OSSFS_VERSIONS:
        yield fault("known-value", f"The version is one of {', '.join(sorted(OSSFS_VERSIONS))}.", "version")
    for position, option in enumerate(ossfs.options or ()):
        if not option or _SPACE_OR_CONTROL.search(option):
            yield fault("option", "An option is not empty and has no spaces.", "options", position)
    given = {"accessKeyId": ossfs.access_key_id, "accessKeySecret": ossfs.access_key_secret}
    absent = [name for name, value in given.items() if not value]
    if len(absent) == 1:
        yield fault("required-together", "Give accessKeyId and accessKeySecret together.", absent[0])


def _repetition_faults(volumes: Sequence[Volume]) -> Iterator[FieldError]:
    names: dict[str, int] = {}
    paths: dict[str, int] = {}
    for index, volume in enumerate(volumes):
        if names.setdefault(volume.name, index) != index:
            message = f"Volume {names[volume.name]} has the same name."
            yield _fault(ErrorCode.VOLUME_DUPLICATE_NAME, "unique-name", message, index, "name")
        path = volume.mount_path.rstrip("/")
        if paths.setdefault(path, index) != index:
            message = f"Volume {paths[path]} is mounted at the same path."
            code = ErrorCode.VOLUME_INVALID_MOUNT_PATH
            yield _fault(code, "unique-mount-path", message, index, "mountPath")


def _flag_faults(volumes: Sequence[Volume]) -> Iterator[FieldError]:
    """The same claim at several paths is fine when both flags agree everywhere (VOL-15)."""
    first: dict[str, ClaimSource] = {}
    for index, volume in enumerate(volumes):
        claim = volume.claim
        if claim is None:
            continue
        other = first.setdefault(claim.claim_name, claim)
        flags = {
            "createIfNotExists": other.create_if_not_exists == claim.create_if_not_exists,
            "deleteOnSandboxTermination": (
                other.delete_on_sandbox_termination == claim.delete_on_sandbox_termination
            ),
        }
        for flag, same in flags.items():
            if not same:
                message = f"Claim {claim.claim_name} appears before with another {flag}."
                yield _fault(ErrorCode.VOLUME_CONFLICTING_FLAGS, "same-flags", message, index, "pvc", flag)
