"""Where an API server is, out of a kubeconfig file: address, trust and identity of one context."""

from __future__ import annotations

import base64
import binascii
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from attrs import field, frozen

from sandkit_conformance.failures import SuiteError

_WAYS = "a client certificate, a token or a tokenFile"


@frozen
class ApiServer:
    """An API server as one identity reaches it. `namespace` is the context's own, if it has one."""

    url: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    namespace: str | None = None


def read_kubeconfig(path: Path, context: str | None) -> ApiServer:
    """Read one context, by default the current one.

    Raises:
        SuiteError: the file cannot be read, lacks something, or signs in in a way this suite does not know.
    """
    try:
        document = yaml.safe_load(path.read_text("utf-8"))
        chosen = _named(document, "contexts", context or document["current-context"])["context"]
        cluster = _named(document, "clusters", chosen["cluster"])["cluster"]
        user = _named(document, "users", chosen["user"])["user"] or {}
        url = str(cluster["server"]).rstrip("/")
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SuiteError(f"cannot read the kubeconfig {path}: {error}") from error
    except (KeyError, TypeError) as error:
        raise SuiteError(f"the kubeconfig {path} lacks {error}") from error
    if unknown := {"exec", "auth-provider", "username"} & user.keys():
        raise SuiteError(f"the kubeconfig {path} signs in by {min(unknown)}; give the suite one with {_WAYS}")
    return ApiServer(
        url=url,
        tls=_tls(path, cluster, user) if url.startswith("https:") else None,
        token=_token(path, user),
        namespace=chosen.get("namespace"),
    )


def _named(document: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any]:
    found = [entry for entry in document[kind] if entry["name"] == name]
    if not found:
        raise KeyError(f"{name} among its {kind}")
    entry: Mapping[str, Any] = found[0]
    return entry


def _tls(path: Path, cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext:
    authority = _pem(path, cluster, "certificate-authority")
    certificate, key = _pem(path, user, "client-certificate"), _pem(path, user, "client-key")
    try:
        context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if cluster.get("insecure-skip-tls-verify") is True:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate and key:
            # The ssl module takes the client's own certificate from a file only.
            with tempfile.NamedTemporaryFile(prefix="sandkit-conformance-") as chain:
                chain.write(certificate + b"\n" + key)
                chain.flush()
                context.load_cert_chain(chain.name)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise SuiteError(f"a certificate or key of the kubeconfig {path} cannot be used: {error}") from error
    return context


def _pem(path: Path, entry: Mapping[str, Any], name: str) -> bytes | None:
    """A part that stands in the file itself, or in another one beside it."""
    try:
        if inline := entry.get(f"{name}-data"):
            return base64.b64decode(inline, validate=True)
        return (path.parent / entry[name]).read_bytes() if name in entry else None
    except (OSError, binascii.Error) as error:
        raise SuiteError(f"the kubeconfig {path}: {name} cannot be read: {error}") from error


def _token(path: Path, user: Mapping[str, Any]) -> str | None:
    if "token" in user:
        return str(user["token"])
    if "tokenFile" not in user:
        return None
    try:
        return (path.parent / str(user["tokenFile"])).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(f"the kubeconfig {path}: its tokenFile cannot be read: {error}") from error
