from __future__ import annotations

from sandkit_server.kubernetes.store import Step, Store

from .api_server import obj


def names(steps: object) -> list[tuple[str | None, str | None]]:
    def one(value: object) -> str | None:
        return None if value is None else f"{value['metadata']['uid']}@{value['metadata']['resourceVersion']}"  # type: ignore[index]

    assert isinstance(steps, (list, tuple))
    found: list[Step] = list(steps)
    return [(one(before), one(after)) for before, after in found]


def test_only_newer_states_are_taken_over() -> None:
    store = Store()
    assert names(store.apply(obj("a", 5, "u"))) == [(None, "u@5")]
    assert store.apply(obj("a", 5, "u")) == ()
    assert store.apply(obj("a", 4, "u")) == ()
    assert names(store.apply(obj("a", 10, "u"))) == [("u@5", "u@10")]


def test_what_was_deleted_does_not_come_back() -> None:
    store = Store()
    store.apply(obj("a", 5, "u"))
    assert names(store.remove(obj("a", 7, "u"))) == [("u@5", None)]
    assert store.apply(obj("a", 6, "u")) == ()
    assert store.get("a") is None


def test_what_left_the_selector_may_come_back() -> None:
    store = Store()
    store.apply(obj("a", 5, "u"))
    store.remove(obj("a", 7, "u"))
    assert names(store.apply(obj("a", 8, "u"))) == [(None, "u@8")]


def test_an_old_departure_does_not_remove_what_came_back() -> None:
    store = Store()
    store.apply(obj("a", 9, "u"))
    assert store.remove(obj("a", 7, "u")) == ()
    assert store.get("a") is not None


def test_what_was_forgotten_never_comes_back_even_before_it_was_known() -> None:
    store = Store()
    store.apply(obj("a", 5, "u"))
    assert names(store.forget("a", "u")) == [("u@5", None)]
    assert store.apply(obj("a", 99, "u")) == ()
    assert store.forget("b", "v") == ()
    assert store.apply(obj("b", 99, "v")) == ()


def test_forgetting_one_object_leaves_the_next_of_that_name() -> None:
    store = Store()
    store.apply(obj("a", 9, "new"))
    assert store.forget("a", "old") == ()
    assert store.remove(obj("a", 10, "old")) == ()
    assert store.get("a") is not None


def test_another_object_of_the_name_ends_the_one_before() -> None:
    store = Store()
    store.apply(obj("a", 5, "old"))
    assert names(store.apply(obj("a", 8, "new"))) == [("old@5", None), (None, "new@8")]
    assert store.apply(obj("a", 6, "old")) == ()
    assert names(store.apply(obj("a", 9, "new"))) == [("new@8", "new@9")]


def test_a_list_replaces_everything_that_is_not_newer_than_it() -> None:
    store = Store()
    for known in (obj("same", 3), obj("changed", 4), obj("gone", 5), obj("later", 30)):
        store.apply(known)
    steps = store.replace([obj("same", 3), obj("changed", 9), obj("new", 12)], "20")
    assert names(steps) == [
        ("uid-gone@5", None),
        ("uid-changed@4", "uid-changed@9"),
        (None, "uid-new@12"),
    ]
    assert {item["metadata"]["name"] for item in store} == {"same", "changed", "new", "later"}
    assert store.apply(obj("gone", 6)) == ()


def test_a_list_made_before_a_deletion_does_not_undo_it() -> None:
    store = Store()
    store.apply(obj("a", 5, "u"))
    store.forget("a", "u")
    assert store.replace([obj("a", 5, "u")], "20") == []


def test_the_index_follows_the_labels() -> None:
    store = Store(["k"])
    store.apply(obj("a", 1, labels={"k": "x"}))
    store.apply(obj("b", 2, labels={"k": "x", "other": "y"}))
    store.apply(obj("c", 3))

    def found(value: str) -> list[str]:
        return [item["metadata"]["name"] for item in store.labelled("k", value)]

    assert found("x") == ["a", "b"]
    store.apply(obj("a", 4, labels={"k": "z"}))
    assert (found("x"), found("z")) == (["b"], ["a"])
    store.remove(obj("b", 5))
    store.apply(obj("a", 6))
    assert (found("x"), found("z"), len(store)) == ([], [], 2)


def test_who_set_which_field_is_not_kept_and_what_was_given_is_not_changed() -> None:
    store = Store()
    given = obj("a", 1, managedFields=[{"manager": "m"}], annotations={"x": "y"})
    store.apply(given)
    kept = store.get("a")
    assert kept is not None
    assert kept["metadata"] == obj("a", 1, annotations={"x": "y"})["metadata"]
    assert given["metadata"]["managedFields"]


def test_iterating_is_not_disturbed_by_changes() -> None:
    store = Store()
    for number in range(3):
        store.apply(obj(f"o{number}", number + 1))
    for item in store:
        store.forget(item["metadata"]["name"], item["metadata"]["uid"])
    assert len(store) == 0
