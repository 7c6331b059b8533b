from __future__ import annotations

import pytest

from sandkit_server.testing.control_plane.faults import DOWN, Injection, Match, Request, describe

CUSTOM = "/apis/sandbox.opensandbox.io/v1alpha1"


@pytest.mark.parametrize(
    ("method", "target", "verb", "resource", "namespace", "name"),
    [
        ("GET", "/api/v1/namespaces/n/pods", "list", "pods", "n", ""),
        ("GET", "/api/v1/namespaces/n/pods?watch=true&resourceVersion=5", "watch", "pods", "n", ""),
        ("GET", "/api/v1/namespaces/n/pods?watch=1", "watch", "pods", "n", ""),
        ("GET", "/api/v1/namespaces/n/pods?watch=false", "list", "pods", "n", ""),
        ("GET", "/api/v1/namespaces/n/pods/p/log", "get", "pods/log", "n", "p"),
        ("POST", "/api/v1/namespaces/n/pods?fieldManager=m", "create", "pods", "n", ""),
        ("PUT", "/api/v1/nodes/x/status", "update", "nodes/status", "", "x"),
        ("GET", "/api/v1/namespaces/n", "get", "namespaces", "", "n"),
        ("DELETE", "/apis/batch/v1/namespaces/n/jobs/j", "delete", "jobs.batch", "n", "j"),
        (
            "PATCH",
            f"{CUSTOM}/namespaces/n/batchsandboxes/s/status",
            "patch",
            "batchsandboxes.sandbox.opensandbox.io/status",
            "n",
            "s",
        ),
        ("GET", f"{CUSTOM}/batchsandboxes", "list", "batchsandboxes.sandbox.opensandbox.io", "", ""),
        ("GET", CUSTOM, "get", CUSTOM, "", ""),
        ("GET", "/readyz", "get", "/readyz", "", ""),
    ],
)
def test_a_request_is_described_as_a_role_would(
    method: str, target: str, verb: str, resource: str, namespace: str, name: str
) -> None:
    expected = Request(client="c", verb=verb, resource=resource, namespace=namespace, name=name)
    assert describe(method, target, "c") == expected


STATUS = Request(
    client="sandkit-controller",
    verb="patch",
    resource="batchsandboxes.sandbox.opensandbox.io/status",
    namespace="n",
    name="s",
)


@pytest.mark.parametrize(
    ("match", "fits"),
    [
        (Match(), True),
        (Match(client="sandkit-"), True),
        (Match(client="controller"), False),
        (Match(verbs=frozenset({"patch", "create"})), True),
        (Match(verbs=frozenset({"delete"})), False),
        (Match(resource="batchsandboxes/status"), True),
        (Match(resource="batchsandboxes.sandbox.opensandbox.io/status"), True),
        (Match(resource="batchsandboxes"), False),
        (Match(name="s"), True),
        (Match(name="t"), False),
    ],
)
def test_what_a_match_leaves_empty_matches_everything(match: Match, fits: bool) -> None:
    assert match.fits(STATUS) is fits


def test_an_injection_strikes_as_often_as_it_was_told_and_counts_only_what_matches() -> None:
    injection = Injection(DOWN, Match(name="s"), times=2, skipped=1)
    other = Request(client="c", verb="get", resource="pods", name="t")
    struck = [injection.strikes(request) for request in (STATUS, other, STATUS, other, STATUS, STATUS)]
    assert struck == [False, False, True, False, True, False]
    assert injection.hits == [STATUS, STATUS]
    assert injection.spent


@pytest.mark.parametrize(("times", "skipped"), [(0, 0), (1, -1)])
def test_an_injection_is_bounded(times: int, skipped: int) -> None:
    with pytest.raises(ValueError, match="at least once"):
        Injection(DOWN, Match(), times=times, skipped=skipped)
