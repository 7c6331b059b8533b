"""The catalogue of broken servers: what it lists, and that a mutant leaves no trace in its process."""

from __future__ import annotations

import json
import types

import pytest

from sandkit_server.core.ownership import may_sweep
from sandkit_server.core.port_errors import Unavailable
from sandkit_server.testing.mutants import MUTANTS, Kind, Mutant, Substitution
from sandkit_server.testing.mutants.__main__ import main


def test_every_mutant_says_what_it_does_and_what_has_to_find_it() -> None:
    for mutant in MUTANTS.values():
        assert (mutant.kind is Kind.MUTANT) is (mutant.requirement is not None), mutant.id
        assert mutant.defect.endswith("."), mutant.id
        assert mutant.requirement not in mutant.also, mutant.id
        assert all(mutant.also.values()), mutant.id


def test_there_is_one_control_and_it_is_the_server_as_it_is() -> None:
    (control,) = [mutant for mutant in MUTANTS.values() if mutant.kind is Kind.CONTROL]
    assert control.substitutions == ()
    assert control.options == ()


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=list(MUTANTS))
def test_a_mutant_is_taken_back_whole(mutant: Mutant) -> None:
    def state() -> list[object]:
        return [vars(one.owner)[one.name] for one in mutant.substitutions]

    before = state()
    with mutant.installed():
        assert all(now is not then for now, then in zip(state(), before, strict=True))
    assert state() == before


def test_a_substitution_is_taken_back_after_a_failure() -> None:
    module = types.SimpleNamespace(decide=may_sweep)
    substitution = Substitution(module, "decide", lambda _original: lambda _error: True)

    def fail_meanwhile() -> None:
        with substitution.installed():
            assert module.decide(Unavailable("down"))
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail_meanwhile()
    assert not module.decide(Unavailable("down"))


def test_the_list_is_for_machines_and_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["list", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["format"] == "sandkit-mutants/1"
    assert [entry["id"] for entry in document["mutants"]] == list(MUTANTS)
    with pytest.raises(SystemExit, match="0"):
        main(["list"])
    assert "VOL-05   volumes-sweep-by-one-label: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "no-such"], "there is no mutant no-such"),
        (["list", "--port", "0"], "list does not take --port 0"),
        (["host", "--port", "0"], "host does not take --port 0"),
        (["serve", "control", "--port", "99999"], "--port 99999"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err
