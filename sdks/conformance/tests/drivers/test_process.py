"""A driver's process: whatever it does wrong ends as an error about the driver, soon, and with evidence."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from sandkit_conformance.drivers.process import running
from sandkit_conformance.drivers.protocol import DriverError

CALL = {"type": "call", "id": 1}


def program(text: str) -> tuple[str, ...]:
    return (sys.executable, "-u", "-c", text)


async def ask(text: str, line: Mapping[str, Any] = CALL, seconds: float = 5.0) -> dict[str, Any]:
    async with running(program(text), "hush-hush") as process:
        return await process.ask(line, seconds)


async def test_a_driver_that_ends_is_told_with_what_it_said_and_without_the_key() -> None:
    text = "import sys; sys.stdin.readline(); sys.exit('no server, key hush-hush')"
    with pytest.raises(DriverError) as caught:
        await ask(text)
    assert "it ended with exit code 1" in str(caught.value)
    assert "no server, key [redacted]" in str(caught.value)


async def test_the_key_stands_in_no_excerpt_of_what_a_driver_wrote() -> None:
    with pytest.raises(DriverError) as caught:
        await ask(f"input(); print('{'x' * 115} hush-hush')")
    assert "hush" not in str(caught.value)
    assert "xxx" in str(caught.value)


async def test_a_driver_that_is_killed_is_told() -> None:
    with pytest.raises(DriverError, match="ended by signal 9"):
        await ask("import os, sys; sys.stdin.readline(); os.kill(os.getpid(), 9)")


async def test_a_driver_that_ends_while_it_is_written_to_is_told_the_same_way() -> None:
    text = "import os, sys; sys.stdin.readline(); os.close(0); sys.exit('gone')"
    async with running(program(text)) as process:
        large = {"type": "call", "id": 1, "body": "x" * 4_000_000}
        with pytest.raises(DriverError, match="it ended with exit code 1; on standard error: gone"):
            await process.ask(large, 5)


async def test_a_driver_that_hangs_is_given_up_and_ended() -> None:
    with pytest.raises(DriverError, match=r"did not answer call 1 within 0\.2 s"):
        await ask("import sys\nfor line in sys.stdin: pass", seconds=0.2)


async def test_a_driver_that_ignores_goodbye_is_ended_all_the_same() -> None:
    text = "import signal, time; signal.signal(15, signal.SIG_IGN); print('x'); time.sleep(60)"
    began = anyio.current_time()
    with pytest.raises(DriverError, match="not JSON: 'x'"):
        await ask(text)
    assert anyio.current_time() - began < 20


async def test_once_broken_it_is_never_asked_again() -> None:
    async with running(program("print('x'); input()")) as process:
        with pytest.raises(DriverError, match="not JSON"):
            await process.ask(CALL, 5)
        began = anyio.current_time()
        with pytest.raises(DriverError, match="not JSON"):
            await process.ask({"type": "call", "id": 2}, 5)
        assert anyio.current_time() - began < 0.1


async def test_everybody_who_waits_learns_that_it_is_broken() -> None:
    errors: list[str] = []

    async with running(program("input(); input(); print('x'); input()")) as process:

        async def wait(number: int) -> None:
            try:
                await process.ask({"type": "call", "id": number}, 5)
            except DriverError as error:
                errors.append(str(error))

        async with anyio.create_task_group() as group:
            group.start_soon(wait, 1)
            group.start_soon(wait, 2)
    assert len(errors) == 2


async def test_a_cancelled_call_is_cancelled_at_the_driver_and_its_late_answer_is_no_fault() -> None:
    text = (
        "import json\n"
        "input(); cancel = json.loads(input()); assert cancel == {'type': 'cancel', 'id': 1}, cancel\n"
        "print(json.dumps({'type': 'error', 'id': 1, 'kind': 'cancelled', 'message': ''}))\n"
        "input(); print(json.dumps({'type': 'error', 'id': 2, 'kind': 'internal', 'message': 'done'}))\n"
        "input()"
    )
    async with running(program(text)) as process:
        with anyio.move_on_after(0.2):
            await process.ask(CALL, 5)
        answer = await process.ask({"type": "call", "id": 2}, 5)
    assert answer["message"] == "done"


async def test_what_goes_wrong_around_the_driver_comes_out_as_it_is() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with running(program("input()")):
            raise KeyError("mine")


async def test_a_program_that_is_not_there_is_said() -> None:
    with pytest.raises(DriverError, match="cannot start the driver '/no/such/program'"):
        async with running(("/no/such/program",)):
            pass
