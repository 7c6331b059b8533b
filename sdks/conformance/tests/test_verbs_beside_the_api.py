"""Probing, racing and disturbing, played against a small server, a probe and a control port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sandkit_conformance.drivers.side_port import SidePortError

from .conftest import Play
from .fakes import FakeControl, FakeProbe
from .stories import story
from .tiny_server import Handler, Server


async def test_probe_filters_and_judges_rows(play: Play) -> None:
    rows = [{"name": "a", "labels": {"x": "1"}}, {"name": "b", "owners": [{"uid": "u"}]}]
    played = await play(
        """
        steps:
          - {probe: volumes, where: {name: a}, expect: {first: {owners: {length: 0}}}, check: VOL-06, as: a}
          - {verify: "${a.first.labels.x}", is: "1", check: VOL-06}
          - {probe: volumes, expect: {each: {owners: {length: 0}}}, check: VOL-06}
          - {probe: volumes, expect: {any: {"owners[0].uid": u}}, check: VOL-06}
          - {probe: volumes, where: {name: c}, expect: {first: {name: c}}, check: VOL-06}
          - {probe: jobs, expect: {count: 0}, check: VOL-06}
        """,
        probe=FakeProbe({"volumes": rows}),
    )
    assert played.verdicts == ["pass", "pass", "fail", "pass", "fail", "pass"]
    assert "rows[1].owners" in played.reasons
    assert "first: expected a row, observed none" in played.reasons


async def test_probe_reads_events_in_their_order(play: Play) -> None:
    journal = [
        {"seq": 1, "kind": "pod", "action": "created", "object": {}},
        {"seq": 2, "kind": "snapshot", "action": "updated", "object": {"phase": "Ready"}},
        {"seq": 3, "kind": "pod", "action": "deleted", "object": {}},
    ]
    sequence = "expect: {sequence: [{kind: snapshot, object.phase: Ready}, {kind: pod, action: deleted}]}"
    backwards = "expect: {sequence: [{kind: pod, action: deleted}, {kind: snapshot}]}"
    played = await play(
        f"""
        steps:
          - {{probe: events, after: 1, {sequence}, check: PAU-14, as: mark}}
          - {{verify: "${{mark.seq}}", is: 3, check: PAU-14}}
          - {{probe: events, after: 1, {backwards}, check: PAU-14}}
          - {{probe: events, after: "${{mark.seq}}", {sequence}, check: PAU-14}}
        """,
        probe=FakeProbe(journal=journal),
    )
    assert played.verdicts == ["pass", "pass", "fail", "fail"]
    assert "came before" in played.reasons
    assert "no event with" in played.reasons


async def test_a_mark_keeps_the_number_of_the_last_event_and_none_of_them(play: Play) -> None:
    journal = [{"seq": 1, "kind": "pod", "action": "created", "object": {}}]
    played = await play(
        """
        steps:
          - {probe: events, as: mark}
          - {verify: "${mark.seq}", is: 1, check: PAU-14}
          - {verify: "${mark.count}", is: 0, check: PAU-14}
          - {probe: events, where: {kind: pod}, as: all}
          - {verify: "${all.count}", is: 1, check: PAU-14}
        """,
        probe=FakeProbe(journal=journal),
    )
    assert played.verdicts == ["pass"] * 3


async def test_probe_reads_files_environment_and_census(play: Play) -> None:
    probe = FakeProbe({"workloads": [{"name": "w"}], "volumes": [{"name": "v"}]}, files={("s", "/a"): "text"})
    played = await play(
        """
        exclusive: true
        steps:
          - {probe: file, for: s, file: /a, expect: {text: {contains: ex}, exists: true}, check: RES-06}
          - {probe: file, for: s, file: /b, expect: {exists: false}, check: RES-06}
          - {probe: file, for: s, file: /b, expect: {text: x}, check: RES-06}
          - {probe: environment, for: s, expect: {env: {SANDBOX: s, OTHER: {absent: true}}}, check: RES-06}
          - {probe: census, as: before}
          - {seed: volume, with: {name: "${unique('new')}"}}
          - {probe: census, expect: {rows: {equals: "${before.rows}"}}, check: RES-06}
        """,
        probe=probe,
    )
    assert played.verdicts == ["pass", "pass", "fail", "pass", "fail"]
    assert 'observed new ["volumes/skabc123-0-new"], missing []' in played.reasons


async def test_race_counts_answers_and_explains_them(play: Play) -> None:
    played = await play(
        story(
            """
            - race: [{call: pauseSandbox, for: "${sandbox.id}", times: 5}]
              expect: {tally: {202: 1, 409: 4}, statuses: [202, 409], explained: true, winners: {length: 1}}
              as: outcome
              check: PAU-15
            - {verify: "${outcome.statuses}", is: {same_set: [202, 409, 409, 409, 409]}, check: PAU-15}
            - race: [{call: pauseSandbox, for: "${sandbox.id}"}, {call: getSandbox, for: "${sandbox.id}"}]
              expect: {tally: {202: 1}, statuses: [202]}
              check: PAU-15
            """
        )
    )
    assert played.verdicts == ["pass", "pass", "fail"]
    assert "answers with 202: expected 1, observed 0" in played.reasons
    assert "statuses: expected only [202]" in played.reasons


async def test_race_finds_what_no_order_explains(play: Play, server: Server) -> None:
    def generous(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            handler.reply(202)
            return True
        return False

    server.world.misbehave = generous
    played = await play(
        story(
            """
            - race: [{call: pauseSandbox, for: "${sandbox.id}", times: 3}]
              expect: {explained: true}
              check: PAU-15
            """
        )
    )
    assert played.verdicts == ["fail"]
    assert "no order of the calls" in played.reasons


async def test_race_numbers_its_contenders(play: Play, server: Server) -> None:
    played = await play(
        """
        steps:
          - race: [{call: createSandbox, with: {metadata: {n: "${race.index}"}}, times: 3}]
            expect: {tally: {202: 3}, winners: {length: 3}}
            check: API-70
        """
    )
    assert played.verdicts == ["pass"]


async def test_parallel_runs_branches_side_by_side(play: Play) -> None:
    control = FakeControl()
    played = await play(
        story(
            """
            - {gate: hold, point: snapshot.commit, match: {sandboxId: "${sandbox.id}"}, as: commit}
            - parallel:
                - - {call: pauseSandbox, for: "${sandbox.id}"}
                - - {gate: reached, of: commit}
                  - {call: listSandboxes, as: page}
                  - {gate: release, of: commit}
            - {verify: "${page.items}", is: {length: 1}, check: PAU-06}
            """
        ),
        control=control,
    )
    assert played.verdicts == ["pass"]
    assert control.log == [
        "hold skabc123-0-gate-2 snapshot.commit before",
        "release skabc123-0-gate-2",
        "drop skabc123-0-gate-2",
    ]
    assert [step.number for step in played.result.steps if step.verb == "gate"] == ["2", "3.2.1", "3.2.3"]


async def test_a_gate_that_nobody_reaches_blocks(play: Play) -> None:
    played = await play(
        story(
            """
            - {gate: hold, point: snapshot.commit, match: {sandboxId: "${sandbox.id}"}, as: commit}
            - {gate: reached, of: commit, within: 0.1}
            - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 409}, check: PAU-06}
            """
        ),
        control=FakeControl(waiting=0),
    )
    assert played.verdicts == ["blocked"]
    assert "gate commit: expected 1 to stand there within 0.1 s, observed 0" in played.reasons


async def test_faults_are_set_counted_and_cleared(play: Play) -> None:
    control = FakeControl(hits=2)
    played = await play(
        story(
            """
            - {fault: claim.delete, action: error, match: {sandboxId: "${sandbox.id}"}, as: broken}
            - {await: {fault: broken, expect: {hits: {ge: 1}}}, check: VOL-10}
            - {clear: broken, hits: 2}
            - {fault: claim.list, action: error, match: {sandboxId: "${sandbox.id}"}}
            - {clear: all, hits: 3}
            - {verify: 1, is: 1, check: VOL-10}
            """
        ),
        control=control,
    )
    assert played.verdicts == ["pass", "blocked"]
    assert "hits of fault skabc123-0-fault-5: expected 3, observed 2" in played.reasons
    assert control.log == [
        "fault skabc123-0-fault-2 claim.delete error",
        "clear skabc123-0-fault-2",
        "fault skabc123-0-fault-5 claim.list error",
        "clear skabc123-0-fault-5",
    ]


async def test_what_a_scenario_set_is_taken_back_whatever_happened(play: Play, server: Server) -> None:
    control = FakeControl()
    played = await play(
        story(
            """
            - {fault: claim.delete, action: error, match: {sandboxId: "${sandbox.id}"}}
            - {gate: hold, point: claim.delete, match: {sandboxId: "${sandbox.id}"}, as: g}
            - {verify: 1, is: 2}
            - {verify: 1, is: 1, check: VOL-10}
            """
        ),
        control=control,
    )
    assert played.verdicts == ["blocked"]
    assert control.log[-2:] == ["clear skabc123-0-fault-2", "drop skabc123-0-gate-3"]
    assert server.world.sandboxes == {}
    assert played.run.ledger.standing() == []


class UnheardControl(FakeControl):
    """Does what it is told, but the answer is lost."""

    async def inject(self, fields: Mapping[str, Any]) -> None:
        await super().inject(fields)
        raise SidePortError("no answer")


async def test_a_fault_whose_answer_is_lost_is_taken_back(play: Play) -> None:
    control = UnheardControl()
    played = await play(
        """
        steps:
          - {fault: claim.delete, action: error, match: {name: "${unique('claim')}"}}
          - {verify: 1, is: 1, check: VOL-10}
        """,
        control=control,
    )
    assert played.verdicts == ["inconclusive"]
    assert control.log == ["fault skabc123-0-fault-1 claim.delete error", "clear skabc123-0-fault-1"]
    assert played.run.ledger.standing() == []


class UnheardProbe(FakeProbe):
    """Does what it is told, but the answer is lost."""

    async def create_workload(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self.data["workloads"] = [{"name": fields["sandboxId"], **fields}]
        raise SidePortError("no answer")


async def test_a_seeded_workload_whose_answer_is_lost_is_taken_back(play: Play, server: Server) -> None:
    probe = UnheardProbe()
    played = await play(
        """
        steps:
          - {seed: workload, with: {sandboxId: "${unique('twins')}", replicas: 2}}
          - {verify: 1, is: 1, check: PAU-16}
        """,
        probe=probe,
    )
    assert played.verdicts == ["inconclusive"]
    assert probe.data["workloads"] == []
    # Also where the engine calls the workload something else: then the API knows it by the id of its sandbox.
    assert "DELETE /v1/sandboxes/skabc123-0-twins" in server.world.requests
    assert played.run.ledger.standing() == []


async def test_the_clock_the_restart_and_variables(play: Play) -> None:
    control = FakeControl()
    played = await play(
        """
        exclusive: true
        let: {label: "${unique('a b!')}"}
        steps:
          - {advance: 61}
          - {let: {soon: "${instant(60)}"}}
          - {restart: abrupt}
          - verify: ${instant(0, '+02:30')}
            is: {matches: "[+]02:30$", after: "2039-12-31T23:59:59Z", before: "2040-01-01T00:00:50Z"}
            check: TTL-01
          - verify: ${soon}
            is: {after: "2040-01-01T00:00:50Z", before: "2040-01-01T00:01:50Z"}
            check: TTL-01
          - verify: ${label} ${choice.pauseMode} ${run.id}
            is: skabc123-0-a-b rootfs abc123
            check: TTL-01
        """,
        control=control,
    )
    assert played.verdicts == ["pass", "pass", "pass"], played.reasons
    assert control.log == ["advance 61", "restart abrupt"]


async def test_seed_edit_and_remove_go_through_the_probe(play: Play) -> None:
    probe = FakeProbe()
    played = await play(
        """
        let: {claim: "${unique('c')}"}
        steps:
          - {seed: volume, with: {name: "${claim}", labels: {a: "1"}}}
          - {edit: volume, name: "${claim}", with: {labels: {b: "2"}}, as: row}
          - {verify: "${row.labels}", is: {equals: {a: "1", b: "2"}}, check: VOL-06}
          - {seed: file, with: {sandboxId: s, path: /x, text: hello}}
          - {probe: file, for: s, file: /x, expect: {text: hello}, check: VOL-06}
          - {remove: volume, name: "${claim}"}
          - {probe: volumes, expect: {count: 0}, check: VOL-06}
          - {remove: volume, name: "${claim}"}
          - {verify: 1, is: 1, check: VOL-06}
        """,
        probe=probe,
    )
    assert played.verdicts == ["pass", "pass", "pass", "blocked"]


@pytest.mark.parametrize("what", ["volume, with: {name: theirs}", "workload, with: {sandboxId: theirs}"])
async def test_only_names_of_the_run_are_seeded(what: str, play: Play) -> None:
    played = await play(
        f"steps:\n  - {{seed: {what}}}\n  - {{verify: 1, is: 1, check: VOL-03}}\n", probe=FakeProbe()
    )
    assert played.verdicts == ["harness-error"]
    assert "not a name of this run" in played.reasons
    assert not played.run.ledger.names()
