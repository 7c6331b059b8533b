"""Every rule of a create request: what keeps it passes, what breaks it is named by pointer, rule and code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandkit_server.core import validation
from sandkit_server.core.errors import ErrorCode, SandkitError, invalid_request
from sandkit_server.core.model import (
    ClaimSource,
    CreatePool,
    CreateSandbox,
    HostSource,
    ImageSource,
    NetworkPolicy,
    NetworkRule,
    OssfsSource,
    Platform,
    PoolCapacity,
    PoolContainer,
    PoolTemplate,
    RegistryAuth,
    Volume,
)
from sandkit_server.core.policy import Policy

BACKENDS = frozenset({"pvc", "host", "ossfs"})
POLICY = Policy(host_path_prefixes=("/data", "/srv/shared"), max_timeout=86_400)
GOOD = CreateSandbox(
    image=ImageSource(uri="python:3.12-slim"), entrypoint=("sleep", "60"), resource_limits={"cpu": "500m"}
)
POOLED = CreateSandbox(extensions={"poolRef": "warm"})
CLAIM = ClaimSource(claim_name="data")
OSSFS = OssfsSource(bucket="my-bucket", endpoint="oss.example.com")


def faults(request: CreateSandbox, backends: frozenset[str] = BACKENDS) -> list[tuple[str, str, ErrorCode]]:
    return [(f.pointer, f.rule, f.code) for f in validation.create_faults(request, POLICY, backends)]


def _volume(**changes: Any) -> Volume:
    source = {} if {"host", "claim", "ossfs"} & changes.keys() else {"claim": CLAIM}
    return replace(Volume(name="v", mount_path="/v"), **{**source, **changes})


@pytest.mark.parametrize(
    "request_",
    [
        GOOD,
        POOLED,
        replace(POOLED, image=GOOD.image, entrypoint=GOOD.entrypoint, resource_limits=GOOD.resource_limits),
        CreateSandbox(snapshot_id="snap-1", resource_limits={"cpu": "1"}),
        replace(GOOD, timeout_seconds=60),
        replace(GOOD, timeout_seconds=86_400),
        replace(GOOD, env={"A": "1", "B": None}),
        replace(GOOD, resource_limits={"cpu": "0.5", "memory": "1e9", "nvidia.com/gpu": "1", "x": "512Mi"}),
        replace(GOOD, resource_limits={"cpu": "1"}, resource_requests={"cpu": "1000m", "memory": "1Gi"}),
        replace(GOOD, metadata={"team": "search", "example.com/tier": "", "a" * 63: "b" * 63}),
        replace(GOOD, extensions={"access.renew.extend.seconds": "300", "anything": "é\n"}),
        replace(GOOD, platform=Platform(os="linux", arch="arm64")),
        replace(GOOD, network_policy=NetworkPolicy(default_action="deny")),
        replace(
            GOOD,
            network_policy=NetworkPolicy(
                egress=tuple(
                    NetworkRule(action="allow", target=target)
                    for target in ("example.com", "*.example.com", "10.0.0.0/8", "10.1.2.3", "fd00::/8")
                )
            ),
        ),
        replace(GOOD, volumes=(_volume(sub_path="a/b"), _volume(name="w", mount_path="/w"))),
        replace(GOOD, volumes=(_volume(mount_path="/v/"), _volume(name="w", mount_path="/v/w"))),
        replace(GOOD, volumes=(_volume(host=HostSource(path="/data")),)),
        replace(GOOD, volumes=(_volume(host=HostSource(path="/srv/shared/x")),)),
        replace(GOOD, volumes=(_volume(ossfs=OSSFS),)),
        replace(GOOD, volumes=(_volume(ossfs=replace(OSSFS, access_key_id="a", access_key_secret="b")),)),
        replace(GOOD, volumes=(_volume(claim=replace(CLAIM, storage="1.5Gi")),)),
        replace(GOOD, volumes=(_volume(claim=replace(CLAIM, access_modes=("ReadWriteMany",))),)),
    ],
)
def test_good_requests(request_: CreateSandbox) -> None:
    assert faults(request_) == []


GENERAL = ErrorCode.REQUEST_INVALID_PARAMETER
LABEL = ErrorCode.SANDBOX_INVALID_METADATA_LABEL


@pytest.mark.parametrize(
    ("changes", "pointer", "rule", "code"),
    [
        ({"image": None}, "", "exactly-one-source", GENERAL),
        ({"snapshot_id": "snap-1"}, "", "exactly-one-source", GENERAL),
        ({"image": ImageSource(uri="a b")}, "/image/uri", "image-reference", GENERAL),
        ({"image": ImageSource(uri="")}, "/image/uri", "image-reference", GENERAL),
        ({"entrypoint": None}, "/entrypoint", "required-with-image", GENERAL),
        ({"entrypoint": ()}, "/entrypoint", "not-empty", GENERAL),
        ({"entrypoint": ("",)}, "/entrypoint", "not-empty", GENERAL),
        ({"entrypoint": ("a", "b\0")}, "/entrypoint/1", "no-nul", GENERAL),
        ({"timeout_seconds": 59}, "/timeout", "minimum", GENERAL),
        ({"timeout_seconds": -1}, "/timeout", "minimum", GENERAL),
        ({"timeout_seconds": 86_401}, "/timeout", "maximum", GENERAL),
        ({"resource_limits": None}, "/resourceLimits", "required-outside-pool", GENERAL),
        ({"resource_limits": {}}, "/resourceLimits", "required-outside-pool", GENERAL),
        ({"resource_limits": {"cpu": "much"}}, "/resourceLimits/cpu", "quantity", GENERAL),
        ({"resource_limits": {"cpu": "1 "}}, "/resourceLimits/cpu", "quantity", GENERAL),
        ({"resource_limits": {"cpu": "0"}}, "/resourceLimits/cpu", "positive", GENERAL),
        ({"resource_limits": {"cpu": "-1"}}, "/resourceLimits/cpu", "positive", GENERAL),
        ({"resource_limits": {"a b": "1"}}, "/resourceLimits/a b", "resource-name", GENERAL),
        ({"resource_requests": {"cpu": "1"}}, "/resourceRequests/cpu", "within-limit", GENERAL),
        ({"env": {"A=B": "1"}}, "/env/A=B", "variable-name", GENERAL),
        ({"env": {"": "1"}}, "/env/", "variable-name", GENERAL),
        ({"env": {"A/B": "\0"}}, "/env/A~1B", "no-nul", GENERAL),
        ({"metadata": {"opensandbox.io/id": "x"}}, "/metadata/opensandbox.io~1id", "reserved-prefix", LABEL),
        ({"metadata": {"-a": "x"}}, "/metadata/-a", "label-key", LABEL),
        ({"metadata": {"a" * 64: "x"}}, "/metadata/" + "a" * 64, "label-key", LABEL),
        ({"metadata": {"Ex_ample/a": "x"}}, "/metadata/Ex_ample~1a", "label-key", LABEL),
        ({"metadata": {"a": "x" * 64}}, "/metadata/a", "label-value", LABEL),
        ({"metadata": {"a": "with space"}}, "/metadata/a", "label-value", LABEL),
        ({"metadata": {"a": "trailing\n"}}, "/metadata/a", "label-value", LABEL),
        ({"extensions": {"poolRef": "Warm"}}, "/extensions/poolRef", "dns-label", GENERAL),
        ({"platform": Platform(os="beos", arch="amd64")}, "/platform/os", "known-value", GENERAL),
        ({"platform": Platform(os="linux", arch="mips")}, "/platform/arch", "known-value", GENERAL),
        (
            {"network_policy": NetworkPolicy(default_action="maybe")},
            "/networkPolicy/defaultAction",
            "known-value",
            GENERAL,
        ),
        (
            {"network_policy": NetworkPolicy(egress=(NetworkRule(action="block", target="a.b"),))},
            "/networkPolicy/egress/0/action",
            "known-value",
            GENERAL,
        ),
        (
            {"network_policy": NetworkPolicy(egress=(NetworkRule(action="deny", target="a b"),))},
            "/networkPolicy/egress/0/target",
            "network-target",
            GENERAL,
        ),
    ],
)
def test_each_broken_rule_alone(changes: dict[str, Any], pointer: str, rule: str, code: ErrorCode) -> None:
    assert faults(replace(GOOD, **changes)) == [(pointer, rule, code)]


@pytest.mark.parametrize("seconds", ["299", "86401", "5m", "", "300.0", " 300", "٣٠٠"])
def test_the_renewal_extension_has_bounds(seconds: str) -> None:
    request = replace(GOOD, extensions={"access.renew.extend.seconds": seconds})
    assert [fault[1] for fault in faults(request)] == ["bounds"]


@pytest.mark.parametrize(
    ("changes", "pointer", "rule", "code"),
    [
        ({"name": "V"}, "name", "dns-label", ErrorCode.VOLUME_INVALID_NAME),
        ({"name": "v" * 64}, "name", "dns-label", ErrorCode.VOLUME_INVALID_NAME),
        ({"name": "v\n"}, "name", "dns-label", ErrorCode.VOLUME_INVALID_NAME),
        ({"mount_path": "v"}, "mountPath", "absolute-path", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"mount_path": "/a/../b"}, "mountPath", "absolute-path", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"mount_path": "/a//b"}, "mountPath", "absolute-path", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"mount_path": "/a\0"}, "mountPath", "absolute-path", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"mount_path": "/"}, "mountPath", "not-root", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"mount_path": "/a:b"}, "mountPath", "no-colon", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
        ({"sub_path": "/a"}, "subPath", "relative-path", ErrorCode.VOLUME_INVALID_SUB_PATH),
        ({"sub_path": "a/../../b"}, "subPath", "relative-path", ErrorCode.VOLUME_INVALID_SUB_PATH),
        ({"sub_path": "a\\..\\b"}, "subPath", "relative-path", ErrorCode.VOLUME_INVALID_SUB_PATH),
        ({"sub_path": "C:\\a"}, "subPath", "relative-path", ErrorCode.VOLUME_INVALID_SUB_PATH),
        (
            {"claim": replace(CLAIM, claim_name="Data")},
            "pvc/claimName",
            "dns-label",
            ErrorCode.VOLUME_INVALID_PVC_NAME,
        ),
        (
            {"claim": replace(CLAIM, claim_name="d" * 254)},
            "pvc/claimName",
            "dns-label",
            ErrorCode.VOLUME_INVALID_PVC_NAME,
        ),
        (
            {"claim": replace(CLAIM, storage="1GB")},
            "pvc/storage",
            "quantity",
            ErrorCode.VOLUME_INVALID_STORAGE,
        ),
        (
            {"claim": replace(CLAIM, storage="0Gi")},
            "pvc/storage",
            "quantity",
            ErrorCode.VOLUME_INVALID_STORAGE,
        ),
        (
            {"claim": replace(CLAIM, access_modes=())},
            "pvc/accessModes",
            "not-empty",
            ErrorCode.VOLUME_INVALID_STORAGE,
        ),
        (
            {"claim": replace(CLAIM, access_modes=("ReadWriteOnce", "Any"))},
            "pvc/accessModes/1",
            "known-value",
            ErrorCode.VOLUME_INVALID_STORAGE,
        ),
        (
            {"host": HostSource(path="data")},
            "host/path",
            "absolute-path",
            ErrorCode.VOLUME_INVALID_HOST_PATH,
        ),
        (
            {"host": HostSource(path="/data/../etc")},
            "host/path",
            "absolute-path",
            ErrorCode.VOLUME_INVALID_HOST_PATH,
        ),
        (
            {"host": HostSource(path="/database")},
            "host/path",
            "allowed-prefix",
            ErrorCode.VOLUME_HOST_PATH_NOT_ALLOWED,
        ),
        (
            {"host": HostSource(path="/")},
            "host/path",
            "allowed-prefix",
            ErrorCode.VOLUME_HOST_PATH_NOT_ALLOWED,
        ),
        (
            {"ossfs": replace(OSSFS, bucket="My_Bucket")},
            "ossfs/bucket",
            "bucket-name",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
        (
            {"ossfs": replace(OSSFS, endpoint="")},
            "ossfs/endpoint",
            "not-empty",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
        (
            {"ossfs": replace(OSSFS, version="3.0")},
            "ossfs/version",
            "known-value",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
        (
            {"ossfs": replace(OSSFS, options=("ro", "a b"))},
            "ossfs/options/1",
            "option",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
        (
            {"ossfs": replace(OSSFS, access_key_id="a")},
            "ossfs/accessKeySecret",
            "required-together",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
        (
            {"ossfs": replace(OSSFS, access_key_secret="a")},
            "ossfs/accessKeyId",
            "required-together",
            ErrorCode.VOLUME_INVALID_OSSFS,
        ),
    ],
)
def test_each_broken_volume_rule_alone(
    changes: dict[str, Any], pointer: str, rule: str, code: ErrorCode
) -> None:
    assert faults(replace(GOOD, volumes=(_volume(**changes),))) == [(f"/volumes/0/{pointer}", rule, code)]


def test_exactly_one_backend() -> None:
    none = Volume(name="v", mount_path="/v")
    two = _volume(claim=CLAIM, host=HostSource(path="/data"))
    expected = [("/volumes/0", "exactly-one-backend", ErrorCode.VOLUME_INVALID_BACKEND)]
    assert faults(replace(GOOD, volumes=(none,))) == faults(replace(GOOD, volumes=(two,))) == expected


def test_a_backend_the_runtime_lacks() -> None:
    request = replace(GOOD, volumes=(_volume(ossfs=OSSFS),))
    expected = [("/volumes/0/ossfs", "supported-backend", ErrorCode.VOLUME_UNSUPPORTED_BACKEND)]
    assert faults(request, frozenset({"pvc"})) == expected


def test_names_and_mount_paths_are_unique() -> None:
    second = _volume(mount_path="/v/", claim=replace(CLAIM, claim_name="other"))
    assert faults(replace(GOOD, volumes=(_volume(), second))) == [
        ("/volumes/1/name", "unique-name", ErrorCode.VOLUME_DUPLICATE_NAME),
        ("/volumes/1/mountPath", "unique-mount-path", ErrorCode.VOLUME_INVALID_MOUNT_PATH),
    ]


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"create_if_not_exists": False}, "createIfNotExists"),
        ({"delete_on_sandbox_termination": True}, "deleteOnSandboxTermination"),
    ],
)
def test_flags_of_one_claim_agree_everywhere(changes: dict[str, Any], flag: str) -> None:
    second = _volume(name="w", mount_path="/w", claim=replace(CLAIM, **changes))
    assert faults(replace(GOOD, volumes=(_volume(), second))) == [
        (f"/volumes/1/pvc/{flag}", "same-flags", ErrorCode.VOLUME_CONFLICTING_FLAGS)
    ]


def test_a_pool_takes_neither_snapshot_nor_volumes() -> None:
    request = replace(POOLED, snapshot_id="snap-1", volumes=(_volume(),))
    assert [(p, r) for p, r, _ in faults(request)] == [
        ("/snapshotId", "not-with-pool"),
        ("/volumes", "not-with-pool"),
    ]


def test_all_broken_rules_are_found_at_once() -> None:
    request = replace(GOOD, timeout_seconds=1, metadata={"a": "b c"}, volumes=(_volume(mount_path="v"),))
    found = validation.create_faults(request, POLICY, BACKENDS)
    assert [fault.pointer for fault in found] == ["/timeout", "/metadata/a", "/volumes/0/mountPath"]
    error = invalid_request(found)
    assert (error.code, error.status, len(error.details)) == (GENERAL, 400, 3)
    assert invalid_request(found[1:2]).code is LABEL


def test_a_patch_may_not_remove_what_is_reserved() -> None:
    found = validation.patch_faults({"opensandbox.io/id": None, "team": None, "tier": "a b"})
    assert [(f.pointer, f.rule) for f in found] == [
        ("/opensandbox.io~1id", "reserved-prefix"),
        ("/tier", "label-value"),
    ]


def test_pools() -> None:
    capacity = PoolCapacity(buffer_min=1, buffer_max=3, pool_min=1, pool_max=10)
    template = PoolTemplate(containers=(PoolContainer(image="python:3.12-slim"),))
    assert validation.pool_faults(CreatePool(name="warm", template=template, capacity=capacity)) == []
    bad = CreatePool(
        name="Warm",
        template=PoolTemplate(containers=(PoolContainer(image="a", resource_limits={"cpu": "x"}),)),
        capacity=replace(capacity, buffer_min=4, pool_min=-1),
    )
    assert [(f.pointer, f.rule) for f in validation.pool_faults(bad)] == [
        ("/name", "dns-label"),
        ("/capacitySpec/bufferMin", "range"),
        ("/capacitySpec/poolMin", "minimum"),
        ("/template/spec/containers/0/resources/limits/cpu", "quantity"),
    ]
    empty = CreatePool(name="warm", template=PoolTemplate(containers=()), capacity=capacity)
    assert [f.pointer for f in validation.pool_faults(empty)] == ["/template/spec/containers"]


def test_renewals_stay_within_the_operators_limit() -> None:
    now = datetime(2026, 11, 2, tzinfo=UTC)
    validation.check_renewal(now + timedelta(seconds=86_400), now, POLICY)
    validation.check_renewal(now + timedelta(days=9_999), now, Policy())
    with pytest.raises(SandkitError) as raised:
        validation.check_renewal(now + timedelta(seconds=86_401), now, POLICY)
    assert raised.value.code is ErrorCode.SANDBOX_INVALID_EXPIRATION


def test_secrets_do_not_show() -> None:
    request = replace(
        GOOD,
        image=ImageSource(uri="a", auth=RegistryAuth(username="u", password="s3cret")),
        env={"TOKEN": "s3cret"},
        volumes=(_volume(ossfs=replace(OSSFS, access_key_id="s3cret", access_key_secret="s3cret")),),
    )
    assert "s3cret" not in repr(request)


@given(st.text(), st.text(), st.dictionaries(st.text(), st.text(), max_size=3))
def test_no_text_makes_validation_crash(path: str, quantity: str, labels: dict[str, str]) -> None:
    volume = _volume(mount_path=path, sub_path=path, claim=replace(CLAIM, storage=quantity))
    request = replace(
        GOOD,
        metadata=labels,
        extensions=labels,
        env=dict(labels),
        resource_limits={path: quantity},
        network_policy=NetworkPolicy(egress=(NetworkRule(action="allow", target=path),)),
        volumes=(volume,),
    )
    for pointer, _, _ in faults(request):
        assert pointer == "" or pointer.startswith("/")
