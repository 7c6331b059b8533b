"""The kinds of object that server and controller touch, and the names they put on them.

The group ``sandbox.opensandbox.io`` is defined by ``specs/crds``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GROUP: Final = "sandbox.opensandbox.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A namespaced kind as the API server knows it; ``group`` is empty for the core group."""

    group: str = ""
    version: str
    plural: str
    kind: str

    @property
    def api_version(self) -> str:
        """What objects of this kind carry as ``apiVersion``."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def full_name(self) -> str:
        """Plural and group, as in a role's rules and in messages: ``pods``, ``jobs.batch``."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


BATCH_SANDBOXES: Final = Resource(
    group=GROUP, version="v1alpha1", plural="batchsandboxes", kind="BatchSandbox"
)
SNAPSHOTS: Final = Resource(
    group=GROUP, version="v1alpha1", plural="sandboxsnapshots", kind="SandboxSnapshot"
)
POOLS: Final = Resource(group=GROUP, version="v1alpha1", plural="pools", kind="Pool")
PODS: Final = Resource(version="v1", plural="pods", kind="Pod")
CLAIMS: Final = Resource(version="v1", plural="persistentvolumeclaims", kind="PersistentVolumeClaim")
SECRETS: Final = Resource(version="v1", plural="secrets", kind="Secret")
EVENTS: Final = Resource(version="v1", plural="events", kind="Event")
JOBS: Final = Resource(group="batch", version="v1", plural="jobs", kind="Job")
LEASES: Final = Resource(group="coordination.k8s.io", version="v1", plural="leases", kind="Lease")

# On every pod and job the controller makes, so that it watches these and no others.
MANAGED_LABEL: Final = "app.kubernetes.io/managed-by"
MANAGED_BY: Final = "sandkit-controller"

# On everything that belongs to one sandbox: workload, pods, pause snapshots, commit jobs, managed claims,
# events. Not on the pods of jobs: they are no part of the sandbox.
ID_LABEL: Final = "opensandbox.io/id"
# On pods: the pool a warm pod waits in. Gone once it was given to a sandbox.
POOL_LABEL: Final = f"{GROUP}/pool"
# On SandboxSnapshots: who asked for it.
PURPOSE_LABEL: Final = f"{GROUP}/purpose"
PURPOSE_PAUSE: Final = "pause"
PURPOSE_USER: Final = "user"
# On commit jobs and their pods: the snapshot they work for, and what they do (`commit` or `release`).
SNAPSHOT_LABEL: Final = f"{GROUP}/snapshot"
TASK_LABEL: Final = f"{GROUP}/task"

# On a sandbox's pods and pause snapshots: the generation of the pause or resume they were made for (0: none).
# Whoever looks at an old state of the sandbox knows by it what is of a later attempt, and leaves that alone.
ATTEMPT_ANNOTATION: Final = f"{GROUP}/attempt"
# On warm pods: what the pool's template was when they were made.
REVISION_ANNOTATION: Final = f"{GROUP}/revision"

# On a BatchSandbox, written by the server (JSON): what the API shows and the object has no field for.
SANDBOX_ANNOTATION: Final = f"{GROUP}/sandbox"
# On a BatchSandbox and a SandboxSnapshot: digest of the request that made it, to know a repeated one.
DIGEST_ANNOTATION: Final = f"{GROUP}/request-digest"
# On a BatchSandbox: when a pause or resume was last asked for (RFC 3339); the API's state changes then.
INTENT_ANNOTATION: Final = f"{GROUP}/intent-at"
# On a BatchSandbox that was given up before it ever ran: `{"reason", "message"}` (JSON).
ABANDONED_ANNOTATION: Final = f"{GROUP}/abandoned"
