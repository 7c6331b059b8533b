from __future__ import annotations

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.history import Model, Operation, explained
from sandkit_conformance.trajectory import TransitionTable


def model(catalogue: Catalogue) -> Model:
    machine = catalogue.machines["sandbox"]
    return Model(machine, TransitionTable.of(machine))


def pauses(*statuses: int | None) -> list[Operation]:
    return [Operation("pauseSandbox", 0.0, 1.0 + index, status) for index, status in enumerate(statuses)]


def test_one_winner_is_explained(catalogue: Catalogue) -> None:
    assert explained(model(catalogue), {"Running"}, pauses(202, 409, 409, 409))


def test_no_winner_and_two_winners_are_not(catalogue: Catalogue) -> None:
    assert not explained(model(catalogue), {"Running"}, pauses(202, 202, 409))
    assert not explained(model(catalogue), {"Paused"}, pauses(202, 409))


def test_a_call_without_an_answer_may_have_won(catalogue: Catalogue) -> None:
    assert explained(model(catalogue), {"Running"}, pauses(None, 409, 409))
    assert explained(model(catalogue), {"Running"}, pauses(None, 202, 409))


def test_all_losing_needs_somebody_who_may_have_won(catalogue: Catalogue) -> None:
    assert not explained(model(catalogue), {"Running"}, pauses(409, 409))
    assert explained(model(catalogue), {"Pausing"}, pauses(409, 409))


def test_what_was_answered_before_another_was_sent_came_before_it(catalogue: Catalogue) -> None:
    refused_first = [Operation("pauseSandbox", 0, 1, 409), Operation("pauseSandbox", 2, 3, 202)]
    won_first = [Operation("pauseSandbox", 0, 1, 202), Operation("pauseSandbox", 2, 3, 409)]
    assert not explained(model(catalogue), {"Running"}, refused_first)
    assert explained(model(catalogue), {"Running"}, won_first)


def test_deletes_are_204_until_it_is_gone(catalogue: Catalogue) -> None:
    def delete(*statuses: int) -> list[Operation]:
        return [
            Operation("deleteSandbox", index, index + 0.5, status) for index, status in enumerate(statuses)
        ]

    assert explained(model(catalogue), {"Running"}, delete(204, 204, 404, 404))
    assert not explained(model(catalogue), {"Running"}, delete(204, 404, 204))
    assert not explained(model(catalogue), {"Running"}, delete(404))


def test_a_pause_after_a_delete_loses(catalogue: Catalogue) -> None:
    both = [Operation("deleteSandbox", 0, 1, 204), Operation("pauseSandbox", 2, 3, 202)]
    assert not explained(model(catalogue), {"Running"}, both)


def test_many_contenders_are_no_trouble(catalogue: Catalogue) -> None:
    assert explained(model(catalogue), {"Running"}, pauses(202, *[409] * 63))
    assert not explained(model(catalogue), {"Running"}, pauses(202, 202, *[409] * 62))


def test_operations_without_a_row_are_left_out(catalogue: Catalogue) -> None:
    assert explained(model(catalogue), {"Running"}, [Operation("listSandboxes", 0, 1, 200)])
