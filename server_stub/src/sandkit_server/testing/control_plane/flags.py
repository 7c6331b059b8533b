"""How the programs are called: only loopback, nothing kept on disk, fast on two cores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sandkit_server.testing.control_plane.programs import Programs

# What a namespace needs to behave as in a cluster. Not: nodes' health (there are none), networks, cloud.
_CONTROLLERS: Final = (
    "clusterrole-aggregation-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "job-controller",
    "namespace-controller",
    "persistentvolume-binder-controller",
    "persistentvolume-protection-controller",
    "persistentvolumeclaim-protection-controller",
    "pod-garbage-collector-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
    "ttl-after-finished-controller",
)
# Clients of the control plane hold back at 20 requests a second by default, which would measure only them.
_UNHURRIED: Final = ("--kube-api-qps=1000", "--kube-api-burst=2000")


def etcd(programs: Programs, folder: Path, port: int, peer_port: int) -> Sequence[str]:
    """The store."""
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(programs.etcd),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        # A crash of the machine may lose everything: that is what it is for.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def api_server(programs: Programs, folder: Path, port: int, etcd_port: int) -> Sequence[str]:
    """The API server."""
    return [
        str(programs.api_server),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--tls-cert-file={folder / 'api-server.crt'}",
        f"--tls-private-key-file={folder / 'api-server.key'}",
        f"--client-ca-file={folder / 'ca.crt'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={folder / 'accounts.crt'}",
        f"--service-account-signing-key-file={folder / 'accounts.key'}",
        "--authorization-mode=Node,RBAC",
        "--endpoint-reconciler-type=none",
        "--allow-privileged=true",
        "--profiling=false",
    ]


def controller_manager(programs: Programs, folder: Path) -> Sequence[str]:
    """The controllers of the built-in kinds."""
    return [
        str(programs.controller_manager),
        f"--kubeconfig={folder / 'controller-manager.conf'}",
        f"--service-account-private-key-file={folder / 'accounts.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
        "--use-service-account-credentials",
        f"--controllers={','.join(_CONTROLLERS)}",
        *_ALONE,
        *_UNHURRIED,
    ]


def scheduler(programs: Programs, folder: Path) -> Sequence[str]:
    """The scheduler."""
    return [
        str(programs.scheduler),
        f"--kubeconfig={folder / 'scheduler.conf'}",
        *_ALONE,
        *_UNHURRIED,
    ]


_ALONE: Final = ("--leader-elect=false", "--secure-port=0", "--profiling=false")
