"""Every verb, played against a small server, a probe and a control port."""

from __future__ import annotations

import itertools
import textwrap
import time

from .conftest import Play
from .fakes import FakeControl, FakeProbe
from .tiny_server import Handler, Misbehaviour, Server


def story(steps: str) -> str:
    """The steps after a sandbox was created."""
    return "steps:\n  - call: createSandbox\n    as: sandbox\n" + textwrap.indent(
        textwrap.dedent(steps), "  "
    )


def failed_from_the_third_reading_on() -> Misbehaviour:
    readings = itertools.count(1)

    def misbehave(handler: Handler) -> bool:
        if handler.command == "GET" and handler.route.path.count("/") == 3 and next(readings) == 3:
            handler.server.world.sandboxes[handler.route.path.split("/")[3]]["status"]["state"] = "Failed"
        return False

    return misbehave


async def test_call_judges_status_code_body_and_headers(play: Play) -> None:
    played = await play(
        story(
            """
            - call: resumeSandbox
              for: ${sandbox.id}
              expect: {table: resumeSandbox/Running}
              check: RES-02
            - {call: resumeSandbox, for: "${sandbox.id}", check: RES-02, expect: {code: K8S::INVALID_STATE}}
            - {call: resumeSandbox, for: "${sandbox.id}", expect: {code: [X::OTHER, Y::THING]}, check: RES-02}
            - call: getSandbox
              for: ${sandbox.id}
              expect: {status: 200, headers: {x-request-id: {matches: "^r-"}}, body: {status.state: Paused}}
              check: PAU-11
            - {call: getSandbox, for: nope, expect: {status: [404, 410]}, check: PAU-03}
            """
        )
    )
    assert played.verdicts == ["pass", "pass", "fail", "fail", "pass"]
    assert (
        "code: expected X::OTHER or Y::THING (by its last part), observed SANDBOX::INVALID_STATE"
        in played.reasons
    )
    assert 'status.state: expected "Paused", observed "Running"' in played.reasons


async def test_a_wrong_kind_of_answer_blocks_what_comes_after(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: resumeSandbox, for: "${sandbox.id}", expect: {status: 202}, check: RES-01}
            - {await: Running, for: "${sandbox.id}", check: RES-01}
            """
        )
    )
    assert played.verdicts == ["fail", "blocked"]
    assert "went wrong before: status: expected 202, observed 409" in played.reasons


async def test_a_prerequisite_blocks_and_does_not_fail(play: Play) -> None:
    played = await play(
        """
        steps:
          - {call: createSandbox, without: [entrypoint], as: sandbox}
          - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 202}, check: PAU-01}
        """
    )
    assert played.verdicts == ["blocked"]
    assert "400 REQUEST::INVALID_PARAMETER" in played.reasons


async def test_details_are_found_among_several(play: Play) -> None:
    played = await play(
        """
        steps:
          - call: createSandbox
            without: [entrypoint]
            expect: {status: 400, detail: {pointer: /entrypoint, rule: required}}
            check: API-33
          - {call: createSandbox, without: [entrypoint], check: API-33, expect: {detail: {pointer: /image}}}
        """
    )
    assert played.verdicts == ["pass", "fail"]


async def test_calls_without_a_key_with_a_wrong_one_and_with_text_for_a_body(
    play: Play, server: Server
) -> None:
    played = await play(
        """
        steps:
          - {call: listSandboxes, auth: missing, expect: {status: 401}, check: API-19}
          - {call: listSandboxes, auth: wrong, expect: {status: 401}, check: API-20}
          - call: {method: PUT, path: /v1/nope}
            content: "{"
            contentType: text/plain
            expect: {status: 404}
            check: API-12
        """
    )
    assert played.verdicts == ["pass"] * 3
    assert server.world.requests[-1] == "PUT /v1/nope"


async def test_content_may_be_any_bytes(play: Play, server: Server) -> None:
    seen: list[bytes] = []

    def record(handler: Handler) -> bool:
        seen.append(handler.content)
        return False

    server.world.misbehave = record
    played = await play(
        """
        steps:
          - call: {method: PUT, path: /v1/nope}
            content: "a${bytes('ff 00 fe')}z"
            expect: {status: 404}
            check: API-16
        """
    )
    assert (played.verdicts, seen) == (["pass"], [b"a\xff\x00\xfez"])


async def test_a_target_without_a_key_has_no_wrong_keys(play: Play) -> None:
    text = "steps:\n  - {call: getVersion, auth: wrong, expect: {status: 401}, check: API-20}\n"
    played = await play(text, api_key=None)
    assert played.verdicts == ["not-applicable"]


async def test_a_prefixed_key_and_an_address_of_the_server_itself(play: Play, server: Server) -> None:
    played = await play(
        story(
            """
            - {call: listSandboxes, auth: prefixed, expect: {status: 401}, check: API-21}
            - {let: {location: "BASE/v1/sandboxes/${sandbox.id}"}}
            - call: {method: GET, path: "${location}"}
              expect: {status: 200, body: {id: "${sandbox.id}"}}
              check: API-27
            - {call: {method: GET, path: "${sandbox.id}"}, expect: {status: 200}, check: API-27}
            """.replace("BASE", server.url)
        )
    )
    assert played.verdicts == ["pass", "pass", "harness-error"], played.reasons
    assert "is neither a path nor an address below" in played.reasons


async def test_capture_takes_parts_of_the_whole_answer(play: Play) -> None:
    played = await play(
        """
        steps:
          - {call: getVersion, capture: {kind: headers.content-type, n: status}}
          - {verify: "${kind} ${n}", is: application/json 200, check: API-23}
        """
    )
    assert played.verdicts == ["pass"]


async def test_await_passes_when_the_state_is_there(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: [Paused, Failed], for: "${sandbox.id}", as: paused, check: PAU-02}
            - {verify: "${paused.status.state}", is: Paused, check: PAU-02}
            """
        )
    )
    assert played.verdicts == ["pass", "pass"]


async def test_await_sees_an_illegal_change(play: Play, server: Server) -> None:
    """Nobody asked for a pause: Running to Paused is not in the table."""

    def unasked(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            handler.reply(409, {"code": "SANDBOX::INVALID_STATE", "message": "no"})
            handler.server.world.sandboxes[handler.route.path.split("/")[3]]["status"]["state"] = "Paused"
            return True
        return False

    server.world.misbehave = unasked
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 409}}
            - {await: Paused, for: "${sandbox.id}", check: PAU-02}
            """
        )
    )
    assert played.verdicts == ["fail"]
    assert "Running → Paused is not in the transition table" in played.reasons


async def test_await_stops_at_once_when_the_state_cannot_follow(play: Play) -> None:
    started = time.monotonic()
    played = await play(story('- {await: Paused, for: "${sandbox.id}", within: 20, check: PAU-02}\n'))
    assert played.verdicts == ["fail"]
    assert "from where it cannot follow any more" in played.reasons
    assert time.monotonic() - started < 5


async def test_await_gives_up_at_the_end_of_its_budget(play: Play, server: Server) -> None:
    def stuck(handler: Handler) -> bool:
        if handler.route.path.endswith("/pause"):
            sandbox = handler.server.world.sandboxes[handler.route.path.split("/")[3]]
            sandbox["status"]["state"] = "Pausing"
            handler.reply(202)
            return True
        return False

    server.world.misbehave = stuck
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: Paused, for: "${sandbox.id}", within: 0.2, check: PAU-02}
            - {call: getSandbox, for: "${sandbox.id}", expect: {status: 200}, check: PAU-11}
            """
        )
    )
    assert played.verdicts == ["fail", "blocked"]
    assert "not within 0.2 s; saw Pausing" in played.reasons


async def test_a_state_between_two_readings_is_inconclusive(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: pauseSandbox, for: "${sandbox.id}"}
            - {await: Pausing, for: "${sandbox.id}", check: PAU-06}
            """
        )
    )
    assert played.verdicts == ["inconclusive"]
    assert "may have been there between two readings" in played.reasons


async def test_await_gone_is_a_404(play: Play) -> None:
    played = await play(
        story(
            """
            - {call: deleteSandbox, for: "${sandbox.id}"}
            - {await: gone, for: "${sandbox.id}", check: API-88}
            - {await: Running, for: "${sandbox.id}", check: API-88}
            """
        )
    )
    assert played.verdicts == ["pass", "fail"]


async def test_await_does_not_go_on_when_asking_again_cannot_help(play: Play, server: Server) -> None:
    def forbid(handler: Handler) -> bool:
        if handler.command == "GET" and "sbx" in handler.path:
            handler.error(403, "REQUEST::FORBIDDEN")
            return True
        return False

    server.world.misbehave = forbid
    started = time.monotonic()
    played = await play(story('- {await: Running, for: "${sandbox.id}", within: 20, check: API-26}\n'))
    assert (played.verdicts, time.monotonic() - started < 5) == (["fail"], True)
    assert "reading it: 403 REQUEST::FORBIDDEN" in played.reasons


async def test_await_and_never_take_conditions(play: Play) -> None:
    probe = FakeProbe({"volumes": [{"name": "v1"}]})
    played = await play(
        story(
            """
            - {await: {probe: volumes, where: {name: v1}, expect: {count: 1}}, as: found, check: VOL-01}
            - {verify: "${found.first.name}", is: v1, check: VOL-01}
            - {await: {probe: volumes, where: {name: v2}, expect: {count: 1}}, within: 0.1, check: VOL-02}
            """
        ),
        probe=probe,
    )
    assert played.verdicts == ["pass", "pass", "fail"]
    assert "not within 0.1 s: count: expected 1, observed 0" in played.reasons


async def test_await_takes_a_call_for_a_condition(play: Play) -> None:
    played = await play(
        story(
            """
            - await: {call: pauseSandbox, for: "${sandbox.id}", expect: {status: 409}}
              within: 2
              check: PAU-07
            - await: {call: listSandboxes, expect: {body: {items: {length: 0}}}}
              within: 0.05
              check: API-75
            """
        )
    )
    assert played.verdicts == ["pass", "fail"]


async def test_never_passes_when_the_window_is_over(play: Play) -> None:
    started = time.monotonic()
    played = await play(story('- {never: Paused, for: "${sandbox.id}", during: 0.2, check: PAU-09}\n'))
    assert played.verdicts == ["pass"]
    assert time.monotonic() - started > 0.2


async def test_never_fails_as_soon_as_the_state_is_seen(play: Play, server: Server) -> None:
    server.world.misbehave = failed_from_the_third_reading_on()
    played = await play(story('- {never: [Failed, gone], for: "${sandbox.id}", during: 5, check: PAU-09}\n'))
    assert played.verdicts == ["fail"]
    assert "Running → Failed: Failed after" in played.reasons


async def test_never_without_a_single_reading_decides_nothing(play: Play) -> None:
    played = await play(
        'steps:\n  - {never: Running, for: "a b", during: 0.05, check: PAU-09}\n', api_key="x"
    )
    assert played.verdicts == ["inconclusive"]


async def test_never_takes_a_condition_that_must_not_come(play: Play) -> None:
    probe = FakeProbe({"volumes": [{"name": "v1"}]})
    played = await play(
        """
        steps:
          - {never: {probe: volumes, where: {name: v2}, expect: {count: 1}}, check: VOL-01}
          - {never: {probe: volumes, where: {name: v1}, expect: {count: 1}}, check: VOL-01}
        """,
        probe=probe,
    )
    assert played.verdicts == ["pass", "fail"]


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
    assert control.log == ["hold snapshot.commit before", "release gate-1", "drop gate-1"]
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
    assert "hits of fault fault-1: expected 3, observed 2" in played.reasons
    assert control.log == [
        "fault claim.delete error",
        "clear fault-1",
        "fault claim.list error",
        "clear fault-1",
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
    assert control.log[-2:] == ["clear fault-1", "drop gate-1"]
    assert server.world.sandboxes == {}
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


async def test_only_names_of_the_run_are_seeded(play: Play) -> None:
    played = await play(
        "steps:\n  - {seed: volume, with: {name: production-data}}\n  - {verify: 1, is: 1, check: VOL-03}\n",
        probe=FakeProbe(),
    )
    assert played.verdicts == ["harness-error"]
    assert "not a name of this run" in played.reasons
    assert not played.run.ledger.names()
