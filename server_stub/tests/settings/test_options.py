"""Settings come together from options of all kinds, and go back into the arguments that give them again."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from sandkit_server.core.policy import Policy
from sandkit_server.settings import KubernetesOptions, MemoryOptions, Settings, SettingsError
from sandkit_server.settings.command_line import add_options, arguments_of, given_options


def _parsed(arguments: list[str]) -> Settings:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return Settings.of(**given_options(vars(parser.parse_args(arguments))))


def test_nothing_given_is_the_memory_runtime_with_the_core_policy() -> None:
    settings = _parsed([])
    assert settings == Settings() == Settings.of()
    assert settings.engine == MemoryOptions()
    assert settings.sandboxes.policy() == Policy()


def test_options_find_their_place(tmp_path: Path) -> None:
    template = tmp_path / "pod.yaml"
    template.write_text("spec: {}\n")
    settings = _parsed(
        ["--runtime", "kubernetes", "--namespace", "team-a", "--pod-template", str(template), "--wait-ready",
         "--claim-access-mode", "ReadWriteMany", "--claim-storage-class", "fast", "--log-level", "debug"]
    )  # fmt: skip
    assert settings.engine == KubernetesOptions(namespace="team-a", pod_template=template)
    assert settings.runtime == "kubernetes"
    policy = settings.sandboxes.policy()
    assert (policy.claim_storage_class, policy.claim_access_modes) == ("fast", ("ReadWriteMany",))
    assert policy.wait_ready
    assert settings.log_level == "debug"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pause_mode": "freeze", "without": ("pools", "registry"), "max_sandboxes": 3, "access_log": True},
        {"runtime": "kubernetes", "namespace": "team-a", "endpoints": "server", "wait_ready": True},
        {"allowed_host_prefixes": ("/data", "/srv"), "claim_access_modes": ("ReadWriteMany", "ReadOnlyMany")},
    ],
)
def test_arguments_give_the_same_settings_again(options: dict[str, Any]) -> None:
    settings = Settings.of(**options)
    assert _parsed(arguments_of(settings)) == settings


def test_keys_are_in_no_argument() -> None:
    assert "secret" not in " ".join(arguments_of(Settings.of(api_key="secret")))


@pytest.mark.parametrize(
    ("runtime", "option"), [("memory", {"namespace": "here"}), ("kubernetes", {"pause_mode": "rootfs"})]
)
def test_an_option_of_another_runtime_is_refused(runtime: str, option: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="leave it out"):
        Settings.of(runtime=runtime, **option)


def test_a_name_that_is_no_option_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        Settings.of(colour="red")
