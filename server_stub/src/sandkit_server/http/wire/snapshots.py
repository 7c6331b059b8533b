"""Snapshots as they are answered."""

from __future__ import annotations

from sandkit_server._generated import models
from sandkit_server.core.model import Page, Snapshot
from sandkit_server.http.wire.absence import present
from sandkit_server.http.wire.pagination import write_pagination

__all__ = ["write_snapshot", "write_snapshot_page"]


def write_snapshot(snapshot: Snapshot) -> models.Snapshot:
    """The snapshot with everything that is known about it, and no nulls."""
    status = snapshot.status
    return models.Snapshot(
        id=snapshot.id,
        sandbox_id=snapshot.sandbox_id,
        name=present(snapshot.name),
        status=models.SnapshotStatus(
            state=status.state,
            reason=present(status.reason),
            message=present(status.message),
            last_transition_at=status.last_transition_at,
        ),
        created_at=snapshot.created_at,
    )


def write_snapshot_page(page: Page[Snapshot]) -> models.SnapshotPage:
    """One page of a listing."""
    return models.SnapshotPage(
        items=[write_snapshot(snapshot) for snapshot in page.items], pagination=write_pagination(page)
    )
