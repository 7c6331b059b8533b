"""Test code that uses sandkit without a server and without waiting.

```python
from sandkit import Client
from sandkit.testing import FakeClock, ScriptedTransport, answer, sandbox_body

server = ScriptedTransport(
    answer(202, sandbox_body(state="Pending")),
    answer(503, headers={"Retry-After": "2"}),
    answer(200, sandbox_body(state="Running")),
)
clock = FakeClock()
with Client("key", transport=server, clock=clock) as client:
    client.sandboxes.create(image="python:3.12-slim").wait_running()
assert clock.slept >= 2
assert [request.method for request in server.requests] == ["POST", "GET", "GET"]
```
"""

from __future__ import annotations

from sandkit.testing._bodies import error_body, page_body, sandbox_body, snapshot_body
from sandkit.testing._clocks import AsyncFakeClock, FakeClock
from sandkit.testing._script import ScriptedTransport, ScriptError, answer

__all__ = [
    "AsyncFakeClock",
    "FakeClock",
    "ScriptError",
    "ScriptedTransport",
    "answer",
    "error_body",
    "page_body",
    "sandbox_body",
    "snapshot_body",
]
