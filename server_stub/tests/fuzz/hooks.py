"""What the fuzzer has to know of time: a delete is answered before what it deletes is gone.

The contract says "204 while it is being taken down, 404 once it is gone". The check for use after deletion
asks at once, so the fuzzer is held until a resource it deleted is gone; one that never goes is still found.
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import schemathesis

PATIENCE = 5.0


@schemathesis.hook
def after_call(context: schemathesis.HookContext, case: schemathesis.Case[Any], response: Any) -> None:
    """Wait for what a successful DELETE takes down."""
    if case.method != "DELETE" or response.status_code != 204:
        return
    request = response.request
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if httpx.get(request.url, headers=dict(request.headers), timeout=10).status_code == 404:
            return
        time.sleep(0.005)
