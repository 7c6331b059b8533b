"""What the operator decides about pods, pauses and pools; constant while the controller runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What decisions depend on besides the objects. Durations are seconds.

    Attributes:
        registry: Host, port and path below which the images of snapshots are pushed, such as
            ``registry.example.com/sandboxes``; ``None`` means that nothing can be paused.
        insecure_registries: ``host`` or ``host:port`` of registries that speak plain http. Never guessed.
        push_secret: Secret of type ``kubernetes.io/dockerconfigjson`` that the commit job pushes with.
        pull_secret: Secret for ``imagePullSecrets`` of resumed pods; ``None`` where none is needed.
        committer_image: The image commit jobs run. It gets rights on the node, so only the operator names it.
        containerd_socket: Path on the node.
        containerd_namespace: Where the kubelet keeps its containers.
        commit_deadline: How long a commit may take, the push included.
        release_deadline: How long one attempt to unpause the source of a failed commit may take.
        job_ttl: How long a finished job is kept if nobody deletes it before.
        result_grace: How long the result of a finished commit job may take to become visible.
        start_grace: How long a pod may not be ready before the cause is written into the status; it keeps
            what passes by itself from costing a write.
        pull_patience: How long an image may fail to be pulled before the start is given up.
        resume_deadline: How long a resume may take before it is given up. A first start has no deadline
            here: its server gives it up.
        recycle_after: Age at which a warm pod that failed is replaced; it bounds how often.
    """

    registry: str | None = None
    insecure_registries: frozenset[str] = frozenset()
    push_secret: str | None = None
    pull_secret: str | None = None
    committer_image: str | None = None
    containerd_socket: str = "/run/containerd/containerd.sock"
    containerd_namespace: str = "k8s.io"
    commit_deadline: int = 600
    release_deadline: int = 60
    job_ttl: int = 3600
    result_grace: float = 10.0
    start_grace: float = 3.0
    pull_patience: float = 60.0
    resume_deadline: float = 300.0
    recycle_after: float = 30.0
