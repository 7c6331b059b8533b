"""Where the API server is and how to talk to it: from a kubeconfig, from inside a pod, or stated."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx2

from sandkit_server.kubernetes import kubeconfig
from sandkit_server.kubernetes.credentials import ConfigurationError, Plugin, PluginToken, Token, TokenFile

SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Everything needed to reach one API server as one identity.

    Attributes:
        server: URL without a path, or with the prefix of a proxy.
        namespace: Where to work unless something else is asked for.
        tls: How the server is verified, and the client certificate; ``None`` for plain HTTP.
        auth: Adds a token to each request; ``None`` when the client certificate says it all.
        proxy: URL of a proxy to go through, or ``None``.
        server_name: What the server's certificate is for, where that is not the URL's host.
    """

    server: str
    namespace: str
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    auth: httpx2.Auth | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)
    server_name: str | None = None


def discover(
    environment: Mapping[str, str], *, path: Path | None = None, context: str | None = None
) -> Connection:
    """The connection that is meant when little is said.

    In order: the kubeconfig ``path`` or ``context`` given, the pod's service account, the files of the
    variable ``KUBECONFIG``, ``~/.kube/config``. Raises ConfigurationError.
    """
    if path is None and context is None and "KUBERNETES_SERVICE_HOST" in environment:
        return in_cluster(environment)
    if path is not None:
        return from_kubeconfig(path, context=context)
    named = [Path(part).expanduser() for part in environment.get("KUBECONFIG", "").split(":") if part]
    return from_kubeconfig(*(named or [Path("~/.kube/config").expanduser()]), context=context)


def in_cluster(environment: Mapping[str, str], account: Path = SERVICE_ACCOUNT) -> Connection:
    """The connection of a pod, by the service account mounted into it. Raises ConfigurationError."""
    host, port = (environment.get(f"KUBERNETES_SERVICE_{name}") for name in ("HOST", "PORT"))
    if not host or not port:
        raise ConfigurationError("this is not a pod: KUBERNETES_SERVICE_HOST and _PORT are not set")
    try:
        namespace = (account / "namespace").read_text("ascii").strip()
        authority = (account / "ca.crt").read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the pod has no service account token mounted ({error}); set automountServiceAccountToken"
        ) from error
    return Connection(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace,
        tls=tls(authority=authority),
        auth=TokenFile(account / "token"),
    )


def from_kubeconfig(*paths: Path, context: str | None = None) -> Connection:
    """The connection of a context, by default the current one. Raises ConfigurationError."""
    chosen = kubeconfig.read(paths, context)
    cluster, user = chosen.cluster, chosen.user
    server = cluster.text("server")
    if server is None:
        raise ConfigurationError(f"kubeconfig: the cluster of context {chosen.name} has no server")
    return Connection(
        server=server,
        namespace=chosen.namespace,
        tls=tls(
            authority=cluster.pem("certificate-authority"),
            certificate=user.pem("client-certificate"),
            key=user.pem("client-key"),
            verified=cluster.content.get("insecure-skip-tls-verify") is not True,
        )
        if server.startswith("https:")
        else None,
        auth=_auth(user),
        proxy=cluster.text("proxy-url"),
        server_name=cluster.text("tls-server-name"),
    )


def tls(
    *,
    authority: bytes | None = None,
    certificate: bytes | None = None,
    key: bytes | None = None,
    verified: bool = True,
) -> ssl.SSLContext:
    """How TLS is spoken; certificates and keys are PEM. Raises ConfigurationError.

    Args:
        authority: Who may have signed the server's certificate; by default whom the system trusts.
        certificate: The client's own, with ``key``.
        key: Likewise.
        verified: Whether the server has to prove who it is.
    """
    try:
        context = ssl.create_default_context(cadata=authority.decode("ascii") if authority else None)
        if not verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if certificate is not None or key is not None:
            # OpenSSL takes its own certificate from a file only.
            with tempfile.NamedTemporaryFile(prefix="sandkit-") as chain:
                chain.write(b"\n".join(part for part in (certificate, key) if part))
                chain.flush()
                context.load_cert_chain(chain.name)
    except (ssl.SSLError, UnicodeDecodeError, ValueError) as error:
        raise ConfigurationError(f"a certificate or key of the connection cannot be used: {error}") from error
    return context


def _auth(user: kubeconfig.Entry) -> httpx2.Auth | None:
    token_file = user.path("tokenFile")
    if token_file is not None:
        return TokenFile(token_file)
    token = user.text("token")
    if token is not None:
        return Token(token)
    plugin = user.content.get("exec")
    if isinstance(plugin, dict):
        return PluginToken(_plugin(plugin, user.folder))
    if "auth-provider" in user.content or "username" in user.content:
        raise ConfigurationError(
            "kubeconfig: auth-provider and username/password are no longer part of Kubernetes; "
            "use a token, a client certificate or an exec plugin"
        )
    return None


def _plugin(content: Mapping[str, Any], folder: Path) -> Plugin:
    command = content.get("command")
    if not isinstance(command, str) or not command:
        raise ConfigurationError("kubeconfig: exec names no command")
    return Plugin(
        # A bare name is looked up in PATH; anything with a slash is relative to the file.
        command=str(folder / command) if "/" in command else command,
        arguments=tuple(content.get("args") or ()),
        environment={item["name"]: item["value"] for item in content.get("env") or ()},
        api_version=str(content.get("apiVersion")),
    )
