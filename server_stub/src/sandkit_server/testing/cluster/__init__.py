"""An abstract cluster: the API server's rules as pure functions, its controllers, and a fake port over them.

It knows what the product relies on and no more: names taken once, versions, generations, status
subresources, merge and strategic merge patches, preconditions, finalizers, propagation, garbage collection,
protection of claims in use, jobs, and watches. The same suite that describes it runs against a real API
server, since an unfaithful fake is worse than none.
"""

from __future__ import annotations

from sandkit_server.testing.cluster.fake import FakeCluster
from sandkit_server.testing.cluster.faults import Fault
from sandkit_server.testing.cluster.state import Key, State, apply

__all__ = ["FakeCluster", "Fault", "Key", "State", "apply"]
