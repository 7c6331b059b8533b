"""How a scenario goes on, or does not, when something is missing or goes wrong."""

from __future__ import annotations

import textwrap
import time

import anyio
import pytest

from sandkit_conformance.target import DEFAULT_BUDGETS

from .conftest import QUICK, Play
from .fakes import FakeControl, FakeProbe
from .tiny_server import Handler, Server

PAUSE = """
steps:
  - {call: createSandbox, as: sandbox}
  - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 202}, check: PAU-01}
  - {probe: snapshots, expect: {count: 0}, check: PAU-15, as: found}
  - {verify: "${found.count}", is: 0, check: PAU-15}
  - {call: resumeSandbox, for: "${sandbox.id}", expect: {status: 202}, check: RES-01}
"""


async def test_without_a_probe_only_what_needs_it_is_unobservable(play: Play) -> None:
    played = await play(PAUSE)
    assert played.verdicts == ["pass", "unobservable", "unobservable", "pass"]
    assert "needs a probe port that can do `view`; there is none" in played.reasons


async def test_a_probe_that_cannot_do_it_is_no_probe(play: Play) -> None:
    played = await play(PAUSE, probe=FakeProbe(features=frozenset({"files"})))
    assert "the probe port cannot do `view`" in played.reasons


async def test_a_probe_that_breaks_says_nothing_about_the_server(play: Play) -> None:
    played = await play(PAUSE, probe=FakeProbe(broken=True))
    assert played.verdicts[:2] == ["pass", "inconclusive"]
    assert "fail" not in played.verdicts


async def test_an_undeclared_capability_is_not_applicable(play: Play) -> None:
    played = await play(PAUSE, capabilities=frozenset({"snapshots"}))
    assert played.verdicts == ["not-applicable"] * 4


async def test_a_scenario_about_a_lack_is_left_to_those_that_lack_it(play: Play) -> None:
    text = (
        "unless: {capabilities: [pause]}\n"
        + "steps:\n  - {call: getVersion, expect: {status: 200}, check: PAU-10}\n"
    )
    assert (await play(text)).verdicts == ["not-applicable"]
    assert (await play(text, capabilities=frozenset())).verdicts == ["pass"]


async def test_a_choice_the_target_has_not_made_is_not_applicable(play: Play) -> None:
    text = "needs: {choices: {pauseMode: freeze}}\nsteps:\n  - {verify: 1, is: 1, check: PAU-13}\n"
    assert (await play(text)).verdicts == ["not-applicable"]
    assert (await play(text, choices={"pauseMode": "freeze"})).verdicts == ["pass"]


async def test_without_the_disturbance_what_follows_from_it_is_unobservable(play: Play) -> None:
    played = await play(
        """
        steps:
          - {call: createSandbox, as: sandbox}
          - {fault: pod.delete, action: error, match: {sandboxId: "${sandbox.id}"}}
          - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 202}, check: FLT-11}
        """
    )
    assert played.verdicts == ["unobservable"]
    assert "needs a control port that can do `faults`" in played.reasons


class ExplodingControl(FakeControl):
    async def advance(self, seconds: float) -> str:
        raise ZeroDivisionError("oops")


async def test_a_defect_of_the_suite_is_never_the_servers(play: Play) -> None:
    text = "exclusive: true\nsteps:\n  - {advance: 1}\n  - {verify: 1, is: 1, check: TTL-05}\n"
    played = await play(text, control=ExplodingControl())
    assert played.verdicts == ["harness-error"]
    assert "ZeroDivisionError: oops" in played.reasons


async def test_a_call_that_is_lost_is_fine_only_where_that_is_said(play: Play, server: Server) -> None:
    def slam(handler: Handler) -> bool:
        handler.close_connection = True
        return handler.route.path.endswith("/pause")

    server.world.misbehave = slam
    steps = """
    steps:
      - {{call: createSandbox, as: sandbox}}
      - {{call: pauseSandbox, for: "${{sandbox.id}}"{lost}}}
      - {{call: getSandbox, for: "${{sandbox.id}}", expect: {{status: 200}}, check: FLT-10}}
    """
    assert (await play(steps.format(lost=", lost: allowed"))).verdicts == ["pass"]
    played = await play(steps.format(lost=""))
    assert played.verdicts == ["blocked"]
    assert "not a proper HTTP answer" in played.reasons


async def test_a_guarded_call_is_not_sent_into_another_state(play: Play, server: Server) -> None:
    played = await play(
        """
        steps:
          - {call: createSandbox, as: sandbox}
          - {call: pauseSandbox, for: "${sandbox.id}", while: Pausing, expect: {status: 409}, check: PAU-06}
          - {call: resumeSandbox, for: "${sandbox.id}", while: Running, expect: {status: 409}, check: RES-02}
        """
    )
    assert played.verdicts == ["inconclusive", "pass"]
    assert "the sandbox is Running and not Pausing, so nothing was sent" in played.reasons
    assert not any(request.endswith("/pause") for request in server.world.requests)


async def test_a_guarded_call_that_ends_in_another_state_decides_nothing(play: Play) -> None:
    played = await play(
        """
        steps:
          - {call: createSandbox, as: sandbox}
          - {call: pauseSandbox, for: "${sandbox.id}", while: Running, expect: {status: 409}, check: PAU-06}
        """
    )
    assert played.verdicts == ["inconclusive"]
    assert "had left Running for Paused" in played.reasons


async def test_a_server_that_stops_answering_is_not_waited_for_again_and_again(
    play: Play, server: Server
) -> None:
    server.world.misbehave = lambda handler: handler.server.world.released.wait(60) or True
    quick = {**DEFAULT_BUDGETS, "request": 0.5}
    waits = "\n".join("  - {call: listSandboxes, expect: {status: 200}, check: API-75}" for _ in range(30))
    started = time.monotonic()
    played = await play(f"steps:\n  - {{call: getVersion}}\n{waits}\n", budgets=quick)
    assert played.verdicts == ["blocked"] * 30
    assert time.monotonic() - started < 10


async def test_a_failed_check_of_the_same_kind_of_answer_does_not_block(play: Play, server: Server) -> None:
    server.world.misbehave = lambda handler: handler.server.world.released.wait(0.3) or False
    quick = {**DEFAULT_BUDGETS, "request": 0.1}
    calls = "\n".join("  - {verify: 1, is: 2, check: API-75}" for _ in range(2))
    played = await play(f"steps:\n{calls}\n", budgets=quick)
    assert played.verdicts == ["fail", "fail"]


async def test_a_scenario_ends_with_its_budget_and_cleans_up(play: Play, server: Server) -> None:
    played = await play(
        """
        budget: 0.3
        steps:
          - {call: createSandbox, as: sandbox}
          - {never: Paused, for: "${sandbox.id}", during: 30, check: PAU-09}
          - {verify: 1, is: 1, check: PAU-09}
        """
    )
    assert played.verdicts == ["blocked", "blocked"]
    assert "the scenario's budget of 0.3 s was used up" in played.reasons
    assert server.world.sandboxes == {}


async def test_an_interrupted_scenario_takes_back_what_it_made(play: Play, server: Server) -> None:
    with anyio.move_on_after(0.5) as interruption:
        await play(
            """
            steps:
              - {call: createSandbox, as: sandbox}
              - {never: Paused, for: "${sandbox.id}", during: 30, check: PAU-09}
            """
        )
    assert interruption.cancelled_caught
    assert any(request.startswith("DELETE") for request in server.world.requests)
    assert server.world.sandboxes == {}


async def test_finally_runs_and_says_what_went_wrong(play: Play) -> None:
    played = await play(
        """
        steps:
          - {verify: 1, is: 2, check: PAU-01}
        finally:
          - {let: {x: 1}}
          - {call: getSandbox, for: nobody}
        """
    )
    assert played.verdicts == ["fail"]
    assert "step finally.2: status: expected any 2xx, observed 404" in played.result.notes[0]


async def test_what_cannot_be_deleted_is_said_and_stays_in_the_ledger(play: Play, server: Server) -> None:
    def keep(handler: Handler) -> bool:
        if handler.command == "DELETE":
            handler.error(403, "REQUEST::FORBIDDEN")
            return True
        return False

    server.world.misbehave = keep
    played = await play("steps:\n  - {call: createSandbox, expect: {status: 202}, check: API-26}\n")
    assert "is left: delete answered 403 REQUEST::FORBIDDEN" in played.result.notes[0]
    assert [entry.kind for entry in played.run.ledger.standing()] == ["sandbox"]


async def test_a_delete_that_is_refused_for_now_is_asked_for_again(play: Play, server: Server) -> None:
    refused: list[str] = []

    def busy(handler: Handler) -> bool:
        if handler.command == "DELETE" and len(refused) < 2:
            refused.append(handler.path)
            handler.error(409, "SANDBOX::INVALID_STATE")
            return True
        return False

    server.world.misbehave = busy
    played = await play("steps:\n  - {call: createSandbox, expect: {status: 202}, check: API-26}\n")
    assert (played.result.notes, server.world.sandboxes) == ((), {})


async def test_evidence_is_captured_before_anything_is_deleted(play: Play, server: Server) -> None:
    played = await play(
        "steps:\n  - {call: createSandbox, as: sandbox}\n  - {verify: 1, is: 2, check: PAU-01}\n",
        probe=FakeProbe({"workloads": [{"name": "w", "sandboxId": "sbx-1"}]}),
    )
    order = [(event.step, event.data.get("operation")) for event in played.run.trace.events]
    assert order.index(("evidence", "getSandbox")) < order.index(("cleanup", "deleteSandbox"))
    evidence = next(event for event in played.run.trace.events if event.kind == "evidence")
    assert evidence.data["belonging"] == ["workloads/w"]


def create(fields: str) -> str:
    head = "steps:\n  - call: createSandbox\n    expect: {status: 202}\n    check: VOL-02\n"
    return head + textwrap.indent(fields, "    ")


def volume(claim: str) -> str:
    return f"with:\n  volumes: [{{name: v, mountPath: /v, pvc: {{claimName: {claim}}}}}]\n"


OWN_CLAIM = "\"${unique('data')}\""


async def test_claims_of_the_run_are_in_the_ledger_and_others_never(play: Play) -> None:
    played = await play(create(volume(OWN_CLAIM)), probe=FakeProbe())
    assert {entry.kind for entry in played.run.ledger.entries} == {"claim", "sandbox"}
    played = await play(create(volume("production")))
    assert {entry.kind for entry in played.run.ledger.entries} == {"sandbox"}


async def test_a_claim_out_of_reach_stays_in_the_ledger_without_a_word(play: Play) -> None:
    played = await play(create(volume(OWN_CLAIM)))
    assert played.result.notes == ()
    assert [entry.kind for entry in played.run.ledger.standing()] == ["claim"]


async def test_a_pool_that_was_refused_is_not_the_suites(play: Play) -> None:
    call = "{call: createPool, with: {name: somebodys}, expect: {status: 404}, check: API-141}"
    played = await play(f"steps:\n  - {call}\n")
    assert played.verdicts == ["pass"]
    assert played.run.ledger.standing() == []
    assert not any(event.data.get("operation") == "deletePool" for event in played.run.trace.events)


async def test_a_pool_that_was_made_and_asked_for_again_is_taken_back(play: Play, server: Server) -> None:
    pools: set[str] = set()

    def keeps_pools(handler: Handler) -> bool:
        last = handler.route.path.rpartition("/")[2]
        if handler.command == "POST" and last == "pools":
            if "ours" in pools:
                handler.error(409, "POOL::ALREADY_EXISTS")
            else:
                pools.add("ours")
                handler.reply(201, {"name": "ours"})
            return True
        if handler.command == "DELETE" and last in pools:
            pools.remove(last)
            handler.reply(204)
            return True
        return False

    server.world.misbehave = keeps_pools
    played = await play(
        """
        steps:
          - {call: createPool, with: {name: ours}, expect: {status: 201}, check: API-141}
          - {call: createPool, with: {name: ours}, expect: {status: 409}, check: API-141}
        """
    )
    assert played.verdicts == ["pass", "pass"]
    assert (pools, played.run.ledger.standing()) == (set(), [])


async def test_snapshots_of_a_sandbox_that_is_not_the_suites_are_left_alone(
    play: Play, server: Server
) -> None:
    def goes_away(handler: Handler) -> bool:
        return handler.route.path.endswith("/snapshots") and handler.slam()

    server.world.misbehave = goes_away
    played = await play(
        "steps:\n  - {call: createSnapshot, for: somebodys, expect: {status: 202}, check: API-26}\n"
    )
    assert played.verdicts == ["fail"]
    assert played.run.ledger.entries == {}
    assert server.world.requests[-1] == "POST /v1/sandboxes/somebodys/snapshots"


@pytest.mark.parametrize("answered", [True, False])
async def test_a_snapshot_is_taken_back_even_when_its_id_was_never_told(
    play: Play, server: Server, *, answered: bool
) -> None:
    snapshots = {"snap-of-another": "sbx-of-another"}

    def keeps_snapshots(handler: Handler) -> bool:
        last = handler.route.path.rpartition("/")[2]
        if handler.command == "POST" and last == "snapshots":
            snapshots["snap-1"] = handler.route.path.split("/")[3]
            if answered:
                handler.reply(202, {"id": "snap-1", "sandboxId": snapshots["snap-1"]})
                return True
            return handler.slam()
        if handler.command == "GET" and last == "snapshots":
            # A server that does not know the filter.
            items = [{"id": name, "sandboxId": sandbox} for name, sandbox in snapshots.items()]
            handler.reply(200, {"items": items})
            return True
        if handler.command == "DELETE" and last in snapshots:
            del snapshots[last]
            handler.reply(204)
            return True
        return False

    server.world.misbehave = keeps_snapshots
    played = await play(
        """
        steps:
          - {call: createSandbox, as: sandbox}
          - {call: createSnapshot, for: "${sandbox.id}", expect: {status: 202}, check: API-26}
        """
    )
    assert played.verdicts == ["pass" if answered else "fail"]
    assert (played.result.notes[1:], snapshots) == ((), {"snap-of-another": "sbx-of-another"})
    assert played.run.ledger.standing() == []


@pytest.mark.parametrize(("field", "verdict"), [("with", "pass"), ("body", "fail")])
async def test_create_starts_from_the_template_only_with_with(field: str, verdict: str, play: Play) -> None:
    verify = '  - {verify: "${s.metadata}", is: {length: 1}, check: API-28}\n'
    played = await play(create(f"{field}: {{entrypoint: [x]}}\nas: s\n") + verify)
    assert played.verdicts == ["pass", verdict]


def test_the_quick_budgets_name_every_budget() -> None:
    assert QUICK.keys() == DEFAULT_BUDGETS.keys()
