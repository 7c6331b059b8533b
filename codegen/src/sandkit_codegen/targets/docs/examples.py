"""The examples of the spec, for readers: bodies as they go over the wire."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from sandkit_codegen.load import MapNode, OpenApi, Operation, plain


@dataclass(frozen=True, slots=True)
class ExampleView:
    """One example; `language` is that of its fenced block."""

    title: str
    language: str
    text: str


def example_views(api: OpenApi) -> dict[str, tuple[ExampleView, ...]]:
    """By operation: its request bodies, then its answers of success, each as the spec shows it."""
    return {operation.operation_id: tuple(_examples(api, operation)) for operation in api.operations}


def _examples(api: OpenApi, operation: Operation) -> Iterator[ExampleView]:
    body = api.request_body(operation)
    if body is not None:
        yield from _of_content(api, body, "Request")
    for status, answer in api.responses(operation).items():
        if status.startswith("2"):
            yield from _of_content(api, answer, f"Answer {status}")


def _of_content(api: OpenApi, holder: MapNode, title: str) -> Iterator[ExampleView]:
    content = holder.map("content")
    for media, node in list(content.entries.items())[:1] if content else ():
        examples = node.map("examples") if isinstance(node, MapNode) else None
        for example in examples.entries.values() if examples else ():
            resolved = api.resolve(example)
            value = resolved.get("value") if isinstance(resolved, MapNode) else None
            if value is None or not isinstance(resolved, MapNode):
                continue
            summary = resolved.text("summary")
            shown = plain(value)
            yield ExampleView(
                title=f"{title}: {summary[0].lower()}{summary[1:]}" if summary else title,
                language="json" if media.endswith("json") else "text",
                text=json.dumps(shown, indent=2, ensure_ascii=False)
                if media.endswith("json")
                else str(shown).rstrip("\n"),
            )
