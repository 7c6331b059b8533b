"""Servers that miss one rule of a create request, or repair what they should refuse: a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sandkit_server.core import validation, volume_rules
from sandkit_server.core.errors import FieldError
from sandkit_server.testing.mutants.exchanges import bodies
from sandkit_server.testing.mutants.mutant import Mutant, swap


def _forget(rule: str, pointer: str, message: str) -> Callable[[Any], Any]:
    def make(original: Callable[..., list[FieldError]]) -> Callable[..., list[FieldError]]:
        def faults(*arguments: Any) -> list[FieldError]:
            return [
                fault
                for fault in original(*arguments)
                if not (
                    fault.rule == rule and re.fullmatch(pointer, fault.pointer) and message in fault.message
                )
            ]

        return faults

    return make


def _rule(requirement: str, rule: str, pointer: str, what: str, *, message: str = "") -> Mutant:
    name = re.sub(r"[^a-z0-9]+", "-", what.lower()).strip("-")
    return Mutant(
        id=f"rule-{name}",
        requirement=requirement,
        defect=f"A create is not checked for {what}.",
        substitutions=swap(validation, "create_faults", _forget(rule, pointer, message)),
    )


def _repair(change: Callable[[dict[str, Any]], None]) -> Callable[[Any], Any]:
    def edit(document: Any) -> Any:
        for volume in document.get("volumes") or [] if isinstance(document, dict) else []:
            if isinstance(volume, dict):
                change(volume)
        return document

    return edit


def _slug(text: Any) -> Any:
    return re.sub("[^a-z0-9]+", "-", text.lower())[:63].strip("-") or "x" if isinstance(text, str) else text


def _repair_name(volume: dict[str, Any]) -> None:
    volume["name"] = _slug(volume.get("name"))


def _repair_path(volume: dict[str, Any]) -> None:
    path = volume.get("mountPath")
    if isinstance(path, str) and not path.startswith("/"):
        volume["mountPath"] = f"/{path}"


def _repair_claim(volume: dict[str, Any]) -> None:
    if isinstance(volume.get("pvc"), dict):
        volume["pvc"]["claimName"] = _slug(volume["pvc"].get("claimName"))


def _repair_size(volume: dict[str, Any]) -> None:
    claim = volume.get("pvc")
    if isinstance(claim, dict) and not re.fullmatch(r"\d+(\.\d+)?([KMGTPE]i)?", str(claim.get("storage"))):
        claim["storage"] = None


def _each(field: str, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Change every value of the mapping that is sent as `field`."""

    def edit(document: Any) -> Any:
        if isinstance(document, dict) and isinstance(document.get(field), dict):
            document[field] = {key: change(value) for key, value in document[field].items()}
        return document

    return edit


def _as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else str(value)


def _shell_where_empty(document: Any) -> Any:
    if isinstance(document, dict) and document.get("entrypoint") == []:
        document["entrypoint"] = ["/bin/sh"]
    return document


def _lengthen_timeout(document: Any) -> Any:
    if isinstance(document, dict) and isinstance(document.get("timeout"), int):
        document["timeout"] = 60 if 30 <= document["timeout"] < 60 else document["timeout"]
    return document


def _round_timeout(document: Any) -> Any:
    if isinstance(document, dict) and isinstance(document.get("timeout"), float):
        document["timeout"] = round(document["timeout"])
    return document


def _timeout_out_of_text(document: Any) -> Any:
    if isinstance(document, dict) and str(document.get("timeout")).isdigit():
        document["timeout"] = int(document["timeout"])
    return document


def _null_as_printed(volume: dict[str, Any]) -> None:
    claim = volume.get("pvc")
    if isinstance(claim, dict) and "storage" in claim and claim["storage"] is None:
        claim["storage"] = "null"


def _spelled_alike(path: str, prefixes: Any) -> bool:
    return any(path.startswith(prefix) for prefix in prefixes)


def _dots_pass(original: Callable[[str], str | None]) -> Callable[[str], str | None]:
    return lambda path: None if path.startswith(_FOLDER) and ".." in path else original(path)


def _cut_timeout(document: Any) -> Any:
    if isinstance(document, dict) and isinstance(document.get("timeout"), int):
        document["timeout"] = min(document["timeout"], _DAY)
    return document


def _repaired(
    requirement: str, name: str, defect: str, edit: Callable[[Any], Any], longest: int | None = None
) -> Mutant:
    return Mutant(
        id=f"repair-{name}",
        requirement=requirement,
        defect=defect,
        alter=bodies("POST", "/sandboxes", edit),
        options=() if longest is None else ("--max-lifetime", str(longest)),
        choices={} if longest is None else {"maxLifetime": longest},
    )


_DAY = 86_400
_FOLDER = "/srv/sandkit"
_VOLUME = r"/volumes/\d+"

RULES = (
    _rule("API-29", "exactly-one-source", "", "an image beside a snapshot", message="not both"),
    _rule("API-30", "exactly-one-source", "", "a source at all", message="Give one of"),
    _rule("API-31", "not-with-pool", "/snapshotId", "a snapshot beside a pool"),
    _rule("API-33", "required-with-image", "/entrypoint", "the entrypoint an image needs"),
    _rule("API-35", "required-outside-pool", "/resourceLimits", "resource limits"),
    _rule("API-36", "quantity", "/resource.*", "quantities of resources"),
    _rule("API-44", "label-key", "/metadata/.*", "metadata keys that are no label keys"),
    _rule("API-45", "label-value", "/metadata/.*", "metadata values that are no label values"),
    _rule("API-46", "reserved-prefix", "/metadata/.*", "the reserved prefix"),
    _rule("API-48", "bounds", "/extensions/.*", "the bounds of the renewal extension"),
    _rule("API-49", "known-value", "/platform/.*", "the platform"),
    _rule("API-50", "known-value", "/networkPolicy/.*", "the actions of the network policy"),
    _rule("API-56", "unique-name", _VOLUME + "/name", "two volumes of one name"),
    _rule("API-58", "unique-mount-path", _VOLUME + "/mountPath", "two volumes at one mount path"),
    _rule("API-59", "relative-path", _VOLUME + "/subPath", "sub-paths that lead out of the volume"),
    _rule("API-60", "exactly-one-backend", _VOLUME, "the one backend of a volume"),
    _rule("API-61", "allowed-prefix", _VOLUME + "/host/path", "the host paths the operator allows"),
    _rule("API-66", "required-together", _VOLUME + "/ossfs/.*", "half a pair of object store credentials"),
    _rule("API-67", "not-with-pool", "/volumes", "volumes beside a pool"),
    _rule("API-153", "known-value", _VOLUME + "/pvc/accessModes/.*", "access modes"),
    Mutant(
        id="rule-host-paths-compared-by-spelling",
        requirement="API-62",
        defect="A host path is allowed when its text begins like an allowed one.",
        substitutions=swap(volume_rules, "is_below", lambda _original: _spelled_alike),
        options=("--allowed-host-prefix", _FOLDER),
        choices={"hostPathPrefix": _FOLDER},
    ),
    Mutant(
        id="rule-host-paths-compared-before-they-are-resolved",
        requirement="API-62",
        defect="A host path is compared with the allowed ones before its dots are resolved.",
        substitutions=swap(volume_rules, "absolute_path_fault", _dots_pass),
        options=("--allowed-host-prefix", _FOLDER),
        choices={"hostPathPrefix": _FOLDER},
    ),
    _repaired("API-34", "the-entrypoint", "An empty entrypoint is the shell.", _shell_where_empty),
    _repaired("API-37", "short-timeouts", "A timeout of nearly a minute counts as one.", _lengthen_timeout),
    _repaired("API-38", "timeouts-with-a-fraction", "A timeout is rounded.", _round_timeout),
    _repaired("API-38", "timeouts-as-text", "A timeout is read out of a text.", _timeout_out_of_text),
    _repaired("API-42", "variables", "What is no text in env is printed.", _each("env", _as_text)),
    _repaired(
        "API-47", "extensions", "What is no text in extensions is printed.", _each("extensions", _as_text)
    ),
    _repaired("API-65", "nulls", "A size of null is taken as it is printed.", _repair(_null_as_printed)),
    _repaired("API-39", "the-timeout", "A timeout that is too long is silently cut.", _cut_timeout, _DAY),
    _repaired("API-55", "volume-names", "Bad volume names are turned into good ones.", _repair(_repair_name)),
    _repaired("API-57", "mount-paths", "A relative mount path gets its slash.", _repair(_repair_path)),
    _repaired("API-63", "claim-names", "Bad claim names are turned into good ones.", _repair(_repair_claim)),
    _repaired("API-64", "storage-sizes", "A size nobody understands is the default.", _repair(_repair_size)),
)
