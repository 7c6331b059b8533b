"""What a pod is made of, and what is refused because a pod cannot do it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sandkit_server.core.errors import StartError
from sandkit_server.core.model import (
    ClaimSource,
    HostSource,
    ImageSource,
    NetworkPolicy,
    NetworkRule,
    Platform,
    Volume,
)
from sandkit_server.core.port_errors import Invalid
from sandkit_server.core.ports import WorkloadSpec
from sandkit_server.runtimes.kubernetes import PodSettings, read_pod_template
from sandkit_server.runtimes.kubernetes.pod_template import check, over_defaults, pod_template

from .world import create_request

PLAIN = PodSettings()
DENYING = NetworkPolicy(egress=(NetworkRule(action="deny", target="a.test"),))


def _spec(env: dict[str, str] | None = None, image_ref: str | None = None, **request: Any) -> WorkloadSpec:
    wanted = create_request(**request)
    return WorkloadSpec(
        sandbox_id="sbx-1",
        request=wanted,
        entrypoint=wanted.entrypoint or (),
        request_digest="digest",
        env=env or {},
        image_ref=image_ref,
    )


def _pod(settings: PodSettings = PLAIN, pull_secret: str | None = None, **spec: Any) -> dict[str, Any]:
    made: dict[str, Any] = pod_template(_spec(**spec), settings, pull_secret)["spec"]
    return made


def test_a_plain_request_is_one_container_without_a_way_to_the_cluster() -> None:
    assert _pod(env={"A": "1"}) == {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "containers": [
            {
                "name": "sandbox",
                "image": "busybox:1.36",
                "command": ["sleep", "3600"],
                "env": [{"name": "A", "value": "1"}],
                "resources": {"limits": {"cpu": "100m", "memory": "64Mi"}},
            }
        ],
    }


def test_volumes_are_mounted_as_asked_for() -> None:
    claim = Volume(
        name="data", mount_path="/data", read_only=True, sub_path="a/b", claim=ClaimSource(claim_name="disk")
    )
    host = Volume(name="logs", mount_path="/logs", host=HostSource(path="/srv/logs"))
    pod = _pod(volumes=(claim, host))
    assert pod["volumes"] == [
        {"name": "data", "persistentVolumeClaim": {"claimName": "disk"}},
        {"name": "logs", "hostPath": {"path": "/srv/logs"}},
    ]
    assert pod["containers"][0]["volumeMounts"] == [
        {"name": "data", "mountPath": "/data", "readOnly": True, "subPath": "a/b"},
        {"name": "logs", "mountPath": "/logs"},
    ]


def test_the_platform_selects_the_node() -> None:
    selector = _pod(platform=Platform(os="linux", arch="arm64"))["nodeSelector"]
    assert selector == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "arm64"}


def test_requests_and_limits_are_kept_apart() -> None:
    (container,) = _pod(resource_limits={"cpu": "2"}, resource_requests={"cpu": "500m"})["containers"]
    assert container["resources"] == {"limits": {"cpu": "2"}, "requests": {"cpu": "500m"}}


def test_what_images_are_pulled_with() -> None:
    settings = PodSettings(image_pull_policy="Never", snapshot_pull_secret="registry-pull")
    plain = _pod(settings, pull_secret="sbx-1-pull")
    assert plain["containers"][0]["imagePullPolicy"] == "Never"
    assert plain["imagePullSecrets"] == [{"name": "sbx-1-pull"}]
    snapshot = _pod(settings, image_ref="registry/x@sha256:1", image=None, snapshot_id="snap-1")
    assert snapshot["containers"][0]["image"] == "registry/x@sha256:1"
    assert snapshot["imagePullSecrets"] == [{"name": "registry-pull"}]


OPERATORS: dict[str, Any] = {
    "metadata": {"annotations": {"team": "platform"}},
    "spec": {
        "nodeSelector": {"pool": "sandboxes"},
        "tolerations": [{"key": "sandbox", "operator": "Exists"}],
        "runtimeClassName": "gvisor",
        "automountServiceAccountToken": True,
        "imagePullSecrets": [{"name": "mirror"}],
        "volumes": [{"name": "certificates", "secret": {"secretName": "ca"}}],
        "containers": [
            {
                "name": "sandbox",
                "securityContext": {"runAsNonRoot": True},
                "env": [{"name": "A", "value": "0"}, {"name": "B", "value": "0"}],
                "volumeMounts": [{"name": "certificates", "mountPath": "/etc/ssl"}],
            },
            {"name": "sidecar", "image": "sidecar:1"},
        ],
    },
}


def test_the_operators_template_lies_under_each_pod() -> None:
    template = pod_template(
        _spec(env={"A": "1"}, platform=Platform(os="linux", arch="amd64"), volumes=(_volume(),)),
        PodSettings(template=OPERATORS),
        "sbx-1-pull",
    )
    pod = template["spec"]
    assert template["metadata"] == {"annotations": {"team": "platform"}}
    assert (pod["runtimeClassName"], pod["automountServiceAccountToken"]) == ("gvisor", True)
    assert pod["tolerations"] == OPERATORS["spec"]["tolerations"]
    assert pod["nodeSelector"] == {
        "pool": "sandboxes",
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
    }
    assert [each["name"] for each in pod["imagePullSecrets"]] == ["sbx-1-pull", "mirror"]
    assert [each["name"] for each in pod["volumes"]] == ["data", "certificates"]
    sandbox, sidecar = pod["containers"]
    assert sidecar == {"name": "sidecar", "image": "sidecar:1"}
    assert sandbox["securityContext"] == {"runAsNonRoot": True}
    assert sandbox["env"] == [{"name": "A", "value": "1"}, {"name": "B", "value": "0"}]
    assert [each["mountPath"] for each in sandbox["volumeMounts"]] == ["/data", "/etc/ssl"]


def test_the_operators_sandbox_container_lies_under_the_first_of_a_pool() -> None:
    given = {"spec": {"containers": [{"name": "main", "image": "a"}, {"name": "helper", "image": "b"}]}}
    containers = over_defaults(given, PodSettings(template=OPERATORS))["spec"]["containers"]
    assert [each["name"] for each in containers] == ["main", "helper", "sidecar"]
    assert containers[0]["securityContext"] == {"runAsNonRoot": True}


def _volume(name: str = "data", path: str = "/data") -> Volume:
    return Volume(name=name, mount_path=path, claim=ClaimSource(claim_name="disk"))


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"network_policy": NetworkPolicy(default_action="deny")}, "networkPolicy"),
        (
            {"network_policy": DENYING},
            "networkPolicy",
        ),
        ({"credential_proxy": True}, "credentialProxy"),
        ({"resource_limits": {"gpu": "1"}}, "gpu"),
        ({"resource_requests": {"disk": "1"}}, "disk"),
        ({"env": {"Ä": "1"}}, "variable name"),
        ({"volumes": (_volume("certificates"),)}, "taken by the operator"),
        ({"volumes": (_volume("data", "/etc/ssl/"),)}, "mounts something at"),
        ({"extensions": {"poolRef": "warm"}, "env": {"A": "1"}}, "leave env out"),
        (
            {"extensions": {"poolRef": "warm"}, "platform": Platform(os="linux", arch="arm64")},
            "leave platform out",
        ),
    ],
)
def test_what_a_pod_cannot_do_is_refused(request_: dict[str, Any], told: str) -> None:
    env = request_.pop("env", None)
    with pytest.raises(Invalid, match=told):
        check(_spec(env=env, **request_), PodSettings(template=OPERATORS))


@pytest.mark.parametrize(
    "request_",
    [
        {"network_policy": NetworkPolicy(default_action="allow")},
        {"network_policy": NetworkPolicy(egress=(NetworkRule(action="allow", target="a.test"),))},
        {
            "resource_limits": {
                "cpu": "1",
                "hugepages-2Mi": "4Mi",
                "nvidia.com/gpu": "1",
                "ephemeral-storage": "1Gi",
            }
        },
        {"extensions": {"poolRef": "warm"}, "image": ImageSource(uri="x"), "entrypoint": ("x",)},
        {"volumes": (_volume(),)},
    ],
)
def test_what_needs_no_enforcing_is_taken(request_: dict[str, Any]) -> None:
    check(_spec(**request_), PodSettings(template=OPERATORS))


# --- the operator's file ---


@pytest.mark.parametrize(
    "text",
    [
        "spec: {runtimeClassName: gvisor}",
        '{"spec": {"runtimeClassName": "gvisor"}}',
        "kind: PodTemplate\nmetadata: {name: x}\ntemplate: {spec: {runtimeClassName: gvisor}}",
        "metadata: {name: mine, labels: {}}\nspec: {runtimeClassName: gvisor}",
    ],
)
def test_a_template_is_read_in_each_form(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(text)
    assert read_pod_template(path) == {"spec": {"runtimeClassName": "gvisor"}}


@pytest.mark.parametrize(
    "text",
    ["- a\n- b", "{", "spec: [1]", "spec: {containers: [{image: x}]}", "spec: {volumes: {a: b}}", "sepc: {}"],
)
def test_a_file_that_is_no_template_is_refused_by_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "pod.yaml"
    path.write_text(text)
    with pytest.raises(StartError, match=r"pod\.yaml"):
        read_pod_template(path)
