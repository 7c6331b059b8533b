"""Settings are checked as a whole, and the text says what to change."""

from __future__ import annotations

from typing import Any

import pytest

from sandkit_server.controller.__main__ import run
from sandkit_server.controller.settings import Settings, SettingsError, from_options

PAUSE = {"registry": "r.test/x", "push_secret": "push", "committer_image": "c:1"}


def test_nothing_has_to_be_said() -> None:
    settings = from_options({})
    assert settings == Settings()
    assert settings.config.registry is None


def test_options_reach_what_they_are_about() -> None:
    settings = from_options(
        {
            **PAUSE,
            "pull_secret": "pull",
            "insecure_registries": ["r.test:5000", "r.test:5000"],
            "commit_deadline": 30,
            "lease_duration": 6.0,
            "lease_deadline": 4.0,
            "lease_retry": 1.0,
            "workers": 4,
        }
    )
    assert settings.config.insecure_registries == {"r.test:5000"}
    assert (settings.config.commit_deadline, settings.workers, settings.terms.duration) == (30, 4, 6.0)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"registry": "https://r.test"}, "--registry"),
        ({"registry": "r.test/UPPER"}, "--registry"),
        ({"registry": "r.test"}, "--push-secret"),
        ({**PAUSE, "pull_secret": "push"}, "--pull-secret"),
        ({"insecure_registries": ["r.test/path"]}, "--insecure-registry"),
        ({"push_secret": "Not A Name"}, "--push-secret"),
        ({"namespace": "a/b"}, "--namespace"),
        ({"commit_deadline": 0}, "--commit-deadline"),
        ({"resume_deadline": float("inf")}, "--resume-deadline"),
        ({"workers": 0}, "--workers"),
        ({"rate": -1.0}, "--rate"),
        ({"metrics_port": 70000}, "--metrics-port"),
        ({"log_level": "loud"}, "--log-level"),
        ({"lease_duration": 1.0}, "--lease-duration"),
    ],
)
def test_what_cannot_be_is_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        from_options(options)


def test_the_command_line_refuses_with_2_and_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "--registry", "ftp://x"]) == 2
    assert "sandkit-controller: --registry ftp://x" in capsys.readouterr().err


def test_the_command_line_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["version"]) == 0
    assert capsys.readouterr().out.strip()


def test_no_cluster_is_3(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert run(["run", "--metrics-port", "0"]) == 3
    assert "sandkit-controller: " in capsys.readouterr().err
