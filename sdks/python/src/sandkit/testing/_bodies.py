"""Bodies of answers, as JSON values, with the least that the contract asks for."""

from __future__ import annotations

from typing import Any

_CREATED_AT = "2026-11-02T09:30:00Z"


def sandbox_body(sandbox_id: str = "sbx-1", *, state: str = "Running", **more: Any) -> dict[str, Any]:
    """A sandbox.

    Args:
        sandbox_id: Its id.
        state: Its state.
        **more: Further fields by their name on the wire; a `status` is merged with the state.
    """
    status = {"state": state, **more.pop("status", {})}
    return {
        "id": sandbox_id,
        "image": {"uri": "python:3.12-slim"},
        "entrypoint": ["tail", "-f", "/dev/null"],
        "createdAt": _CREATED_AT,
        **more,
        "status": status,
    }


def snapshot_body(snapshot_id: str = "snap-1", *, state: str = "Ready", **more: Any) -> dict[str, Any]:
    """A snapshot; arguments as for `sandbox_body`."""
    status = {"state": state, **more.pop("status", {})}
    return {"id": snapshot_id, "sandboxId": "sbx-1", "createdAt": _CREATED_AT, **more, "status": status}


def page_body(
    items: list[dict[str, Any]], *, page: int = 1, page_size: int = 20, total: int | None = None
) -> dict[str, Any]:
    """One page of a list; `total` counts the entries of all pages, by default those of this one."""
    total = len(items) if total is None else total
    pages = -(-total // page_size)
    return {
        "items": items,
        "pagination": {
            "page": page,
            "pageSize": page_size,
            "totalItems": total,
            "totalPages": pages,
            "hasNextPage": page < pages,
        },
    }


def error_body(code: str, message: str = "it went wrong", **more: Any) -> dict[str, Any]:
    """The body of an answer outside 2xx."""
    return {"code": code, "message": message, **more}
