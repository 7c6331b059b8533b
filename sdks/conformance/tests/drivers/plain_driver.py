"""A driver in nothing but the standard library, honest unless it is told a flaw with `--flaw NAME`.

It stands for a driver in any language. A flaw `late-…` shows from the third pauseSandbox on.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
from typing import Any
from urllib.parse import urlencode, urlsplit

OPERATIONS = (
    *("createSandbox", "listSandboxes", "getSandbox", "deleteSandbox", "patchSandboxMetadata"),
    *("pauseSandbox", "resumeSandbox", "renewSandboxExpiration", "getSandboxEndpoint", "getSandboxLogs"),
)


class PlainDriver:
    def __init__(self, flaw: str) -> None:
        self.flaw = flaw
        self.writing = threading.Lock()
        self.serial = threading.Lock()
        self.open: set[int] = set()
        self.pauses = 0
        self.host = self.key = ""

    def write(self, line: dict[str, Any]) -> None:
        with self.writing:
            if line["type"] != "hello":
                if line["id"] not in self.open and self.flaw != "answers-twice":
                    return
                self.open.discard(line["id"])
            if self.flaw == "wrong-id" and line["type"] == "result":
                line = {**line, "id": line["id"] + 1000}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    def take(self, line: dict[str, Any]) -> None:
        if line["type"] == "hello":
            self.greet(line)
        elif line["type"] == "cancel" and self.flaw != "never-cancels":
            self.write({"type": "error", "id": line["id"], "kind": "cancelled", "message": "as asked"})
        elif line["type"] == "call":
            self.open.add(line["id"])
            if self.misbehave(line):
                return
            threading.Thread(target=self.call, args=(line,), daemon=True).start()

    def greet(self, line: dict[str, Any]) -> None:
        if self.flaw == "dies-at-once":
            raise SystemExit("no such luck")
        if self.flaw == "leaks-key":
            sys.stderr.write(f"using {line['apiKey']}\n")
        self.host, self.key = urlsplit(line["baseUrl"]).netloc, line["apiKey"]
        protocol = "sandkit-driver/9" if self.flaw == "other-protocol" else "sandkit-driver/1"
        offered = [*OPERATIONS, "flySandbox"] if self.flaw == "offers-unknown" else OPERATIONS
        welcome = {"type": "hello", "id": 0, "protocol": protocol, "name": "plain", "version": "1"}
        self.write({**welcome, "operations": list(offered)})

    def misbehave(self, line: dict[str, Any]) -> bool:
        self.pauses += line["operationId"] == "pauseSandbox"
        flaw = self.flaw
        if flaw.startswith("late-"):
            flaw = flaw.removeprefix("late-") if self.pauses > 2 else ""
        if flaw == "crashes":
            sys.stderr.write("Traceback: the end\n")
            sys.stderr.flush()
            os._exit(3)
        if flaw == "garbage":
            sys.stdout.write("DEBUG sending a request\n")
            sys.stdout.flush()
        if flaw == "refuses-everything":
            text = {"type": "error", "id": line["id"], "kind": "inexpressible", "message": "too hard"}
            self.write(text)
        if flaw == "defect":
            self.write({"type": "error", "id": line["id"], "kind": "internal", "message": "a bug"})
        return flaw in {"refuses-everything", "defect"}

    def call(self, line: dict[str, Any]) -> None:
        if self.flaw == "one-at-a-time":
            with self.serial:
                answer = self.perform(line)
        else:
            answer = self.perform(line)
        self.write({**answer, "id": line["id"]})
        if self.flaw == "answers-twice":
            self.write({**answer, "id": line["id"]})

    def perform(self, line: dict[str, Any]) -> dict[str, Any]:
        seconds = 30.0 if self.flaw == "no-time-out" else line["timeout"]
        connection = http.client.HTTPConnection(self.host, timeout=seconds)
        try:
            answer = self.exchange(connection, line)
            if self.flaw == "retries" and answer["status"] == 503:
                answer = self.exchange(connection, line)
        except TimeoutError:
            return {"type": "error", "kind": "timeout", "message": "no answer"}
        except http.client.IncompleteRead as error:
            if self.flaw == "half-bodies":
                return self.result(200, [("X-Request-ID", "r")], error.partial)
            return {"type": "error", "kind": "truncated", "message": str(error)}
        except OSError as error:
            return {"type": "error", "kind": "unreachable", "message": str(error)}
        finally:
            connection.close()
        if self.flaw == "lies-about-status" and answer["status"] >= 400:
            answer["status"] = 200
        if self.flaw == "invents-code" and answer["code"]:
            answer["code"] = "SANDBOX::SOMETHING"
        return answer

    def exchange(self, connection: http.client.HTTPConnection, line: dict[str, Any]) -> dict[str, Any]:
        query = f"?{urlencode([tuple(pair) for pair in line['query']])}" if line["query"] else ""
        headers = {"OPEN-SANDBOX-API-KEY": self.key or ""}
        for field, name in (("idempotencyKey", "Idempotency-Key"), ("requestId", "X-Request-ID")):
            if field in line and self.flaw != "forgets-headers":
                headers[name] = line[field]
        body = None
        if "body" in line:
            sent = line["body"]
            if self.flaw == "drops-fields" and isinstance(sent, dict):
                sent = {name: value for name, value in sent.items() if name != "surprise"}
            body, headers["Content-Type"] = json.dumps(sent).encode(), "application/json"
        connection.request(line["method"], line["path"] + query, body, headers)
        response = connection.getresponse()
        return self.result(response.status, response.getheaders(), response.read())

    def result(self, status: int, headers: list[tuple[str, str]], content: bytes) -> dict[str, Any]:
        names = {name.lower(): value for name, value in headers}
        answer: dict[str, Any] = {
            "type": "result",
            "status": status,
            "headers": [list(pair) for pair in headers],
            "code": None,
            "requestId": names.get("x-request-id"),
        }
        if not content:
            return answer
        try:
            answer["body"] = json.loads(content)
        except ValueError:
            return {**answer, "text": content.decode("utf-8", "replace")}
        if status >= 400 and isinstance(answer["body"], dict):
            answer["code"] = answer["body"].get("code")
        return answer


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--flaw", default="")
    driver = PlainDriver(parser.parse_args().flaw)
    for line in sys.stdin:
        read = json.loads(line)
        if read["type"] == "bye":
            return 7 if driver.flaw == "bad-exit" else 0
        driver.take(read)
    return 0


if __name__ == "__main__":
    sys.exit(main())
