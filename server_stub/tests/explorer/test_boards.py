"""Boards: what is equal is the same number, whatever order it came about in."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sandkit_server.core.port_errors import VersionConflict
from sandkit_server.kubernetes.calls import Call, create, delete, list_all, merge
from sandkit_server.kubernetes.resources import BATCH_SANDBOXES, PODS
from sandkit_server.testing.explorer.boards import Board, Boards
from sandkit_server.testing.explorer.programs import Library
from sandkit_server.testing.explorer.values import Values


class Table:
    def __init__(self) -> None:
        self.library = Library(Values())
        self.boards = Boards(self.library, [datetime(2026, 1, 1, tzinfo=UTC)], ("sbx-a", "sbx-b"))

    def apply(self, board: Board, *calls: Call) -> Board:
        for call in calls:
            board = self.boards.apply(board, self.library.call_number(call), 0).board
        return board

    def answer(self, board: Board, call: Call) -> Any:
        return self.library.values[self.boards.apply(board, self.library.call_number(call), 0).given]


def sandbox(name: str) -> Call:
    body = {"metadata": {"name": name, "labels": {"opensandbox.io/id": name}}, "spec": {"template": {}}}
    return create(BATCH_SANDBOXES, body)


def test_the_order_of_independent_writes_does_not_show() -> None:
    table = Table()
    empty = table.boards.empty
    pause = merge(BATCH_SANDBOXES, "sbx-a", {"spec": {"pause": True}})
    one = table.apply(empty, sandbox("sbx-a"), sandbox("sbx-b"), pause)
    other = table.apply(empty, sandbox("sbx-b"), sandbox("sbx-a"), pause)
    assert one == other


def test_a_sandbox_changes_only_its_own_part() -> None:
    table = Table()
    both = table.apply(table.boards.empty, sandbox("sbx-a"), sandbox("sbx-b"))
    after = table.apply(both, merge(BATCH_SANDBOXES, "sbx-b", {"spec": {"pause": True}}))
    assert after[0] == both[0]
    assert after[1] != both[1]


def test_a_name_taken_again_is_another_object_at_a_later_version() -> None:
    table = Table()
    pod = create(PODS, {"metadata": {"name": "sbx-a"}, "spec": {"containers": []}})
    first = table.apply(table.boards.empty, pod)
    second = table.apply(first, delete(PODS, "sbx-a"), pod)
    before, after = (table.boards.find(board, PODS, "sbx-a") for board in (first, second))
    assert before is not None
    assert after is not None
    assert before["metadata"]["uid"] != after["metadata"]["uid"]
    assert int(before["metadata"]["resourceVersion"]) < int(after["metadata"]["resourceVersion"])


def test_a_refused_write_leaves_the_board() -> None:
    table = Table()
    board = table.apply(table.boards.empty, sandbox("sbx-a"))
    late = merge(BATCH_SANDBOXES, "sbx-a", {"spec": {"pause": True}}, version="99")
    assert table.apply(board, late) == board
    assert isinstance(table.answer(board, late), VersionConflict)


def test_lists_select_by_labels() -> None:
    table = Table()
    board = table.apply(table.boards.empty, sandbox("sbx-a"), sandbox("sbx-b"))
    listed = table.answer(board, list_all(BATCH_SANDBOXES, {"opensandbox.io/id": "sbx-b"}))
    assert [item["metadata"]["name"] for item in listed["items"]] == ["sbx-b"]
    assert len(table.answer(board, list_all(BATCH_SANDBOXES))["items"]) == 2
