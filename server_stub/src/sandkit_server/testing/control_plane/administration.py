"""What an administrator does around a test: namespaces, accounts, definitions, objects of any kind."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx2
import yaml

from sandkit_server.testing.control_plane.identities import Address, Identity

_CORE: Final = "/api/v1"
_DEFINITIONS: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
_REVIEWS: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
_ACCOUNT_SECONDS: Final = 30.0

Json = dict[str, Any]


class Administration:
    """Plain requests as the administrator. Refusals raise RuntimeError with the server's words."""

    def __init__(self, address: Address, identity: Identity) -> None:
        connection = address.connection(identity, "default")
        self._address = address
        self._client = httpx2.Client(
            base_url=connection.server, verify=connection.tls or False, auth=connection.auth, trust_env=False,
            timeout=30.0,
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    # --- objects ----------------------------------------------------------------------------------------

    def get(self, path: str) -> Json | None:
        """The object at a path of the API, or ``None``."""
        response = self._client.get(path)
        return None if response.status_code == httpx2.codes.NOT_FOUND else _content(response)

    def exists(self, path: str) -> bool:
        """Whether there is an object at that path."""
        return self.get(path) is not None

    def create(self, path: str, body: Mapping[str, Any]) -> Json:
        """Make an object in the collection at ``path``."""
        return _content(self._client.post(path, json=body))

    def patch(self, path: str, body: Mapping[str, Any]) -> Json:
        """Change an object by a JSON merge patch."""
        return _content(
            self._client.patch(path, json=body, headers={"Content-Type": "application/merge-patch+json"})
        )

    def delete(self, path: str) -> None:
        """Delete an object; nothing happens if there is none."""
        response = self._client.delete(path)
        if response.status_code != httpx2.codes.NOT_FOUND:
            _content(response)

    # --- namespaces and accounts ------------------------------------------------------------------------

    def create_namespace(self, prefix: str = "test") -> str:
        """A new namespace in which pods can be made; gives its name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        self.create(f"{_CORE}/namespaces", {"metadata": {"name": name}})
        # Admission refuses pods until the namespace has its account.
        deadline = time.monotonic() + _ACCOUNT_SECONDS
        while not self.exists(f"{_CORE}/namespaces/{name}/serviceaccounts/default"):
            if time.monotonic() > deadline:
                raise RuntimeError(f"namespace {name} got no service account")
            time.sleep(0.01)
        return name

    def delete_namespace(self, name: str) -> None:
        """Begin to delete a namespace and everything in it."""
        self.delete(f"{_CORE}/namespaces/{name}")

    def forbid_more(self, namespace: str, counted: str) -> None:
        """Make a ResourceQuota that leaves no room for what is ``counted``; returns when it is in force.

        Admission learns of a quota, and of its status, a little late. A second kind in the same quota tells
        when it has.
        """
        hard = {counted: "0", "count/configmaps": "0"}
        quota = {"metadata": {"name": "none"}, "spec": {"hard": hard}}
        self.create(f"{_CORE}/namespaces/{namespace}/resourcequotas", quota)
        collection = f"{_CORE}/namespaces/{namespace}/configmaps?dryRun=All"
        deadline = time.monotonic() + _ACCOUNT_SECONDS
        refused = ""
        while "exceeded quota" not in refused:
            if time.monotonic() > deadline:
                raise RuntimeError(f"the quota of {counted} does not come into force: {refused}")
            time.sleep(0.01)
            refused = self._client.post(collection, json={"metadata": {"name": "probe"}}).text

    def create_account(self, namespace: str, name: str, rules: Sequence[Mapping[str, Any]] = ()) -> Identity:
        """A service account that may do what ``rules`` of a Role say, with a token."""
        self.create(f"{_CORE}/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
        if rules:
            self.create(
                f"{_RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": name}, "rules": list(rules)}
            )
            subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
            self.bind(namespace, name, [subject])
        return self.account(namespace, name)

    def bind(self, namespace: str, role: str, subjects: Sequence[Mapping[str, Any]]) -> None:
        """Give a Role of the namespace to subjects, by a RoleBinding of the same name."""
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": role}
        binding = {"metadata": {"name": role}, "roleRef": reference, "subjects": list(subjects)}
        self.create(f"{_RBAC}/namespaces/{namespace}/rolebindings", binding)
        self.await_binding(namespace, binding)

    def await_binding(self, namespace: str, binding: Mapping[str, Any]) -> None:
        """Wait until the API server goes by a binding of service accounts: it learns of it a little late."""
        role = self.get(f"{_RBAC}/namespaces/{namespace}/roles/{binding['roleRef']['name']}")
        assert role is not None, "a role is made before its binding"
        rule = role["rules"][-1]
        resource, _, subresource = rule["resources"][0].partition("/")
        what = {
            "namespace": namespace,
            "verb": rule["verbs"][0],
            "group": rule["apiGroups"][0],
            "resource": resource,
            "subresource": subresource,
            "name": next(iter(rule.get("resourceNames", ())), ""),
        }
        deadline = time.monotonic() + _ACCOUNT_SECONDS
        for subject in binding["subjects"]:
            user = f"system:serviceaccount:{namespace}:{subject['name']}"
            review = {"spec": {"user": user, "resourceAttributes": what}}
            while not self.create(_REVIEWS, review)["status"]["allowed"]:
                if time.monotonic() > deadline:
                    raise RuntimeError(f"the binding of {user} does not come into force")
                time.sleep(0.01)

    def account(self, namespace: str, name: str) -> Identity:
        """An existing service account, with a fresh token of one hour."""
        answer = self.create(
            f"{_CORE}/namespaces/{namespace}/serviceaccounts/{name}/token",
            {"spec": {"expirationSeconds": 3600}},
        )
        return Identity(name=f"system:serviceaccount:{namespace}:{name}", token=answer["status"]["token"])

    # --- the plane itself -------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether the API server says that it is ready."""
        try:
            return self._client.get("/readyz").is_success
        except httpx2.TransportError:
            return False

    def has_default_account(self) -> bool:
        """Whether the namespace ``default`` has its service account."""
        return self.exists(f"{_CORE}/namespaces/default/serviceaccounts/default")

    def create_orphan(self) -> str:
        """An object whose owner does not exist; gives its path. The garbage collector removes it."""
        name = f"orphan-{secrets.token_hex(4)}"
        owner = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": name,
            "uid": str(uuid.uuid4()),
        }
        path = f"{_CORE}/namespaces/default/configmaps"
        self.create(path, {"metadata": {"name": name, "ownerReferences": [owner]}})
        return f"{path}/{name}"

    def apply_definitions(self, text: str) -> Sequence[str]:
        """Create or replace the CustomResourceDefinitions in a YAML text; gives their names."""
        names = []
        for document in yaml.safe_load_all(text):
            name = document["metadata"]["name"]
            response = self._client.patch(
                f"{_DEFINITIONS}/{name}",
                params={"fieldManager": "sandkit-tests", "force": "true"},
                json=document,
                headers={"Content-Type": "application/apply-patch+yaml"},
            )
            _content(response)
            names.append(name)
        return names

    def is_served(self, definition: str) -> bool:
        """Whether objects of a defined kind can be listed in each of its versions."""
        content = self.get(f"{_DEFINITIONS}/{definition}")
        if content is None:
            return False
        spec = content["spec"]
        kinds = [
            f"/apis/{spec['group']}/{version['name']}/{spec['names']['plural']}"
            for version in spec["versions"]
            if version["served"]
        ]
        # Until its storage is there, 404 and then 429.
        return all(self._client.get(kind).is_success for kind in kinds)


def _content(response: httpx2.Response) -> Json:
    if not response.is_success:
        request = response.request
        raise RuntimeError(
            f"{request.method} {request.url.path}: {response.status_code} {response.text[:2_000]}"
        )
    content: Json = response.json()
    return content
