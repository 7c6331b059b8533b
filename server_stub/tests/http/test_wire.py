"""What of a request reaches the core, and as what."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from sandkit_server._generated import models
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import (
    ClaimSource,
    CreateSandbox,
    HostSource,
    ImageSource,
    NetworkPolicy,
    NetworkRule,
    OssfsSource,
    Platform,
    PoolCapacity,
    RegistryAuth,
    SandboxFilter,
    Volume,
)
from sandkit_server.http.query import decode_query
from sandkit_server.http.wire.create_request import read_create_request
from sandkit_server.http.wire.pools import read_create_pool
from sandkit_server.http.wire.sandboxes import read_sandbox_filter


def _read(**body: Any) -> CreateSandbox:
    return read_create_request(msgspec.convert(body, models.CreateSandboxRequest))


def test_every_field_of_a_create_request_arrives() -> None:
    assert _read(
        image={"uri": "a", "auth": {"username": "u", "password": "p"}},
        snapshotId="snap-1",
        entrypoint=["x", "y"],
        timeout=60,
        resourceLimits={"cpu": "1"},
        resourceRequests={"cpu": "500m"},
        env={"A": "b", "C": None},
        metadata={"team": "search"},
        extensions={"poolRef": "warm"},
        platform={"os": "linux", "arch": "arm64"},
        secureAccess=True,
        networkPolicy={"defaultAction": "deny", "egress": [{"action": "allow", "target": "*.example.com"}]},
        credentialProxy={"enabled": True},
        volumes=[
            {"name": "h", "mountPath": "/h", "readOnly": True, "subPath": "s", "host": {"path": "/srv"}},
            {
                "name": "c",
                "mountPath": "/c",
                "pvc": {
                    "claimName": "claim",
                    "createIfNotExists": False,
                    "deleteOnSandboxTermination": True,
                    "storageClass": "fast",
                    "storage": "1Gi",
                    "accessModes": ["ReadWriteOnce"],
                },
            },
            {
                "name": "o",
                "mountPath": "/o",
                "ossfs": {
                    "bucket": "bucket",
                    "endpoint": "e",
                    "version": "1.0",
                    "options": ["ro"],
                    "accessKeyId": "i",
                    "accessKeySecret": "s",
                },
            },
        ],
    ) == CreateSandbox(
        image=ImageSource(uri="a", auth=RegistryAuth(username="u", password="p")),
        snapshot_id="snap-1",
        entrypoint=("x", "y"),
        timeout_seconds=60,
        resource_limits={"cpu": "1"},
        resource_requests={"cpu": "500m"},
        env={"A": "b", "C": None},
        metadata={"team": "search"},
        extensions={"poolRef": "warm"},
        platform=Platform(os="linux", arch="arm64"),
        secure_access=True,
        network_policy=NetworkPolicy(
            default_action="deny", egress=(NetworkRule(action="allow", target="*.example.com"),)
        ),
        credential_proxy=True,
        volumes=(
            Volume(name="h", mount_path="/h", read_only=True, sub_path="s", host=HostSource(path="/srv")),
            Volume(
                name="c",
                mount_path="/c",
                claim=ClaimSource(
                    claim_name="claim",
                    create_if_not_exists=False,
                    delete_on_sandbox_termination=True,
                    storage_class="fast",
                    storage="1Gi",
                    access_modes=("ReadWriteOnce",),
                ),
            ),
            Volume(
                name="o",
                mount_path="/o",
                ossfs=OssfsSource(
                    bucket="bucket",
                    endpoint="e",
                    version="1.0",
                    options=("ro",),
                    access_key_id="i",
                    access_key_secret="s",
                ),
            ),
        ),
    )


def test_what_is_absent_or_null_is_nothing() -> None:
    claim = {"claimName": "claim", "storageClass": None, "storage": None, "accessModes": None}
    volume = {"name": "c", "mountPath": "/c", "subPath": None, "pvc": claim}
    assert _read(timeout=None, volumes=[volume]) == CreateSandbox(
        volumes=(Volume(name="c", mount_path="/c", claim=ClaimSource(claim_name="claim")),)
    )
    assert _read() == CreateSandbox()


def test_a_request_shows_no_secret_when_it_is_printed() -> None:
    bucket = {"bucket": "bucket", "endpoint": "e", "accessKeyId": "hunter2", "accessKeySecret": "hunter2"}
    body: dict[str, Any] = {
        "image": {"uri": "a", "auth": {"username": "u", "password": "hunter2"}},
        "env": {"A": "hunter2"},
        "volumes": [{"name": "o", "mountPath": "/o", "ossfs": bucket}],
    }
    wire = msgspec.convert(body, models.CreateSandboxRequest)
    assert "hunter2" not in repr(wire)
    assert "hunter2" not in repr(read_create_request(wire))


def test_a_pool_arrives_whole() -> None:
    body = {
        "name": "warm",
        "template": {
            "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {
                "containers": [
                    {
                        "image": "i",
                        "name": "n",
                        "command": ["x"],
                        "args": ["y"],
                        "env": [{"name": "A", "value": "b"}, {"name": "C"}],
                        "resources": {"limits": {"cpu": "1"}, "requests": {"cpu": "500m"}},
                    },
                    {"image": "sidecar"},
                ]
            },
        },
        "capacitySpec": {"bufferMin": 1, "bufferMax": 2, "poolMin": 3, "poolMax": 4},
    }
    pool = read_create_pool(msgspec.convert(body, models.CreatePoolRequest))
    first, second = pool.template.containers
    assert (pool.name, pool.template.labels, pool.template.annotations) == ("warm", {"a": "b"}, {"c": "d"})
    assert pool.capacity == PoolCapacity(buffer_min=1, buffer_max=2, pool_min=3, pool_max=4)
    assert (first.image, first.name, first.command, first.args) == ("i", "n", ("x",), ("y",))
    assert first.env == {"A": "b", "C": ""}
    assert (first.resource_limits, first.resource_requests) == ({"cpu": "1"}, {"cpu": "500m"})
    assert (second.image, second.command, second.env) == ("sidecar", (), {})


@pytest.mark.parametrize(
    ("metadata", "selected"),
    [
        (None, {}),
        ("", {}),
        ("team=search", {"team": "search"}),
        ("team=search&tier=gold", {"team": "search", "tier": "gold"}),
        ("a%20b=c%26d", {"a b": "c&d"}),
        ("empty=", {"empty": ""}),
    ],
)
def test_a_metadata_filter_is_a_query_string_of_its_own(
    metadata: str | None, selected: dict[str, str]
) -> None:
    assert read_sandbox_filter(("Running",), metadata) == SandboxFilter(
        states=frozenset({"Running"}), metadata=selected
    )


@pytest.mark.parametrize(
    ("query", "pairs"),
    [
        (b"", []),
        (b"a=1&b=&c&a=2", [("a", "1"), ("b", ""), ("c", ""), ("a", "2")]),
        (b"a=%C3%A4+b%2B", [("a", "ä b+")]),
        (b"&&", []),
        (b"a=%zz", [("a", "%zz")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
    ],
)
def test_a_query_is_decoded_in_order(query: bytes, pairs: list[tuple[str, str]]) -> None:
    assert decode_query(query) == pairs


@pytest.mark.parametrize(("query", "pointers"), [(b"a=1&b=%ff", ["query:b"]), (b"a=\xff", ["query:a"])])
def test_a_query_that_is_not_utf_8_is_refused(query: bytes, pointers: list[str]) -> None:
    with pytest.raises(SandkitError) as refusal:
        decode_query(query)
    assert refusal.value.code is ErrorCode.REQUEST_INVALID_PARAMETER
    assert [detail.pointer for detail in refusal.value.details] == pointers
