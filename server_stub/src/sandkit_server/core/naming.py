"""Rules for names, labels and paths, each as a function that returns what is wrong, or ``None``.

Sources: RFC 1123 section 2.1 (DNS labels), the Kubernetes rules for label keys and values, RFC 6901
    (pointers).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

RESERVED_PREFIX = "opensandbox.io/"

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def dns_label_fault(value: str, longest: int = 63) -> str | None:
    """What keeps ``value`` from being a lower-case DNS label of at most ``longest`` characters."""
    if not value or len(value) > longest:
        return f"has 1 to {longest} characters, not {len(value)}"
    if not _DNS_LABEL.fullmatch(value):
        return "consists of lower-case letters, digits and inner hyphens"
    return None


def label_key_fault(key: str) -> str | None:
    """What keeps ``key`` from being a Kubernetes label key: an optional DNS prefix, a slash and a name."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= 253 and _DNS_SUBDOMAIN.fullmatch(prefix)):
        return "has a prefix that is not a DNS subdomain of at most 253 characters"
    if not 1 <= len(name) <= 63 or not _QUALIFIED.fullmatch(name):
        return "needs a name of 1 to 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
    return None


def label_value_fault(value: str) -> str | None:
    """What keeps ``value`` from being a Kubernetes label value; the empty string is one."""
    if value and (len(value) > 63 or not _QUALIFIED.fullmatch(value)):
        return "has at most 63 letters, digits, '-', '_' or '.', with a letter or digit at both ends"
    return None


def absolute_path_fault(path: str) -> str | None:
    """What keeps ``path`` from being absolute and normal; one trailing slash is tolerated."""
    if not path.startswith("/"):
        return "is absolute, beginning with '/'"
    if _CONTROL.search(path):
        return "has no control characters"
    inner = path[1:].removesuffix("/")
    if any(part in ("", ".", "..") for part in inner.split("/")) and inner:
        return "has no empty, '.' or '..' segment"
    return None


def relative_path_fault(path: str) -> str | None:
    """What keeps ``path`` from being relative and inside its root; backslashes count as separators too."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", path):
        return "is relative"
    if ".." in parts:
        return "has no '..' segment"
    if _CONTROL.search(path):
        return "has no control characters"
    return None


def is_below(path: str, prefixes: Sequence[str]) -> bool:
    """Whether a normal absolute ``path`` is one of ``prefixes`` or lies below one, segment by segment."""
    whole = path.rstrip("/") + "/"
    return any(whole.startswith(prefix.rstrip("/") + "/") for prefix in prefixes)


def pointer(*tokens: str | int) -> str:
    """The RFC 6901 JSON pointer made of ``tokens``."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
