"""Texts of the spec about its schemas."""

from __future__ import annotations

from sandkit_codegen.load import MapNode, Node, OpenApi


def description_of(api: OpenApi, node: Node) -> str:
    """What a schema, or else the one it refers to, says about itself; empty when neither does."""
    for each in (node, api.resolve(node)):
        text = each.text("description") if isinstance(each, MapNode) else None
        if text:
            return text.strip()
    return ""
