"""`call`, played against a small server."""

from __future__ import annotations

from .conftest import Play
from .stories import story
from .tiny_server import Handler, Server


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


async def test_what_is_to_be_captured_and_missing_is_the_servers_fault_where_it_was_promised(
    play: Play,
) -> None:
    played = await play(
        story(
            """
            - call: getSandbox
              for: ${sandbox.id}
              expect: {headers: {X-Nothing: {matches: "."}}}
              capture: {nothing: headers.x-nothing}
              check: PAU-11
            - {call: getSandbox, for: "${nothing}", expect: {status: 200}, check: PAU-11}
            """
        )
    )
    assert played.verdicts == ["fail", "blocked"]
    assert "X-Nothing" in played.reasons


async def test_what_is_to_be_captured_and_missing_keeps_what_let_has_given_it(play: Play) -> None:
    played = await play(
        """
        let: {found: nothing}
        steps:
          - {call: getVersion, capture: {found: body.nothing}}
          - {verify: "${found}", is: nothing, check: API-75}
          - {call: getVersion, capture: {found: body.version}}
          - {verify: "${found}", is: {not: nothing}, check: API-75}
        """
    )
    assert played.verdicts == ["pass", "pass"]


async def test_what_is_to_be_captured_and_missing_is_the_suites_fault_where_nobody_promised_it(
    play: Play,
) -> None:
    played = await play(
        story(
            """
            - call: getSandbox
              for: ${sandbox.id}
              expect: {status: 200}
              capture: {nothing: body.nothing}
              check: PAU-11
            """
        )
    )
    assert played.verdicts == ["harness-error"]
    assert "capture: there is no `body.nothing` in GET" in played.reasons
