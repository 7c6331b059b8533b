"""Servers that tell addresses, logs and themselves wrongly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from sandkit_server.core import lifecycle
from sandkit_server.core.errors import ErrorCode, SandkitError
from sandkit_server.core.model import EndpointQuery, SandboxState
from sandkit_server.core.observation import DataPlaneAnswer
from sandkit_server.core.service import LifecycleService
from sandkit_server.runtimes.memory.data_plane import MemoryDataPlane
from sandkit_server.testing.mutants.exchanges import Reply, answers, asked, elsewhere, requests
from sandkit_server.testing.mutants.lenient import admits, chokes, forgives
from sandkit_server.testing.mutants.mutant import Mutant, service, swap

Call = Callable[..., Any]


async def _no_privileged_ports(real: LifecycleService, sandbox_id: str, query: EndpointQuery) -> Any:
    if query.port < 1024:
        raise SandkitError(ErrorCode.SANDBOX_INVALID_PORT, "Ports below 1024 are privileged.")
    return await real.endpoint(sandbox_id, query)


def _with_protocol(reply: Reply) -> None:
    if reply.is_for("GET", r"/endpoints/\d+") and reply.status == 200:
        body = reply.json
        reply.write({**body, "endpoint": f"tcp {body['endpoint']}"})


def _proxy_wins(query: dict[str, str]) -> None:
    if query.get("use_server_proxy") == "true":
        query.pop("expires", None)


def _words_for_booleans(query: dict[str, str]) -> None:
    if "use_server_proxy" in query:
        wanted = query["use_server_proxy"].lower() in {"true", "yes", "on", "1"}
        query["use_server_proxy"] = "true" if wanted else "false"


def _whole_seconds(query: dict[str, str]) -> None:
    if "expires" in query:
        digits = re.match(r"\d+", query["expires"])
        query["expires"] = digits.group() if digits else query.pop("expires")


def _not_while_pending(original: Call) -> Call:
    def admit(operation: str, state: str, subject: str) -> Any:
        if operation == "getSandboxEndpoint" and state == SandboxState.PENDING:
            raise lifecycle.unknown(operation, subject)
        return original(operation, state, subject)

    return admit


def _answers_while_paused(original: Call) -> Call:
    async def handle(
        self: MemoryDataPlane, sandbox_id: str, port: int, path: str, headers: Mapping[str, str]
    ) -> DataPlaneAnswer:
        record = self._engine.workloads.find(sandbox_id)
        if record is not None and record.state is SandboxState.PAUSED:
            return DataPlaneAnswer(status=200, body=b"pong")
        answer: DataPlaneAnswer = await original(self, sandbox_id, port, path, headers)
        return answer

    return handle


def _typed(kind: str, content_type: bytes) -> Callable[[Reply], None]:
    def edit(reply: Reply) -> None:
        if reply.is_for("GET", f"/diagnostics/{kind}") and reply.status == 200:
            reply.put(b"content-type", content_type)

    return edit


def _told_as(path: str, field: str, value: object) -> Callable[[Reply], None]:
    def edit(reply: Reply) -> None:
        if reply.is_for("GET", path):
            reply.write({**reply.json, field: value})

    return edit


ENDPOINTS = (
    Mutant(
        id="pause-leaves-the-address-answering",
        requirement="PAU-17",
        defect="The route to the ports is kept through a pause, and something still answers there.",
        substitutions=swap(MemoryDataPlane, "handle", _answers_while_paused),
        choices={"endpoints": "proxied"},
    ),
    Mutant(
        id="endpoint-of-low-ports-refused",
        requirement="API-107",
        defect="Ports below 1024 are taken for privileged and refused.",
        alter=service(endpoint=_no_privileged_ports),
    ),
    Mutant(
        id="endpoint-with-its-protocol",
        requirement="API-107",
        defect="The endpoint is written as an engine prints it, with the protocol before it.",
        alter=answers(_with_protocol),
    ),
    Mutant(
        id="endpoint-port-with-a-fraction",
        requirement="API-108",
        defect="A port is read as a number of any kind and cut off behind the point.",
        alter=requests(elsewhere(r"/endpoints/(\d+)\.\d+$", r"/endpoints/\1")),
    ),
    Mutant(
        id="endpoint-port-wraps-around",
        requirement="API-108",
        defect="A port is kept in sixteen bits, so that 65536 and more come out as another one.",
        alter=requests(elsewhere(r"/endpoints/65536$", "/endpoints/1")),
    ),
    Mutant(
        id="endpoint-options-together",
        requirement="API-109",
        defect="Where use_server_proxy is given expires is not looked at.",
        alter=asked(r"/endpoints/\d+", _proxy_wins),
    ),
    Mutant(
        id="endpoint-of-an-unknown-id-crashes",
        requirement="API-110",
        defect="An id that is not of the server's making is answered 500 when asked for an endpoint.",
        alter=chokes("endpoint"),
    ),
    Mutant(
        id="endpoint-of-what-is-stopping",
        requirement="API-111",
        defect="The endpoint is computed from the id, and the state is not looked at.",
        substitutions=admits("getSandboxEndpoint", "Stopping"),
    ),
    Mutant(
        id="endpoint-of-what-has-failed",
        requirement="API-111",
        defect="A failed sandbox keeps its entry in the table of addresses.",
        substitutions=admits("getSandboxEndpoint", "Failed"),
    ),
    Mutant(
        id="endpoint-booleans-in-words",
        requirement="API-112",
        defect="use_server_proxy is read by a helper that knows yes, on and 1.",
        alter=asked(r"/endpoints/\d+", _words_for_booleans),
    ),
    Mutant(
        id="endpoint-expiry-cut-off",
        requirement="API-112",
        defect="expires is read up to the first character that is no digit.",
        alter=asked(r"/endpoints/\d+", _whole_seconds),
    ),
    Mutant(
        id="endpoint-only-when-running",
        requirement="API-154",
        defect="A sandbox has no endpoint before its pod has an address.",
        substitutions=swap(lifecycle, "admit", _not_while_pending),
    ),
    Mutant(
        id="logs-without-a-charset",
        requirement="API-142",
        defect="Logs do not say in which charset they are.",
        alter=answers(_typed("logs", b"text/plain")),
    ),
    Mutant(
        id="events-in-latin-1",
        requirement="API-143",
        defect="Events are sent in the charset of the server's locale.",
        alter=answers(_typed("events", b"text/plain; charset=iso-8859-1")),
    ),
    Mutant(
        id="logs-of-nothing-are-empty",
        requirement="API-144",
        defect="Logs are searched by label, and of an id that names nothing none are found.",
        alter=forgives("logs", ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, lambda *_: ""),
    ),
    Mutant(
        id="events-of-nothing-are-empty",
        requirement="API-144",
        defect="Events are searched by label, and of an id that names nothing none are found.",
        alter=forgives("events", ErrorCode.SANDBOX_SANDBOX_NOT_FOUND, lambda *_: ""),
    ),
    Mutant(
        id="health-is-a-boolean",
        requirement="API-146",
        defect="Health is told as true or false.",
        alter=answers(_told_as("/health", "status", True)),
        also={"API-03": "The description has a text there."},
    ),
    Mutant(
        id="version-is-a-number",
        requirement="API-147",
        defect="A version of one digit is written as a number.",
        alter=answers(_told_as("/version", "version", 1)),
        also={"API-03": "The description has a text there."},
    ),
)
