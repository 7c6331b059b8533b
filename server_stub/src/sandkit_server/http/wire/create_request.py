"""The request to create a sandbox."""

from __future__ import annotations

from sandkit_server._generated import models
from sandkit_server.core.model import (
    CreateSandbox,
    ImageSource,
    NetworkPolicy,
    NetworkRule,
    Platform,
    RegistryAuth,
)
from sandkit_server.http.wire.absence import given
from sandkit_server.http.wire.volumes import read_volume

__all__ = ["read_create_request"]


def read_create_request(wire: models.CreateSandboxRequest) -> CreateSandbox:
    """The request in the core's terms; rules between fields are for the core to check."""
    entrypoint = given(wire.entrypoint)
    image = given(wire.image)
    platform = given(wire.platform)
    policy = given(wire.network_policy)
    proxy = given(wire.credential_proxy)
    return CreateSandbox(
        image=None if image is None else _read_image(image),
        snapshot_id=given(wire.snapshot_id),
        entrypoint=None if entrypoint is None else tuple(entrypoint),
        timeout_seconds=given(wire.timeout),
        resource_limits=given(wire.resource_limits),
        resource_requests=given(wire.resource_requests),
        env=given(wire.env) or {},
        metadata=given(wire.metadata) or {},
        extensions=given(wire.extensions) or {},
        platform=None if platform is None else Platform(os=platform.os, arch=platform.arch),
        secure_access=wire.secure_access,
        network_policy=None if policy is None else _read_policy(policy),
        credential_proxy=proxy is not None and proxy.enabled,
        volumes=tuple([read_volume(volume) for volume in given(wire.volumes) or ()]),
    )


def _read_image(wire: models.ImageSpec) -> ImageSource:
    auth = given(wire.auth)
    credentials = None if auth is None else RegistryAuth(username=auth.username, password=auth.password)
    return ImageSource(uri=wire.uri, auth=credentials)


def _read_policy(wire: models.NetworkPolicy) -> NetworkPolicy:
    return NetworkPolicy(
        default_action=given(wire.default_action),
        egress=tuple(
            [NetworkRule(action=rule.action, target=rule.target) for rule in given(wire.egress) or ()]
        ),
    )
