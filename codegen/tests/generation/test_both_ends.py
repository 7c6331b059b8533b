"""The generated client and the generated server understand each other, and the examples of the spec."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import msgspec
import pytest

from sandkit_codegen.load import MapNode, OpenApi, Operation, plain, read_document
from sandkit_codegen.naming import snake_case

from .conftest import REPOSITORY

API = OpenApi(read_document(REPOSITORY / "specs" / "lifecycle.yaml"))


class Service:
    """Answers every operation with what was prepared, and keeps what it was called with."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.called: dict[str, Any] = {}

    def __getattr__(self, name: str) -> Any:
        async def method(context: None, *arguments: Any, **named: Any) -> Any:
            self.called = {"name": name, "arguments": arguments, "named": named}
            return self.answer

        return method


def examples(holder: MapNode | None) -> Iterator[Any]:
    content = holder.map("content") if holder else None
    for media in content.entries.values() if content else ():
        found = media.map("examples") if isinstance(media, MapNode) else None
        for example in found.entries.values() if found else ():
            resolved = API.resolve(example)
            assert isinstance(resolved, MapNode)
            yield plain(resolved.entries["value"])


def requests() -> Iterator[Any]:
    for operation in API.operations:
        for number, body in enumerate(examples(API.request_body(operation))):
            yield pytest.param(operation, body, id=f"{operation.operation_id}-{number}")


def answers() -> Iterator[Any]:
    for operation in API.operations:
        status, answer = next(pair for pair in API.responses(operation).items() if pair[0].startswith("2"))
        for number, body in enumerate(examples(answer)):
            yield pytest.param(operation, int(status), body, id=f"{operation.operation_id}-{number}")


def client(operation: Operation) -> Any:
    return importlib.import_module(f"sandkit._generated.operations.{snake_case(operation.operation_id)}")


def route(operation: Operation) -> Any:
    routes = importlib.import_module("sandkit_server._generated.routes")
    return next(each for each in routes.ROUTES if each.operation_id == operation.operation_id)


def server_value(operation: Operation, status: int, body: Any) -> Any:
    """What the server's handler would return for this example."""
    api = importlib.import_module("sandkit_server._generated.api")
    models = importlib.import_module("sandkit_server._generated.models")
    answer = API.responses(operation)[str(status)]
    content = answer.map("content")
    media = content.map("application/json") if content else None
    schema = media.map("schema") if media else None
    if schema is None:
        return body
    name = (schema.text("$ref") or "").rpartition("/")[2]
    value = msgspec.convert(body, getattr(models, name), strict=True)
    headers = answer.map("headers")
    return api.Created(value, "/x") if headers and "Location" in headers.entries else value


def inbound(request: Any, template: str) -> Any:
    """A request of the client as the server receives it, percent-decoded."""
    exchange = importlib.import_module("sandkit_server._generated.exchange")
    steps = zip(template.split("/"), request.path.split("/"), strict=True)
    path = {name.strip("{}"): unquote(value) for name, value in steps if name.startswith("{")}
    headers = {name.lower(): value for name, value in request.headers.items()}
    return exchange.Inbound(path, request.query, headers, request.content or b"")


def path_arguments(operation: Operation) -> dict[str, Any]:
    values = {"port": 8000}
    names = [node.text("name") or "" for node in API.parameters(operation) if node.text("in") == "path"]
    return {snake_case(name): values.get(name, "a/b é%.") for name in names}


@pytest.mark.parametrize(("operation", "body"), list(requests()))
async def test_a_request_arrives_as_it_was_meant(operation: Operation, body: Any) -> None:
    models = importlib.import_module("sandkit._generated.models")
    name = snake_case(operation.operation_id)
    body_type, sent = route(operation).body_type, body
    if isinstance(body_type, type) and issubclass(body_type, msgspec.Struct):
        sent = getattr(models, body_type.__name__).from_dict(body)
        assert sent.to_dict() == json.loads(json.dumps(body).replace("+00:00", "Z"))
    request = client(operation).build(**path_arguments(operation), body=sent)
    api = importlib.import_module("sandkit_server._generated.api")
    service = Service(api.Created(None, "/x"))
    await route(operation).invoke(service, None, inbound(request, operation.path))
    assert service.called["name"] == name
    assert service.called["arguments"][:-1] == tuple(path_arguments(operation).values())
    received = service.called["arguments"][-1]
    assert received == msgspec.json.decode(json.dumps(body), type=body_type)


@pytest.mark.parametrize(("operation", "status", "body"), list(answers()))
async def test_an_answer_arrives_as_it_was_meant(operation: Operation, status: int, body: Any) -> None:
    arguments = path_arguments(operation)
    request_body = next(examples(API.request_body(operation)), None)
    if request_body is not None:
        struct = route(operation).body_type
        named = isinstance(struct, type) and issubclass(struct, msgspec.Struct)
        models = importlib.import_module("sandkit._generated.models")
        arguments["body"] = (
            getattr(models, struct.__name__).from_dict(request_body) if named else request_body
        )
    request = client(operation).build(**arguments)
    service = Service(server_value(operation, status, body))
    outbound = await route(operation).invoke(service, None, inbound(request, operation.path))
    assert outbound.status == status
    assert outbound.status in request.operation.statuses
    parsed = client(operation).parse(
        outbound.status, {"Content-Type": outbound.media_type or ""}, outbound.content
    )
    assert (parsed.to_dict() if hasattr(parsed, "to_dict") else parsed) == body
    if hasattr(parsed, "to_dict"):
        assert parsed.additional_properties == {}


def test_examples_cover_the_api() -> None:
    assert len(list(requests())) >= 8
    assert len({each.values[0].operation_id for each in answers()}) >= 15
