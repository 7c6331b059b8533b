"""What an operator installs: the API server takes all of it, and it grants no more than is used."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandkit_server.controller import settings as controller_settings
from sandkit_server.settings import Settings
from sandkit_server.settings import command_line as server_settings
from sandkit_server.testing.control_plane import chart
from sandkit_server.testing.control_plane.plane import ControlPlane
from sandkit_server.testing.control_plane.programs import Programs

LEAST: dict[str, Any] = {"server": {"apiKeySecret": {"name": "api-key"}}}
AGENT_SANDBOX = {**LEAST, "workloadProvider": "agent-sandbox"}
MOST: dict[str, Any] = {
    "nameOverride": "boxes",
    "image": {"repository": "registry.example/sandkit", "digest": f"sha256:{'0' * 64}"},
    "imagePullSecrets": [{"name": "pull"}],
    "sandboxes": {
        "podTemplate": {"spec": {"runtimeClassName": "gvisor", "nodeSelector": {"pool": "sandboxes"}}},
        "imagePullPolicy": "Always",
        "endpoints": "server",
        "claims": {"storage": "2Gi", "storageClass": "fast", "accessModes": ["ReadWriteMany"]},
    },
    "server": {
        "apiKeySecret": {"name": "api-key", "key": "key"},
        "replicas": 3,
        "maxLifetime": 2592000,
        "accessLog": True,
        "publicAddress": "sandboxes.example:443",
        "extraArgs": ["--ready-timeout=120"],
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    },
    "pause": {
        "registry": "registry.example:5000/paused",
        "insecureRegistries": ["registry.example:5000"],
        "pushSecret": "push",
        "pullSecret": "pull",
        "committerImage": "registry.example/committer:1",
    },
    "rbac": {"ownerReferencesPermissionEnforcement": True},
    "networkPolicy": {"ingressFrom": [{"namespaceSelector": {"matchLabels": {"app": "agents"}}}]},
}
CLUSTER_WIDE = {"CustomResourceDefinition"}


def containers(objects: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The only container of each deployment, by its name."""
    pods = [document["spec"]["template"]["spec"] for document in objects if document["kind"] == "Deployment"]
    return {pod["containers"][0]["name"]: pod["containers"][0] for pod in pods}


@pytest.mark.parametrize("values", [LEAST, AGENT_SANDBOX, MOST], ids=["least", "agent-sandbox", "most"])
def test_the_api_server_takes_every_object(
    plane: ControlPlane, programs: Programs, namespace: str, values: dict[str, Any]
) -> None:
    objects = chart.render(programs, namespace, values)
    text = "\n---\n".join(json.dumps(document) for document in objects)
    told = plane.kubectl(
        "apply", "--dry-run=server", "--validate=strict", "-f", "-", input_text=text, namespace=namespace
    )
    assert len(told.strip().splitlines()) == len(objects)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "server.apiKeySecret.name: name a Secret that holds the API key"),
        ({"server": {"apiKeySecret": {"name": "k"}, "replicaz": 1}}, "'replicaz' not allowed"),
        ({**LEAST, "workloadProvider": "docker"}, "workloadProvider"),
        ({**LEAST, "pause": {"registry": "http://registry"}}, "registry"),
        (
            {"server": {**LEAST["server"], "serviceAccount": {"create": False}}},
            "server.serviceAccount.name: name the account to use",
        ),
    ],
)
def test_wrong_values_are_told(programs: Programs, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(RuntimeError, match="helm template") as refused:
        chart.render(programs, "boxes", values)
    assert complaint in str(refused.value)


@pytest.mark.parametrize("values", [LEAST, AGENT_SANDBOX, MOST], ids=["least", "agent-sandbox", "most"])
def test_nothing_but_the_definitions_is_cluster_wide(programs: Programs, values: dict[str, Any]) -> None:
    objects = chart.render(programs, "boxes", values)
    outside = {document["kind"] for document in objects if "namespace" not in document["metadata"]}
    assert outside == CLUSTER_WIDE


def test_the_definitions_outlive_the_release_and_can_be_left_out(programs: Programs) -> None:
    installed = [
        document
        for document in chart.render(programs, "boxes", LEAST)
        if document["kind"] == "CustomResourceDefinition"
    ]
    assert len(installed) == 3
    for document in installed:
        assert document["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    without = chart.render(programs, "boxes", {**LEAST, "crds": {"install": False}})
    assert not [document for document in without if document["kind"] == "CustomResourceDefinition"]


def test_agent_sandboxes_have_a_controller_of_their_own(programs: Programs) -> None:
    objects = chart.render(programs, "boxes", AGENT_SANDBOX)
    assert containers(objects).keys() == {"server"}
    rules = next(document["rules"] for document in objects if document["kind"] == "Role")
    assert not [rule for rule in rules if "sandbox.opensandbox.io" in rule["apiGroups"]]


MAY = {
    "server": [
        *(f"{verb} persistentvolumeclaims" for verb in ("get", "list", "create", "patch", "delete")),
        "create batchsandboxes.sandbox.opensandbox.io",
        "get pods/log",
        "create secrets",
    ],
    "controller": [
        "create pods",
        "create jobs.batch",
        "get secrets push",
        "patch leases.coordination.k8s.io",
    ],
}
MAY_NOT = {
    "server": [
        "create pods",
        "get secrets",
        "list secrets",
        "get nodes",
        "create jobs.batch",
        "patch batchsandboxes.sandbox.opensandbox.io/status",
        "create pods/exec",
    ],
    "controller": [
        "get secrets other",
        "list secrets",
        "delete persistentvolumeclaims",
        "get persistentvolumeclaims",
        "create pods/exec",
        "create batchsandboxes.sandbox.opensandbox.io",
    ],
}


@pytest.mark.parametrize("component", ["server", "controller"])
def test_each_account_may_do_what_it_does_and_no_more(
    plane: ControlPlane, granted: str, component: str
) -> None:
    def may(what: str) -> bool:
        verb, resource, *name = what.split()
        resource, _, subresource = resource.partition("/")
        plural, _, group = resource.partition(".")
        attributes = {
            "namespace": granted, "verb": verb, "group": group, "resource": plural,
            "subresource": subresource, "name": "".join(name),
        }  # fmt: skip
        review = plane.administration.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "spec": {
                    "user": f"system:serviceaccount:{granted}:{chart.RELEASE}-{component}",
                    "resourceAttributes": attributes,
                }
            },
        )
        return bool(review["status"]["allowed"])

    assert [what for what in MAY[component] if not may(what)] == []
    assert [what for what in MAY_NOT[component] if may(what)] == []


@pytest.fixture(scope="module")
def granted(plane: ControlPlane, programs: Programs) -> str:
    """A namespace with the chart's accounts and roles."""
    namespace = plane.administration.create_namespace("chart")
    chart.grant(plane.administration, programs, namespace, {**LEAST, "pause": {"pushSecret": "push"}})
    return namespace


@pytest.mark.parametrize("values", [LEAST, AGENT_SANDBOX, MOST], ids=["least", "agent-sandbox", "most"])
def test_the_server_takes_the_options_it_is_given(
    programs: Programs, values: dict[str, Any], tmp_path: Path
) -> None:
    arguments = containers(chart.render(programs, "boxes", values))["server"]["args"]
    template = tmp_path / "pod-template.yaml"
    template.write_text("spec: {}\n", "utf-8")
    local = [each.replace("/etc/sandkit/pod-template.yaml", str(template)) for each in arguments]
    parser = argparse.ArgumentParser(exit_on_error=False)
    server_settings.add_options(parser)
    parsed, unknown = parser.parse_known_args(local)
    assert unknown == []
    Settings.of(api_key="from-the-secret", **server_settings.given_options(vars(parsed)))


@pytest.mark.parametrize("values", [LEAST, MOST], ids=["least", "most"])
def test_the_controller_takes_the_options_it_is_given(programs: Programs, values: dict[str, Any]) -> None:
    arguments = containers(chart.render(programs, "boxes", values))["controller"]["args"]
    parser = argparse.ArgumentParser(exit_on_error=False)
    controller_settings.add_options(parser)
    parsed, unknown = parser.parse_known_args(arguments)
    assert unknown == []
    controller_settings.from_options(vars(parsed))


@pytest.mark.parametrize("name", ["server", "controller"])
def test_containers_are_locked_down(programs: Programs, name: str) -> None:
    container = containers(chart.render(programs, "boxes", MOST))[name]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == f"registry.example/sandkit@sha256:{'0' * 64}"


def test_a_single_replica_may_be_drained(programs: Programs) -> None:
    values = {**LEAST, "controller": {"replicas": 1}}
    budgets = [
        document["metadata"]["name"]
        for document in chart.render(programs, "boxes", values)
        if document["kind"] == "PodDisruptionBudget"
    ]
    assert budgets == [f"{chart.RELEASE}-server"]
