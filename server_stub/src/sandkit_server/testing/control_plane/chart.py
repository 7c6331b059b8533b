"""The Helm chart as rendered by helm itself: what an operator installs is what the tests run under."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, Final

import yaml

from sandkit_server.testing.control_plane.administration import Administration
from sandkit_server.testing.control_plane.identities import Identity
from sandkit_server.testing.control_plane.programs import ROOT, Programs

CHART: Final = ROOT / "server_stub" / "deploy" / "chart"
RELEASE: Final = "sandkit"

# The least an operator has to say.
_VALUES: Final[Mapping[str, Any]] = {"server": {"apiKeySecret": {"name": "api-key", "key": "api-key"}}}
_COLLECTIONS: Final = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}

Json = dict[str, Any]


def render(
    programs: Programs, namespace: str, values: Mapping[str, Any] | None = None, release: str = RELEASE
) -> Sequence[Json]:
    """Every object of the chart for these values. Raises RuntimeError with helm's complaint."""
    done = subprocess.run(  # noqa: S603 - our own build
        [str(programs.helm), "template", release, str(CHART), "--namespace", namespace, "--values", "-"],
        input=json.dumps(_VALUES if values is None else values),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"helm template: {done.stderr.strip()}")
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def grant(
    administration: Administration,
    programs: Programs,
    namespace: str,
    values: Mapping[str, Any] | None = None,
) -> Mapping[str, Identity]:
    """Put the chart's accounts, roles and bindings in force; gives who ``server`` and ``controller`` are."""
    objects = render(programs, namespace, values)
    for kind, collection in _COLLECTIONS.items():
        for document in objects:
            if document["kind"] == kind:
                administration.create(collection.format(namespace), document)
    for document in objects:
        if document["kind"] == "RoleBinding":
            administration.await_binding(namespace, document)
    return {
        document["metadata"]["labels"]["app.kubernetes.io/component"]: administration.account(
            namespace, document["metadata"]["name"]
        )
        for document in objects
        if document["kind"] == "ServiceAccount"
    }
