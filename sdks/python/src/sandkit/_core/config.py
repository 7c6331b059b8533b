"""Where the server is and how to talk to it: arguments first, then the environment, then defaults."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sandkit._core.errors import ConfigurationError

API_KEY_VARIABLE = "OPEN_SANDBOX_API_KEY"
DOMAIN_VARIABLE = "OPEN_SANDBOX_DOMAIN"
PROTOCOL_VARIABLE = "OPEN_SANDBOX_PROTOCOL"
API_KEY_HEADER = "OPEN-SANDBOX-API-KEY"

DEFAULT_DOMAIN = "localhost:8080"
DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 3
_VERSION_PATH = "/v1"
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Secret:
    """A text that shows itself only when asked to, so that no repr, log line or traceback holds it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """Settings of a client, checked.

    Attributes:
        base_url: The address of the API with its version, without a trailing slash.
        api_key: The key, or None for a server that asks for none.
        timeout: Seconds that connecting, sending and each wait for more of the answer may take; infinite
            for no limit.
        max_retries: How often a failed request is repeated.
        headers: Headers sent with every request.
    """

    base_url: str
    api_key: Secret | None
    timeout: float = DEFAULT_TIMEOUT
    max_retries: int = DEFAULT_MAX_RETRIES
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return self.base_url.partition(":")[0]


def base_url(address: str | None, environment: Mapping[str, str]) -> str:
    """The address of the API, with `/v1` at its end.

    Args:
        address: A URL or `host[:port]`; by default OPEN_SANDBOX_DOMAIN, else `localhost:8080`.
        environment: Environment variables. OPEN_SANDBOX_PROTOCOL (http or https) counts for an address
            without scheme.

    Raises:
        ConfigurationError: The address is malformed. The message says what is wrong with it.
    """
    source = "base_url" if address else DOMAIN_VARIABLE
    text = (address or environment.get(DOMAIN_VARIABLE) or DEFAULT_DOMAIN).strip()
    if "://" not in text:
        protocol = (environment.get(PROTOCOL_VARIABLE) or "http").strip().lower()
        if protocol not in {"http", "https"}:
            raise ConfigurationError(f"{PROTOCOL_VARIABLE} is {protocol!r}; use http or https")
        text = f"{protocol}://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as problem:
        raise ConfigurationError(f"{source} is not an address: {problem}") from problem
    if parts.username is not None or parts.password is not None:
        raise ConfigurationError(
            f"{source} holds credentials; give the key as api_key or in {API_KEY_VARIABLE}"
        )
    if parts.scheme not in {"http", "https"}:
        raise ConfigurationError(f"{source} has the scheme {parts.scheme!r}; use http or https")
    if not parts.hostname or port == 0 or re.search(r"[\s\\]", text):
        raise ConfigurationError(
            f"{source} is {text!r}; use an address such as https://sandboxes.example.com"
        )
    if parts.query or parts.fragment:
        raise ConfigurationError(f"{source} is {text!r}; leave out what follows the path")
    path = parts.path.rstrip("/")
    path = path if path.endswith(_VERSION_PATH) else f"{path}{_VERSION_PATH}"
    return f"{parts.scheme}://{parts.netloc}{path}"


def api_key(key: str | None, environment: Mapping[str, str]) -> Secret | None:
    """The key to send, or None. An empty one counts as none.

    Raises:
        ConfigurationError: It cannot stand in a header; a line break read from a file is the usual cause.
    """
    text = key or environment.get(API_KEY_VARIABLE) or ""
    if not text:
        return None
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ConfigurationError(
            "the API key holds a character that cannot stand in a header, such as a line break; "
            "strip what you read from a file"
        )
    return Secret(text)


def timeout_seconds(value: float | None) -> float:
    """Seconds as given; infinite for None. Raises ConfigurationError unless it is a number above 0."""
    if value is None:
        return math.inf
    number: object = value
    if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
        raise ConfigurationError(f"timeout is {value!r}; use seconds above 0, or None for no limit")
    return float(number)


def retries(value: int) -> int:
    """The number as given. Raises ConfigurationError unless it is a whole number from 0."""
    number: object = value
    if isinstance(number, bool) or not isinstance(number, int) or number < 0:
        raise ConfigurationError(f"max_retries is {value!r}; use a whole number from 0")
    return number


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers under lower-case names.

    Raises ConfigurationError for one that cannot be sent; its value is not told.
    """
    checked: dict[str, str] = {}
    for name, text in headers.items():
        value: object = text
        if not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"{name!r} is not the name of a header")
        if not (isinstance(value, str) and value.isascii() and value.isprintable()):
            raise ConfigurationError(f"the header {name} has a value that is not printable ASCII text")
        checked[name.lower()] = value
    return checked
