from __future__ import annotations

import base64
import ssl
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
import yaml

from sandkit_server.kubernetes.connection import discover, from_kubeconfig, in_cluster
from sandkit_server.kubernetes.credentials import ConfigurationError, PluginToken, Token, TokenFile
from sandkit_server.testing.control_plane.pki import Authority, KeyPair

SERVER = "https://api.example.invalid:6443"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("tests")


@pytest.fixture(scope="module")
def pair(authority: Authority) -> KeyPair:
    return authority.client("somebody")


def config(
    path: Path, *, user: Any = None, cluster: Any = None, context: Any = None, current: str | None = "one"
) -> Path:
    document = {
        "current-context": current,
        "clusters": [{"name": "c", "cluster": {"server": SERVER, **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "boxes", **(context or {})}}
        ],
    }
    path.write_text(yaml.safe_dump(document), "utf-8")
    return path


def inline(content: bytes) -> str:
    return base64.b64encode(content).decode()


def trusted(context: ssl.SSLContext | None) -> list[Any]:
    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    return [names for entry in context.get_ca_certs() for names in cast("Any", entry)["subject"]]


def test_the_current_context_says_where_and_who(tmp_path: Path, authority: Authority) -> None:
    authority_data = {"certificate-authority-data": inline(authority.pair.certificate)}
    found = from_kubeconfig(config(tmp_path / "config", user={"token": "t"}, cluster=authority_data))
    assert (found.server, found.namespace, found.proxy) == (SERVER, "boxes", None)
    assert isinstance(found.auth, Token)
    assert trusted(found.tls) == [(("commonName", "tests"),)]


def test_files_are_looked_for_beside_the_kubeconfig(
    tmp_path: Path, authority: Authority, pair: KeyPair
) -> None:
    (tmp_path / "ca.crt").write_bytes(authority.pair.certificate)
    (tmp_path / "me.crt").write_bytes(pair.certificate)
    (tmp_path / "me.key").write_bytes(pair.key)
    user = {"client-certificate": "me.crt", "client-key": str(tmp_path / "me.key")}
    found = from_kubeconfig(
        config(tmp_path / "config", user=user, cluster={"certificate-authority": "ca.crt"})
    )
    assert found.auth is None
    assert trusted(found.tls) == [(("commonName", "tests"),)]


def test_what_else_a_cluster_may_say(tmp_path: Path) -> None:
    said = {"insecure-skip-tls-verify": True, "proxy-url": "http://proxy.invalid", "tls-server-name": "api"}
    found = from_kubeconfig(config(tmp_path / "config", cluster=said))
    assert (found.proxy, found.server_name) == ("http://proxy.invalid", "api")
    assert found.tls is not None
    assert found.tls.verify_mode is ssl.CERT_NONE


def test_plain_http_needs_no_certificates(tmp_path: Path) -> None:
    found = from_kubeconfig(config(tmp_path / "config", cluster={"server": "http://127.0.0.1:8001"}))
    assert found.tls is None


def test_of_several_files_the_first_to_name_a_thing_wins(tmp_path: Path) -> None:
    first = config(tmp_path / "first", current=None, cluster={"server": "https://first.invalid"})
    second = config(tmp_path / "second", cluster={"server": "https://second.invalid"})
    paths = f"{tmp_path / 'missing'}:{first}:{second}"
    assert discover({"KUBECONFIG": paths}).server == "https://first.invalid"


def test_a_context_without_a_namespace_means_default(tmp_path: Path) -> None:
    assert from_kubeconfig(config(tmp_path / "config", context={"namespace": ""})).namespace == "default"


def test_credentials_of_each_kind(tmp_path: Path) -> None:
    plugin = {"command": "./get-token", "apiVersion": "client.authentication.k8s.io/v1"}
    for user, kind in (
        ({"tokenFile": "token", "token": "other"}, TokenFile),
        ({"token": "t"}, Token),
        ({"exec": plugin}, PluginToken),
        ({}, type(None)),
    ):
        assert type(from_kubeconfig(config(tmp_path / "config", user=user)).auth) is kind


@pytest.mark.parametrize(
    ("user", "cluster", "context", "complaint"),
    [
        ({"username": "u", "password": "p"}, {}, {}, "no longer part of Kubernetes"),
        ({"auth-provider": {"name": "gcp"}}, {}, {}, "no longer part of Kubernetes"),
        ({"exec": {"command": "x", "apiVersion": "v9"}}, {}, {}, "speaks v9"),
        ({"exec": {}}, {}, {}, "names no command"),
        ({"client-certificate-data": "%%%"}, {}, {}, "client-certificate-data is not base64"),
        ({"client-certificate-data": inline(b"nonsense")}, {}, {}, "cannot be used"),
        ({"client-key": "missing.key"}, {}, {}, "client-key cannot be read"),
        ({}, {"certificate-authority-data": inline(b"nonsense")}, {}, "cannot be used"),
        ({}, {"server": ""}, {}, "has no server"),
        ({}, {"server": 6443}, {}, "server is not a string"),
        ({}, {}, {"cluster": "other"}, "has no cluster other"),
        ({}, {}, {"cluster": ""}, "names no cluster"),
        ({}, {}, {"user": "other"}, "has no user other"),
    ],
)
def test_a_kubeconfig_that_cannot_be_used_says_why(
    tmp_path: Path, user: Any, cluster: Any, context: Any, complaint: str
) -> None:
    path = config(tmp_path / "config", user=user, cluster=cluster, context=context)
    with pytest.raises(ConfigurationError, match=complaint):
        from_kubeconfig(path)


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="has no context other"):
        from_kubeconfig(config(tmp_path / "config"), context="other")
    with pytest.raises(ConfigurationError, match="no current-context"):
        from_kubeconfig(config(tmp_path / "config", current=None))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("[]", "is not a kubeconfig"), ("{", "cannot be read"), ("\xff", "cannot be read")],
)
def test_a_file_that_is_no_kubeconfig_is_named(tmp_path: Path, text: str, complaint: str) -> None:
    path = tmp_path / "config"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError, match=complaint):
        from_kubeconfig(path)


def test_without_any_file_the_places_looked_at_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=str(tmp_path / "config")):
        discover({"KUBECONFIG": str(tmp_path / "config")})


# --- in a pod --------------------------------------------------------------------------------------------


@pytest.fixture
def account(tmp_path: Path, authority: Authority) -> Path:
    (tmp_path / "token").write_text("first\n")
    (tmp_path / "namespace").write_text("boxes")
    (tmp_path / "ca.crt").write_bytes(authority.pair.certificate)
    return tmp_path


def test_a_pod_connects_as_its_service_account(account: Path) -> None:
    found = in_cluster({"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}, account)
    assert (found.server, found.namespace) == ("https://10.96.0.1:443", "boxes")
    assert isinstance(found.auth, TokenFile)
    assert trusted(found.tls) == [(("commonName", "tests"),)]
    found = in_cluster({"KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"}, account)
    assert httpx2.URL(found.server).host == "fd00::1"


def test_outside_of_a_pod_it_says_so(account: Path) -> None:
    with pytest.raises(ConfigurationError, match="this is not a pod"):
        in_cluster({}, account)


def test_a_pod_without_a_mounted_token_is_told_what_to_set(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(ConfigurationError, match="automountServiceAccountToken"):
        in_cluster(environment, tmp_path)


def test_a_named_kubeconfig_goes_before_the_pods_account(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    assert discover(environment, path=config(tmp_path / "config")).server == SERVER
