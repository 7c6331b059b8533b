"""Who can talk to a control plane: users by certificate or token, and what they need to connect."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from typing import Any

from sandkit_server.kubernetes.connection import Connection, tls
from sandkit_server.kubernetes.credentials import Token
from sandkit_server.testing.control_plane.pki import KeyPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A user of the API server. Of both proofs, the certificate is used over TLS, the token elsewhere."""

    name: str
    token: str | None = field(default=None, repr=False)
    pair: KeyPair | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the API server or a proxy listens; ``authority`` (PEM) signed its certificate."""

    server: str
    authority: bytes

    def connection(self, identity: Identity, namespace: str) -> Connection:
        """How code of ours connects as ``identity``."""
        secure = self.server.startswith("https:")
        pair = identity.pair if secure else None
        return Connection(
            server=self.server,
            namespace=namespace,
            tls=tls(
                authority=self.authority,
                certificate=pair.certificate if pair else None,
                key=pair.key if pair else None,
            )
            if secure
            else None,
            auth=Token(identity.token) if identity.token and not pair else None,
        )

    def kubeconfig(self, identity: Identity, namespace: str) -> str:
        """How any other program does: the text of a kubeconfig file. JSON, which is YAML, too."""
        secure = self.server.startswith("https:")
        user: dict[str, Any] = {}
        if identity.pair and secure:
            user["client-certificate-data"] = _base64(identity.pair.certificate)
            user["client-key-data"] = _base64(identity.pair.key)
        elif identity.token:
            user["token"] = identity.token
        cluster: dict[str, Any] = {"server": self.server}
        if secure:
            cluster["certificate-authority-data"] = _base64(self.authority)
        context = {"cluster": "plane", "user": identity.name, "namespace": namespace}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "plane",
                "clusters": [{"name": "plane", "cluster": cluster}],
                "users": [{"name": identity.name, "user": user}],
                "contexts": [{"name": "plane", "context": context}],
            }
        )


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
