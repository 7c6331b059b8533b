"""Where the server is and with which key: arguments, environment, defaults, and what is malformed."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from sandkit import AsyncClient, Client
from sandkit._core.config import api_key, base_url
from sandkit._core.log import LOGGER
from sandkit.errors import ConfigurationError
from sandkit.testing import ScriptedTransport


@pytest.mark.parametrize(
    ("address", "environment", "url"),
    [
        (None, {}, "http://localhost:8080/v1"),
        ("example.com", {}, "http://example.com/v1"),
        ("example.com:8443", {"OPEN_SANDBOX_PROTOCOL": "https"}, "https://example.com:8443/v1"),
        ("http://example.com", {"OPEN_SANDBOX_PROTOCOL": "https"}, "http://example.com/v1"),
        ("https://example.com/v1", {}, "https://example.com/v1"),
        ("https://example.com/v1/", {}, "https://example.com/v1"),
        ("https://example.com/sandboxes/", {}, "https://example.com/sandboxes/v1"),
        ("[::1]:8080", {}, "http://[::1]:8080/v1"),
        (" example.com ", {}, "http://example.com/v1"),
        (None, {"OPEN_SANDBOX_DOMAIN": "example.com"}, "http://example.com/v1"),
        (None, {"OPEN_SANDBOX_DOMAIN": "https://example.com"}, "https://example.com/v1"),
        (
            None,
            {"OPEN_SANDBOX_DOMAIN": "https://example.com", "OPEN_SANDBOX_PROTOCOL": "http"},
            "https://example.com/v1",
        ),
        (None, {"OPEN_SANDBOX_DOMAIN": ""}, "http://localhost:8080/v1"),
        ("argument.test", {"OPEN_SANDBOX_DOMAIN": "environment.test"}, "http://argument.test/v1"),
        ("h", {"OPEN_SANDBOX_PROTOCOL": " HTTPS "}, "https://h/v1"),
    ],
)
def test_the_address(address: str | None, environment: dict[str, str], url: str) -> None:
    assert base_url(address, environment) == url


@pytest.mark.parametrize(
    ("address", "environment", "told"),
    [
        ("ftp://example.com", {}, "base_url has the scheme 'ftp'"),
        ("http://", {}, "use an address such as"),
        ("http://example.com?x=1", {}, "what follows the path"),
        ("http://example.com#x", {}, "what follows the path"),
        ("http://example.com:99999", {}, "is not an address"),
        ("http://example.com:0", {}, "use an address such as"),
        ("http://exa mple.com", {}, "use an address such as"),
        ("http://[::1", {}, "is not an address"),
        ("example.com", {"OPEN_SANDBOX_PROTOCOL": "gopher"}, "OPEN_SANDBOX_PROTOCOL is 'gopher'"),
        (None, {"OPEN_SANDBOX_DOMAIN": "ftp://x"}, "OPEN_SANDBOX_DOMAIN has the scheme"),
    ],
)
def test_a_malformed_address_names_its_source(
    address: str | None, environment: dict[str, str], told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told):
        base_url(address, environment)


def test_credentials_in_the_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="credentials") as caught:
        base_url("https://user:hunter2@example.com", {})
    assert "hunter2" not in str(caught.value)


def test_the_key_comes_from_the_argument_then_the_environment() -> None:
    environment = {"OPEN_SANDBOX_API_KEY": "from-environment"}
    for given, expected in [("given", "given"), (None, "from-environment"), ("", "from-environment")]:
        key = api_key(given, environment)
        assert key is not None
        assert key.reveal() == expected
    assert api_key(None, {}) is None
    assert api_key(None, {"OPEN_SANDBOX_API_KEY": ""}) is None


@pytest.mark.parametrize("key", ["hunter2\n", " hunter2", "hunter2\x00", "hünter2"])
def test_a_key_that_cannot_be_sent_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(ConfigurationError, match="strip") as caught:
        api_key(key, {})
    assert "nter2" not in str(caught.value)


def test_clients_read_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPEN_SANDBOX_DOMAIN", "https://example.com")
    monkeypatch.setenv("OPEN_SANDBOX_API_KEY", "hunter2")
    with Client() as client:
        assert repr(client) == "Client(base_url='https://example.com/v1', api_key='***')"
    assert repr(AsyncClient()).startswith("AsyncClient(base_url='https://example.com/v1'")


@pytest.mark.parametrize(
    ("settings", "problem", "told"),
    [
        ({"timeot": 3}, TypeError, "did you mean 'timeout'"),
        ({"timeout": 0}, ConfigurationError, "timeout"),
        ({"timeout": -1}, ConfigurationError, "timeout"),
        ({"timeout": True}, ConfigurationError, "timeout"),
        ({"timeout": "3"}, ConfigurationError, "timeout"),
        ({"max_retries": 1.5}, ConfigurationError, "max_retries"),
        ({"headers": {"X": "a\r\nb"}}, ConfigurationError, "X"),
    ],
)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_malformed_settings_are_refused(
    kind: type[Client | AsyncClient], settings: dict[str, object], problem: type[Exception], told: str
) -> None:
    with pytest.raises(problem, match=told):
        kind("key", **settings)  # type: ignore[arg-type]


def test_a_client_of_ones_own_has_its_own_transport() -> None:
    import httpx

    with httpx.Client() as http, pytest.raises(ConfigurationError, match="not both"):
        Client("key", http_client=http, transport=ScriptedTransport())


@pytest.fixture
def log_settings() -> Iterator[None]:
    handlers, level = list(LOGGER.handlers), LOGGER.level
    yield
    LOGGER.handlers[:] = handlers
    LOGGER.setLevel(level)


@pytest.mark.usefixtures("log_settings")
def test_the_log_goes_to_standard_error_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sandkit.testing import answer

    monkeypatch.setenv("SANDKIT_LOG", "DEBUG")
    for _ in range(2):
        with Client("hunter2", transport=ScriptedTransport(answer(200, {"status": "healthy"}))) as client:
            client.health()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "DEBUG   sandkit: GET http://localhost:8080/v1/health: 200 in" in lines[0]


@pytest.mark.usefixtures("log_settings")
def test_without_being_asked_the_log_stays_what_the_application_made_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SANDKIT_LOG", raising=False)
    Client("key").close()
    assert [type(handler) for handler in LOGGER.handlers] == [logging.NullHandler]
    assert LOGGER.level == logging.NOTSET


def test_an_unknown_log_level_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDKIT_LOG", "loud")
    with pytest.raises(ConfigurationError, match="debug, info, warning, error"):
        Client("key")
