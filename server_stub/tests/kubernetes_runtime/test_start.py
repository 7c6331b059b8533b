"""A server starts when it knows its namespace whole, and otherwise says what is missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sandkit_server.core.errors import StartError
from sandkit_server.core.policy import Policy
from sandkit_server.core.port_errors import Forbidden, PortError, Unavailable
from sandkit_server.kubernetes import calls
from sandkit_server.kubernetes.calls import Misconfigured, Verb
from sandkit_server.kubernetes.connection import Connection
from sandkit_server.kubernetes.http_cluster import HttpCluster
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, POOLS, Resource
from sandkit_server.main import build
from sandkit_server.runtimes.kubernetes import KubernetesRuntime, KubernetesSettings
from sandkit_server.settings import Settings
from sandkit_server.testing.backstage import AbstractCluster

from .world import running


async def test_what_was_there_is_there_at_once(cluster: AbstractCluster) -> None:
    template = {"spec": {"containers": [{"name": "x", "image": "a:1"}]}}
    cluster.act(calls.create(BATCH_SANDBOXES, {"metadata": {"name": "old"}, "spec": {"template": template}}))
    async with running(cluster) as server:
        assert [each.sandbox.id for each in await server.ports.workloads.list()] == ["old"]
    assert cluster.closed


@pytest.mark.parametrize(
    ("resource", "error", "told"),
    [
        (BATCH_SANDBOXES, lambda: Forbidden("list", BATCH_SANDBOXES.full_name), "may not list batch"),
        (POOLS, lambda: Forbidden("list", POOLS.full_name), "grant its account get, list and watch"),
        (BATCH_SANDBOXES, lambda: Misconfigured("it is not served"), "Install the definitions"),
        (BATCH_SANDBOXES, lambda: Unavailable("cannot be reached"), "Check the kubeconfig"),
    ],
)
async def test_a_start_that_cannot_succeed_says_why(
    cluster: AbstractCluster, resource: Resource, error: Callable[[], PortError], told: str
) -> None:
    cluster.refuse(Verb.LIST, resource, error, left=None)
    with pytest.raises(StartError, match=told) as refused:
        async with running(cluster, sync_seconds=0.3):
            pass
    assert error().message.removeprefix("the ") in str(refused.value)
    assert cluster.closed, "nothing keeps running"


async def test_a_slow_start_of_the_api_server_is_waited_for(cluster: AbstractCluster) -> None:
    fault = cluster.refuse(Verb.LIST, BATCH_SANDBOXES, lambda: Unavailable("starting"), left=2)
    async with running(cluster):
        assert fault.hits == 2


async def test_the_agent_sandbox_kind_has_to_be_there(cluster: AbstractCluster) -> None:
    cluster.served = frozenset()
    with pytest.raises(StartError, match=r"sandboxes\.agents\.x-k8s\.io"):
        async with running(cluster, workload_provider="agent-sandbox"):
            pass


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: here, context: {cluster: here, namespace: team-a}}]
"""


async def test_an_api_server_that_is_not_there_is_told() -> None:
    cluster = HttpCluster(Connection(server="http://127.0.0.1:1", namespace="team-a"), field_manager="test")
    settings = KubernetesSettings(endpoint_secret=b"secret", sync_seconds=0.2)
    runtime = KubernetesRuntime(cluster, settings, Policy(), lambda: "api.test:80")
    with pytest.raises(StartError, match="cannot be reached"):
        await runtime.start()


def test_a_kubeconfig_without_such_a_context_is_told(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    with pytest.raises(StartError, match="elsewhere"):
        build(Settings.of(runtime="kubernetes", kubeconfig=path, context="elsewhere"))


def test_a_pod_template_that_is_none_is_told(tmp_path: Path) -> None:
    config, template = tmp_path / "config", tmp_path / "pod.yaml"
    config.write_text(KUBECONFIG)
    template.write_text("- no")
    with pytest.raises(StartError, match=r"pod\.yaml"):
        build(Settings.of(runtime="kubernetes", kubeconfig=config, pod_template=template))
