"""A probe for an engine that keeps one JSON file per sandbox: python probe.py FOLDER PORT."""

from __future__ import annotations

import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])
KEY = os.environ["SANDKIT_PROBE_KEY"]


def view() -> dict[str, list[dict[str, object]]]:
    """What exists now, in the suite's words; lists that are left out count as empty."""
    workloads = []
    for path in sorted(FOLDER.glob("*.json")):
        try:
            data = json.loads(path.read_text())
        except FileNotFoundError:
            continue  # gone between the listing and the reading
        workloads.append(
            {
                "name": path.stem,
                "sandboxId": data["id"],
                "phase": data["state"],
                "podRunning": data["state"] == "Running",
                "labels": data.get("labels", {}),
            }
        )
    return {"workloads": workloads}


class Probe(BaseHTTPRequestHandler):
    """Two routes; everything else is not there."""

    def do_GET(self) -> None:
        """Answer /v1/info and /v1/view."""
        if not hmac.compare_digest(self.headers.get("SANDKIT-PROBE-KEY", ""), KEY):
            self._reply(401, {"code": "REQUEST::UNAUTHORIZED", "message": "the key is wrong"})
        elif self.path == "/v1/info":
            self._reply(200, {"protocol": "sandkit-probe/1", "capabilities": ["view"]})
        elif self.path == "/v1/view":
            self._reply(200, view())
        else:
            self._reply(404, {"code": "REQUEST::ROUTE_NOT_FOUND", "message": self.path})

    def _reply(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


if __name__ == "__main__":
    # Loopback only: a probe reads everything.
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Probe).serve_forever()

# ruff: noqa: INP001
