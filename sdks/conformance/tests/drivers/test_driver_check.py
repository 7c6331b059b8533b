"""`driver-check`: honest drivers have nothing wrong with them, and every flaw is named."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.cli import run_command_line
from sandkit_conformance.contract import Contract
from sandkit_conformance.drivers.trials.samples import SAMPLES

PLAIN = Path(__file__).with_name("plain_driver.py")


def plain(flaw: str = "") -> str:
    return shlex.join([sys.executable, str(PLAIN), *(["--flaw", flaw] if flaw else [])])


@pytest.mark.parametrize("driver", ["python", "python-async", plain()], ids=["python", "async", "plain"])
def test_an_honest_driver_has_nothing_wrong_with_it(driver: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run_command_line(["driver-check", "--driver", driver])
    assert (code, capsys.readouterr().out) == (0, "nothing is wrong with it\n")


@pytest.mark.parametrize(
    ("flaw", "finding"),
    [
        ("dies-at-once", "hello: the driver: it ended with exit code 1; on standard error: no such luck"),
        ("other-protocol", "hello: the driver: its hello breaks the protocol, /protocol"),
        ("offers-unknown", "hello: the driver offers flySandbox, which is no operation of the spec"),
        (
            "crashes",
            "operations: the driver: it ended with exit code 3; on standard error: Traceback: the end",
        ),
        ("garbage", "operations: the driver: it wrote a line that is not JSON: 'DEBUG sending a request'"),
        ("wrong-id", "which nobody asked"),
        ("answers-twice", "which nobody asked, or answered it twice"),
        ("refuses-everything", "operations: createSandbox: sent 0 requests instead of one"),
        ("defect", "error internal: a bug"),
        (
            "lies-about-status",
            "refusals: the server answered 404 SANDBOX::SANDBOX_NOT_FOUND, the driver result 200",
        ),
        (
            "invents-code",
            "refusals: the server answered 409 SANDBOX::INVALID_STATE, the driver's code is SANDBOX::S",
        ),
        ("retries", "refusals: 503: sent 2 requests; a driver must not retry"),
        ("drops-fields", "what the client cannot send must be answered with inexpressible"),
        ("forgets-headers", "headers: Idempotency-Key was to be a-key-of-the-trial, and arrived as [None]"),
        ("half-bodies", "strange answers: an answer that breaks off must be an error of kind truncated"),
        ("one-at-a-time", "at once: only 1 of 12 calls were on their way at once"),
        ("no-time-out", "silence: the driver: it did not answer call"),
        ("never-cancels", "cancellation: a cancelled call was not answered within 3 s"),
        ("leaks-key", "secrets: it wrote the API key to standard error"),
        ("bad-exit", "goodbye: after `bye` it ended with 7, and not with exit code 0"),
    ],
)
def test_every_flaw_is_found_and_named(flaw: str, finding: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["driver-check", "--driver", plain(flaw)]) == 1
    assert finding in capsys.readouterr().out


@pytest.mark.parametrize(
    ("driver", "problem"),
    [
        ("/no/such/program", "hello: cannot start the driver '/no/such/program'"),
        ("cat", "hello: the driver: its hello breaks the protocol"),
        ("true", "hello: the driver: it"),
    ],
)
def test_a_program_that_is_no_driver_is_a_finding(
    driver: str, problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command_line(["driver-check", "--driver", driver]) == 1
    assert problem in capsys.readouterr().out


@pytest.mark.parametrize("driver", ["", "'unfinished"])
def test_what_is_no_command_is_said(driver: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command_line(["driver-check", "--driver", driver]) == 2
    assert "--driver" in capsys.readouterr().err


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.operation)
def test_the_scripted_answers_follow_the_spec(sample: object, catalogue: Catalogue) -> None:
    found = next(one for one in SAMPLES if one is sample)
    contract = Contract(catalogue.openapi)
    operation = contract.operation(found.operation)
    assert str(found.status) in operation.responses
    if isinstance(found.answer, dict):
        assert list(contract.body_errors(operation, str(found.status), b"", found.answer)) == []


def test_every_operation_of_the_spec_is_tried(catalogue: Catalogue) -> None:
    assert {one.operation for one in SAMPLES} == set(Contract(catalogue.openapi).operations)
