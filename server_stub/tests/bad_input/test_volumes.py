"""Volumes that break a rule; VOL-* and API-* of the requirements."""

from __future__ import annotations

import dataclasses

import pytest

from .case import ABSENT, Case, create, volume
from .census import World
from .check import check_refusal

CASES = [
    volume("no name", "VOLUME::INVALID_NAME", ("/name", "required"), name=ABSENT),
    volume("an upper-case name", "VOLUME::INVALID_NAME", ("/name", "pattern"), name="Data"),
    volume("a name with a newline at its end", "VOLUME::INVALID_NAME", ("/name", "pattern"), name="data\n"),
    volume("a name of 64 characters", "VOLUME::INVALID_NAME", ("/name", "maxLength"), name="a" * 64),
    volume("an empty name", "VOLUME::INVALID_NAME", ("/name", "pattern"), name=""),
    volume("a name as a number", "VOLUME::INVALID_NAME", ("/name", "type"), name=7),
    volume(
        "a relative mount path", "VOLUME::INVALID_MOUNT_PATH", ("/mountPath", "pattern"), mountPath="data"
    ),
    volume(
        "a mount path with dots",
        "VOLUME::INVALID_MOUNT_PATH",
        ("/mountPath", "absolute-path"),
        mountPath="/a/../b",
    ),
    volume("the root as mount path", "VOLUME::INVALID_MOUNT_PATH", ("/mountPath", "not-root"), mountPath="/"),
    volume("no mount path", "VOLUME::INVALID_MOUNT_PATH", ("/mountPath", "required"), mountPath=ABSENT),
    volume(
        "a sub-path that leaves the volume",
        "VOLUME::INVALID_SUB_PATH",
        ("/subPath", "relative-path"),
        subPath="../x",
    ),
    volume("an absolute sub-path", "VOLUME::INVALID_SUB_PATH", ("/subPath", "relative-path"), subPath="/x"),
    volume("no backend", "VOLUME::INVALID_BACKEND", ("", "exactly-one-backend"), pvc=ABSENT),
    volume(
        "two backends", "VOLUME::INVALID_BACKEND", ("", "exactly-one-backend"), host={"path": "/srv/shared/a"}
    ),
    volume("a backend as text", "REQUEST::INVALID_PARAMETER", ("/pvc", "type"), pvc="fresh"),
    volume("a backend null", "REQUEST::INVALID_PARAMETER", ("/pvc", "type"), pvc=None),
    volume("a claim without a name", "VOLUME::INVALID_PVC_NAME", ("/pvc/claimName", "required"), pvc={}),
    volume(
        "an upper-case claim name",
        "VOLUME::INVALID_PVC_NAME",
        ("/pvc/claimName", "pattern"),
        pvc={"claimName": "A"},
    ),
    volume(
        "a claim name of 254 characters",
        "VOLUME::INVALID_PVC_NAME",
        ("/pvc/claimName", "maxLength"),
        pvc={"claimName": "a" * 254},
    ),
    volume(
        "a size that is none",
        "VOLUME::INVALID_STORAGE",
        ("/pvc/storage", "pattern"),
        pvc={"claimName": "fresh", "storage": "big"},
    ),
    volume(
        "a size in Arabic digits",
        "VOLUME::INVALID_STORAGE",
        ("/pvc/storage", "pattern"),
        pvc={"claimName": "fresh", "storage": "\u0661Gi"},
    ),
    volume(
        "a size of nothing",
        "VOLUME::INVALID_STORAGE",
        ("/pvc/storage", "quantity"),
        pvc={"claimName": "fresh", "storage": "0Gi"},
    ),
    volume(
        "no access modes",
        "VOLUME::INVALID_STORAGE",
        ("/pvc/accessModes", "not-empty"),
        pvc={"claimName": "fresh", "accessModes": []},
    ),
    volume(
        "an unknown access mode",
        "VOLUME::INVALID_STORAGE",
        ("/pvc/accessModes/1", "known-value"),
        pvc={"claimName": "fresh", "accessModes": ["ReadWriteOnce", "WriteSometimes"]},
    ),
    volume(
        "a flag of a claim as text",
        "REQUEST::INVALID_PARAMETER",
        ("/pvc/createIfNotExists", "type"),
        pvc={"claimName": "fresh", "createIfNotExists": "no"},
    ),
    volume(
        "a flag of a claim null",
        "REQUEST::INVALID_PARAMETER",
        ("/pvc/deleteOnSandboxTermination", "type"),
        pvc={"claimName": "fresh", "deleteOnSandboxTermination": None},
    ),
    volume(
        "a missing claim that is not to be made",
        "VOLUME::PVC_NOT_FOUND",
        pvc={"claimName": "none", "createIfNotExists": False},
    ),
    volume(
        "a relative host path",
        "VOLUME::INVALID_HOST_PATH",
        ("/host/path", "pattern"),
        pvc=ABSENT,
        host={"path": "srv"},
    ),
    volume(
        "a host path with dots",
        "VOLUME::INVALID_HOST_PATH",
        ("/host/path", "absolute-path"),
        pvc=ABSENT,
        host={"path": "/srv/shared/../etc"},
    ),
    volume(
        "a host path outside",
        "VOLUME::HOST_PATH_NOT_ALLOWED",
        ("/host/path", "allowed-prefix"),
        pvc=ABSENT,
        host={"path": "/srv/sharedelsewhere"},
    ),
    volume(
        "a bucket name too short",
        "VOLUME::INVALID_OSSFS",
        ("/ossfs/bucket", "minLength"),
        pvc=ABSENT,
        ossfs={"bucket": "b", "endpoint": "e"},
    ),
    volume(
        "half the bucket's credentials",
        "VOLUME::INVALID_OSSFS",
        ("/ossfs/accessKeySecret", "required-together"),
        pvc=ABSENT,
        ossfs={"bucket": "bucket", "endpoint": "e", "accessKeyId": "k"},
    ),
    volume(
        "an unknown version of the mount program",
        "VOLUME::INVALID_OSSFS",
        ("/ossfs/version", "known-value"),
        pvc=ABSENT,
        ossfs={"bucket": "bucket", "endpoint": "e", "version": "9"},
    ),
    create("volumes as an object", "REQUEST::INVALID_PARAMETER", ("/volumes", "type"), volumes={}),
    create(
        "two volumes of one name",
        "VOLUME::DUPLICATE_NAME",
        ("/volumes/1/name", "unique-name"),
        volumes=[
            {"name": "a", "mountPath": "/a", "pvc": {"claimName": "fresh"}},
            {"name": "a", "mountPath": "/b", "pvc": {"claimName": "fresh"}},
        ],
    ),
    create(
        "two volumes at one path",
        "VOLUME::INVALID_MOUNT_PATH",
        ("/volumes/1/mountPath", "unique-mount-path"),
        volumes=[
            {"name": "a", "mountPath": "/a", "pvc": {"claimName": "fresh"}},
            {"name": "b", "mountPath": "/a/", "pvc": {"claimName": "fresh"}},
        ],
    ),
    create(
        "one claim with two meanings",
        "VOLUME::CONFLICTING_FLAGS",
        ("/volumes/1/pvc/deleteOnSandboxTermination", "same-flags"),
        volumes=[
            {"name": "a", "mountPath": "/a", "pvc": {"claimName": "fresh"}},
            {
                "name": "b",
                "mountPath": "/b",
                "pvc": {"claimName": "fresh", "deleteOnSandboxTermination": True},
            },
        ],
    ),
    create(
        "two codes at once",
        "REQUEST::INVALID_PARAMETER",
        ("/volumes/0/name", "pattern"),
        ("/volumes/0/pvc/claimName", "pattern"),
        volumes=[{"name": "A", "mountPath": "/a", "pvc": {"claimName": "B"}}],
    ),
    dataclasses.replace(
        volume("a claim of another sandbox", "VOLUME::PVC_MANAGED_BY_ANOTHER", pvc={"claimName": "taken"}),
        status=409,
    ),
    dataclasses.replace(
        volume(
            "a claim of another sandbox, not to be made",
            "VOLUME::PVC_MANAGED_BY_ANOTHER",
            pvc={"claimName": "taken", "createIfNotExists": False},
        ),
        status=409,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_volume_that_breaks_a_rule_is_refused_and_leaves_nothing(world: World, case: Case) -> None:
    check_refusal(world, case)
