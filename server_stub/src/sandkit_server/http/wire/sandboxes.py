"""Sandboxes as they are answered, and what selects them."""

from __future__ import annotations

from urllib.parse import parse_qsl

from sandkit_server._generated import models
from sandkit_server.core.errors import FieldError, invalid_request
from sandkit_server.core.model import Page, Sandbox, SandboxFilter
from sandkit_server.http.wire.absence import filled, present
from sandkit_server.http.wire.pagination import write_pagination

__all__ = ["read_sandbox_filter", "write_sandbox", "write_sandbox_page"]


def write_sandbox(sandbox: Sandbox) -> models.Sandbox:
    """The sandbox with everything that is known about it, and no nulls."""
    status = sandbox.status
    platform = sandbox.platform
    image = None if sandbox.image_uri is None else models.ImageReference(uri=sandbox.image_uri)
    return models.Sandbox(
        id=sandbox.id,
        image=present(image),
        snapshot_id=present(sandbox.snapshot_id),
        platform=present(None if platform is None else models.Platform(os=platform.os, arch=platform.arch)),
        status=models.SandboxStatus(
            state=status.state,
            reason=present(status.reason),
            message=present(status.message),
            last_transition_at=status.last_transition_at,
        ),
        metadata=filled(sandbox.metadata),
        extensions=filled(sandbox.extensions),
        entrypoint=list(sandbox.entrypoint),
        expires_at=present(sandbox.expires_at),
        created_at=sandbox.created_at,
    )


def write_sandbox_page(page: Page[Sandbox]) -> models.SandboxPage:
    """One page of a listing."""
    return models.SandboxPage(
        items=[write_sandbox(sandbox) for sandbox in page.items], pagination=write_pagination(page)
    )


def read_sandbox_filter(states: tuple[str, ...], metadata: str | None) -> SandboxFilter:
    """What selects sandboxes.

    ``metadata`` is a URL-encoded query string of its own, such as ``team=a&tier=b``.

    Raises:
        SandkitError: REQUEST::INVALID_PARAMETER for metadata that is no such text, or asks two things of one
        key.
    """
    return SandboxFilter(states=frozenset(states), metadata=_read_metadata(metadata) if metadata else {})


def _read_metadata(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise invalid_request(
            [FieldError("query:metadata", "format", "Give key=value pairs, URL-encoded and joined by &.")]
        ) from None
    entries = dict(pairs)
    if len(entries) != len(pairs):
        raise invalid_request([FieldError("query:metadata", "unique", "Name each metadata key once.")])
    return entries
