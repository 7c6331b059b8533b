"""The volumes of a create request."""

from __future__ import annotations

from sandkit_server._generated import models
from sandkit_server.core.model import ClaimSource, HostSource, OssfsSource, Volume
from sandkit_server.http.wire.absence import given

__all__ = ["read_volume"]


def read_volume(wire: models.Volume) -> Volume:
    """One mount as the core checks it; how many sources it names is for the core to judge."""
    host = given(wire.host)
    claim = given(wire.pvc)
    bucket = given(wire.ossfs)
    return Volume(
        name=wire.name,
        mount_path=wire.mount_path,
        read_only=wire.read_only,
        sub_path=given(wire.sub_path),
        host=None if host is None else HostSource(path=host.path),
        claim=None if claim is None else _read_claim(claim),
        ossfs=None if bucket is None else _read_bucket(bucket),
    )


def _read_claim(wire: models.PvcVolume) -> ClaimSource:
    modes = given(wire.access_modes)
    return ClaimSource(
        claim_name=wire.claim_name,
        create_if_not_exists=wire.create_if_not_exists,
        delete_on_sandbox_termination=wire.delete_on_sandbox_termination,
        storage_class=given(wire.storage_class),
        storage=given(wire.storage),
        access_modes=None if modes is None else tuple(modes),
    )


def _read_bucket(wire: models.OssfsVolume) -> OssfsSource:
    options = given(wire.options)
    return OssfsSource(
        bucket=wire.bucket,
        endpoint=wire.endpoint,
        version=wire.version,
        options=None if options is None else tuple(options),
        access_key_id=given(wire.access_key_id),
        access_key_secret=given(wire.access_key_secret),
    )
