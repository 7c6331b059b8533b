"""Ledger, redaction, trace, baseline and target: what keeps a run tidy and its words safe."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from sandkit_conformance.baseline import Baseline, Excuse, load_baseline
from sandkit_conformance.catalogue import Catalogue
from sandkit_conformance.drivers.port import Call, Exchange
from sandkit_conformance.failures import BadFileError, SuiteError
from sandkit_conformance.ledger import Entry, Ledger, read_ledger
from sandkit_conformance.probes.view import View
from sandkit_conformance.redaction import MASK, Redactor
from sandkit_conformance.target import PortAddress, Target, TargetOptions, load_target
from sandkit_conformance.trace import Trace
from sandkit_conformance.verdict import CheckResult, Verdict


def test_the_ledger_is_written_before_the_deed_and_read_back_after_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "ledger.ndjson"
    with path.open("w") as sink:
        ledger = Ledger("run1", sink)
        ledger.intend("claim", "sk-a", "s1")
        ledger.made("sandbox", "sbx-1", "s1")
        ledger.made("sandbox", "sbx-2", "s2")
        ledger.gone(Entry("sandbox", "sbx-1", "s1"))
        sink.write('{"state": "made", "kind": "sand')
    found = read_ledger(path)
    assert found.run_id == "run1"
    assert found.standing() == [Entry("claim", "sk-a", "s1"), Entry("sandbox", "sbx-2", "s2")]
    assert found.standing("s2") == [Entry("sandbox", "sbx-2", "s2")]
    assert found.names() == {"sk-a", "sbx-1", "sbx-2"}


@pytest.mark.parametrize("text", ["", "no json", '{"other": 1}', '{"run": "x"}\n{"state": "made"}'])
def test_what_is_no_ledger_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.ndjson"
    path.write_text(text)
    with pytest.raises(SuiteError, match="is not a ledger"):
        read_ledger(path)


def test_keys_and_secrets_leave_no_trace() -> None:
    redactor = Redactor()
    redactor.learn_keys(["the-api-key", "short", None])
    redactor.learn_from(
        {"volumes": [{"ossfs": {"accessKeySecret": "s3cr3t-value", "bucket": "public-bucket"}}]}
    )
    sink = io.StringIO()
    trace = Trace(redactor, sink)
    call = Call(
        "POST",
        "/v1/sandboxes",
        1.0,
        headers=(
            ("OPEN-SANDBOX-API-KEY", "the-api-key"),
            ("Authorization", "whatever"),
            ("Idempotency-Key", "k"),
        ),
        content=b'{"accessKeySecret": "s3cr3t-value", "bucket": "public-bucket"}',
    )
    headers = (("set-cookie", "session"), ("x-echo", "got the-api-key"))
    trace.record_exchange(
        "s", "1", Exchange(call, "http://x", "", 0.0, 0.1, 400, headers, b"no s3cr3t-value"), "call"
    )
    text = sink.getvalue()
    assert not any(secret in text for secret in ("the-api-key", "s3cr3t-value", "whatever", "session"))
    assert "public-bucket" in text
    fields = json.loads(text)
    assert ["Idempotency-Key", "k"] in fields["requestHeaders"]
    assert ["x-echo", f"got {MASK}"] in fields["headers"]


def test_a_secret_inside_another_is_masked_with_it() -> None:
    redactor = Redactor()
    redactor.learn_keys(["abcdef", "abcdef-and-more"])
    assert redactor.text("x abcdef-and-more y abcdef") == f"x {MASK} y {MASK}"


def test_what_gives_a_key_or_a_secret_away_is_known_before_it_is_masked() -> None:
    redactor = Redactor("run1")
    redactor.learn_keys(["the-api-key"])
    redactor.learn_from({"image": {"auth": {"password": "the-password", "token": "other-secret"}}})
    assert redactor.echoes("bad the-password") == {"secret"}
    assert redactor.echoes("the-api-key") == {"key"}
    assert redactor.echoes("nothing") == set()
    masked = redactor.text("the-password or other-secret")
    assert masked.count("[redacted ") == 2
    assert len(set(masked.split(" or "))) == 2, "a reader can tell one secret from another"
    assert redactor.restored({"a": [masked]}) == {"a": ["the-password or other-secret"]}
    assert Redactor("run2").text(masked) == masked


def test_large_bodies_are_shortened_in_the_trace() -> None:
    trace = Trace(Redactor())
    exchange = Exchange(Call("GET", "/", 1.0), "http://x/", "", 0.0, 0.1, 200, (), b"x" * 2_000_000)
    trace.record_exchange("s", "1", exchange, "call")
    assert trace.events[0].data["body"].endswith("… (2000000 bytes)")
    assert trace.events[0].data["cut"]


def test_a_view_says_what_belongs_to_a_run() -> None:
    view = View.parse(
        {
            "workloads": [{"name": "w1", "sandboxId": "sbx-1"}, {"name": "w2", "sandboxId": "sbx-2"}],
            "volumes": [{"name": "v", "labels": {"opensandbox.io/id": "sbx-1"}}, {"name": "sbx-3"}],
            "secrets": [{"name": "s", "referencedBy": ["sbx-1"]}],
            "jobs": None,
        }
    )
    assert view.belonging_to(frozenset({"sbx-1", "sbx-3"})) == (
        "secrets/s",
        "volumes/sbx-3",
        "volumes/v",
        "workloads/w1",
    )
    assert view.census() == ("secrets/s", "volumes/sbx-3", "volumes/v", "workloads/w1", "workloads/w2")
    assert view.kind("volumes")[1]["owners"] == []


def result(verdict: Verdict, requirement: str = "PAU-07", scenario: str = "s") -> CheckResult:
    return CheckResult(requirement, scenario, "1", "t", verdict, ("it failed",))


def test_a_baseline_excuses_failures_and_nothing_else() -> None:
    baseline = Baseline({"PAU-07": Excuse("PAU-07", "issue 12 of the server")})
    failed, blocked, other = baseline.apply(
        [result(Verdict.FAIL), result(Verdict.BLOCKED, scenario="z"), result(Verdict.FAIL, "PAU-08")]
    )
    assert (failed.verdict, blocked.verdict, other.verdict) == ("excused", "blocked", "fail")
    assert failed.reasons == ("excused: issue 12 of the server", "it failed")
    assert baseline.stale([failed]) == ()
    assert "did not fail; take it out" in baseline.stale([result(Verdict.PASS)])[0]
    assert baseline.stale([result(Verdict.UNOBSERVABLE)]) == ()


def test_what_an_excused_failure_has_blocked_goes_with_it() -> None:
    baseline = Baseline({"PAU-07": Excuse("PAU-07", "issue 12 of the server")})
    checks = [result(Verdict.FAIL), result(Verdict.BLOCKED), result(Verdict.BLOCKED, "PAU-08")]
    assert [check.verdict for check in baseline.apply(checks)] == ["excused", "excused", "blocked"]


def test_a_baseline_excuses_what_cannot_be_seen_and_nothing_else() -> None:
    baseline = Baseline({"PAU-07": Excuse("PAU-07", "needs a control port", unobservable=True)})
    unseen, failed = baseline.apply([result(Verdict.UNOBSERVABLE), result(Verdict.FAIL)])
    assert (unseen.verdict, failed.verdict) == (Verdict.EXCUSED, Verdict.FAIL)
    assert baseline.stale([unseen, failed]) == ()
    assert "was observed; take it out" in baseline.stale([result(Verdict.PASS)])[0]


def test_a_failure_that_depends_on_a_race_does_not_go_stale() -> None:
    baseline = Baseline({"PAU-07": Excuse("PAU-07", "two resumes at once", intermittent=True)})
    assert [check.verdict for check in baseline.apply([result(Verdict.FAIL)])] == [Verdict.EXCUSED]
    assert baseline.stale([result(Verdict.PASS)]) == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "version: 1\nexcused:\n  - {requirement: PAU-99, reason: because of it}\n",
            ":3: there is no requirement PAU-99",
        ),
        ("version: 1\nexcused:\n  - {requirement: PAU-07}\n", "'reason' is a required property"),
        ("version: 1\nexcuses: []\n", "`excuses`: not known here; did you mean `excused`"),
    ],
)
def test_a_bad_baseline_is_said_with_its_place(
    text: str, message: str, tmp_path: Path, catalogue: Catalogue
) -> None:
    path = tmp_path / "baseline.yaml"
    path.write_text(text)
    with pytest.raises(BadFileError) as caught:
        load_baseline(path, catalogue)
    assert message in str(caught.value)


TARGET = """
version: 1
name: mine
baseUrl: http://localhost:9/v1/
apiKeyEnv: MY_KEY
probe: {url: "http://localhost:10", keyEnv: MY_PROBE}
capabilities: [pause]
choices: {pauseMode: freeze}
budgets: {pause: 7}
template: {image: {uri: mine}}
codes: {INVALID_STATE: [WRONG_STATE]}
"""
ENVIRONMENT = {"MY_KEY": "k", "MY_PROBE": "p", "OTHER": "o"}


def target(tmp_path: Path, text: str = TARGET, **options: str) -> Target:
    path = tmp_path / "target.yaml"
    path.write_text(text)
    return load_target(path, TargetOptions(**options), ENVIRONMENT)


def test_a_target_file_is_read_and_options_win(tmp_path: Path) -> None:
    found = target(tmp_path, base_url="https://other:1/v1", api_key_env="OTHER")
    assert (found.root, found.api_key, found.name) == ("https://other:1", "o", "mine")
    assert isinstance(found.probe, PortAddress)
    assert (found.probe.url, found.probe.key) == ("http://localhost:10", "p")
    assert (found.has("pause"), found.has("pools"), found.has(None)) == (True, False, True)
    assert (found.seconds("pause"), found.seconds("resume"), found.seconds(3)) == (7, 120, 3)
    assert (found.choices["pauseMode"], found.template["image"]) == ("freeze", {"uri": "mine"})
    assert found.same_code("SANDBOX::INVALID_STATE", "K8S::WRONG_STATE")
    assert not found.same_code("SANDBOX::INVALID_STATE", "K8S::OTHER")


def test_keys_are_not_shown_by_repr(tmp_path: Path) -> None:
    assert "api_key" not in repr(target(tmp_path))
    assert "key" not in repr(target(tmp_path).probe)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\n", "no server: give --base-url"),
        ("version: 1\nbaseUrl: localhost:80\n", "target.yaml:2: `baseUrl`"),
        ("version: 1\nbaseUrl: http://x\napiKeyEnv: NOT_SET\n", "NOT_SET is not set"),
        (
            "version: 1\nbaseUrl: http://x\napiKey: secret\n",
            "`apiKey`: not known here; did you mean `apiKeyEnv`",
        ),
        ("version: 1\nbaseUrl: http://x\nbudgets: {pausing: 1}\n", "target.yaml:3"),
        ("version: 1\nbaseUrl: http://x:70000\n", "is no address"),
        ("- 1\n", "target.yaml:1"),
        ("", "target.yaml:1"),
    ],
)
def test_a_bad_target_is_said_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        target(tmp_path, text)
    assert message in str(caught.value)


def test_a_target_file_that_is_not_there_is_said() -> None:
    with pytest.raises(SuiteError, match="cannot read the target file"):
        load_target(Path("/nowhere/target.yaml"), TargetOptions(), {})
