"""Create requests that break a rule of the schema or between fields; API-* of the requirements."""

from __future__ import annotations

import dataclasses

import pytest

from .case import ABSENT, Case, create
from .census import World
from .check import check_refusal

LABEL = "SANDBOX::INVALID_METADATA_LABEL"
INVALID = "REQUEST::INVALID_PARAMETER"

SOURCES = [
    create(
        "neither image nor snapshot nor pool",
        INVALID,
        ("", "exactly-one-source"),
        image=ABSENT,
        entrypoint=ABSENT,
    ),
    create("both image and snapshot", INVALID, ("", "exactly-one-source"), snapshotId="snap-x"),
    create("image without an entrypoint", INVALID, ("/entrypoint", "required-with-image"), entrypoint=ABSENT),
    create(
        "image without resource limits",
        INVALID,
        ("/resourceLimits", "required-outside-pool"),
        resourceLimits=ABSENT,
    ),
    create("empty resource limits", INVALID, ("/resourceLimits", "required-outside-pool"), resourceLimits={}),
    create(
        "pool and snapshot",
        INVALID,
        ("/snapshotId", "not-with-pool"),
        extensions={"poolRef": "warm"},
        image=ABSENT,
        snapshotId="snap-x",
    ),
    create(
        "pool and volumes",
        INVALID,
        ("/volumes", "not-with-pool"),
        extensions={"poolRef": "warm"},
        image=ABSENT,
        volumes=[{"name": "a", "mountPath": "/a", "pvc": {"claimName": "fresh"}}],
    ),
    create(
        "pool with a name that is none",
        INVALID,
        ("/extensions/poolRef", "dns-label"),
        extensions={"poolRef": "A b"},
    ),
    create(
        "an image reference with a space", INVALID, ("/image/uri", "image-reference"), image={"uri": "a b"}
    ),
    create(
        "three rules at once",
        INVALID,
        ("/entrypoint", "required-with-image"),
        ("/resourceLimits", "required-outside-pool"),
        ("/platform/os", "known-value"),
        entrypoint=ABSENT,
        resourceLimits=ABSENT,
        platform={"os": "beos", "arch": "amd64"},
    ),
]

SHAPES = [
    create("empty image reference", INVALID, ("/image/uri", "minLength"), image={"uri": ""}),
    create("image without a reference", INVALID, ("/image/uri", "required"), image={}),
    create("image as a string", INVALID, ("/image", "type"), image="python:3.12"),
    create("image null", INVALID, ("/image", "type"), image=None),
    create(
        "credentials without a password",
        INVALID,
        ("/image/auth/password", "required"),
        image={"uri": "a", "auth": {"username": "u"}},
    ),
    create("empty entrypoint", INVALID, ("/entrypoint", "minItems"), entrypoint=[]),
    create("entrypoint as a string", INVALID, ("/entrypoint", "type"), entrypoint="python"),
    create("a number in the entrypoint", INVALID, ("/entrypoint/1", "type"), entrypoint=["python", 8000]),
    create("an empty command", INVALID, ("/entrypoint", "not-empty"), entrypoint=[""]),
    create("a NUL in an argument", INVALID, ("/entrypoint/1", "no-nul"), entrypoint=["python", "a\0b"]),
    create("timeout below the minimum", INVALID, ("/timeout", "minimum"), timeout=59),
    create("timeout zero", INVALID, ("/timeout", "minimum"), timeout=0),
    create("timeout negative", INVALID, ("/timeout", "minimum"), timeout=-600),
    create("timeout above the server's maximum", INVALID, ("/timeout", "maximum"), timeout=86_401),
    create("timeout beyond every clock", INVALID, ("/timeout", "maximum"), timeout=10**18),
    create("timeout with a fraction", INVALID, ("/timeout", "type"), timeout=60.5),
    create("timeout as text", INVALID, ("/timeout", "type"), timeout="600"),
    create("timeout true", INVALID, ("/timeout", "type"), timeout=True),
    create("limits as a list", INVALID, ("/resourceLimits", "type"), resourceLimits=["cpu"]),
    create("a limit as a number", INVALID, ("/resourceLimits/cpu", "type"), resourceLimits={"cpu": 1}),
    create(
        "a limit that is no quantity",
        INVALID,
        ("/resourceLimits/cpu", "quantity"),
        resourceLimits={"cpu": "lots"},
    ),
    create("a limit of nothing", INVALID, ("/resourceLimits/cpu", "positive"), resourceLimits={"cpu": "0"}),
    create("a negative limit", INVALID, ("/resourceLimits/cpu", "positive"), resourceLimits={"cpu": "-1"}),
    create(
        "a request above its limit",
        INVALID,
        ("/resourceRequests/cpu", "within-limit"),
        resourceRequests={"cpu": "2"},
    ),
    create("a number in the environment", INVALID, ("/env/A", "type"), env={"A": 1}),
    create("a variable with an equals sign", INVALID, ("/env/A=B", "variable-name"), env={"A=B": "x"}),
    create("a variable without a name", INVALID, ("/env/", "variable-name"), env={"": "x"}),
    create("a NUL in the environment", INVALID, ("/env/A", "no-nul"), env={"A": "\0"}),
    create("environment as a list", INVALID, ("/env", "type"), env=[{"name": "A", "value": "x"}]),
    create("a flag as text", INVALID, ("/secureAccess", "type"), secureAccess="true"),
    create("a flag null", INVALID, ("/secureAccess", "type"), secureAccess=None),
    create("proxy as a flag", INVALID, ("/credentialProxy", "type"), credentialProxy=True),
    create(
        "platform without an architecture", INVALID, ("/platform/arch", "required"), platform={"os": "linux"}
    ),
    create(
        "unknown architecture",
        INVALID,
        ("/platform/arch", "known-value"),
        platform={"os": "linux", "arch": "vax"},
    ),
    create(
        "unknown default action",
        INVALID,
        ("/networkPolicy/defaultAction", "known-value"),
        networkPolicy={"defaultAction": "maybe"},
    ),
    create(
        "a rule without a target",
        INVALID,
        ("/networkPolicy/egress/0/target", "required"),
        networkPolicy={"egress": [{"action": "allow"}]},
    ),
    create(
        "a rule with an impossible target",
        INVALID,
        ("/networkPolicy/egress/0/target", "network-target"),
        networkPolicy={"egress": [{"action": "allow", "target": "http://a b"}]},
    ),
    create(
        "an extension as a number",
        INVALID,
        ("/extensions/access.renew.extend.seconds", "type"),
        extensions={"access.renew.extend.seconds": 300},
    ),
    create(
        "renewal by too little",
        INVALID,
        ("/extensions/access.renew.extend.seconds", "bounds"),
        extensions={"access.renew.extend.seconds": "299"},
    ),
    create(
        "renewal by too much",
        INVALID,
        ("/extensions/access.renew.extend.seconds", "bounds"),
        extensions={"access.renew.extend.seconds": "86401"},
    ),
    create(
        "two shapes at once",
        INVALID,
        ("/image/uri", "type"),
        ("/timeout", "type"),
        image={"uri": 1},
        timeout="x",
    ),
]

LABELS = [
    create(
        "reserved metadata prefix",
        LABEL,
        ("/metadata/opensandbox.io~1id", "reserved-prefix"),
        metadata={"opensandbox.io/id": "x"},
    ),
    create("a metadata key with a space", LABEL, ("/metadata/a b", "label-key"), metadata={"a b": "x"}),
    create("an empty metadata key", LABEL, ("/metadata/", "label-key"), metadata={"": "x"}),
    create(
        "a metadata key of 64 characters",
        LABEL,
        ("/metadata/" + "k" * 64, "label-key"),
        metadata={"k" * 64: "x"},
    ),
    create(
        "a metadata value of 64 characters", LABEL, ("/metadata/k", "label-value"), metadata={"k": "v" * 64}
    ),
    create("a metadata value with a newline", LABEL, ("/metadata/k", "label-value"), metadata={"k": "v\n"}),
    create(
        "a metadata value that ends in a hyphen", LABEL, ("/metadata/k", "label-value"), metadata={"k": "v-"}
    ),
    create("a metadata value as a number", INVALID, ("/metadata/k", "type"), metadata={"k": 1}),
    create("a metadata value null", INVALID, ("/metadata/k", "type"), metadata={"k": None}),
]


@pytest.mark.parametrize("case", [*SOURCES, *SHAPES, *LABELS], ids=str)
def test_a_create_that_breaks_a_rule_is_refused_and_leaves_nothing(world: World, case: Case) -> None:
    check_refusal(world, case)


LOOKED_UP = [
    create(
        "unknown snapshot", "SNAPSHOT::NOT_FOUND", image=ABSENT, entrypoint=ABSENT, snapshotId="snap-none"
    ),
    create(
        "unknown pool",
        "POOL::POOL_NOT_FOUND",
        image=ABSENT,
        entrypoint=ABSENT,
        extensions={"poolRef": "none"},
    ),
]


@pytest.mark.parametrize("case", LOOKED_UP, ids=str)
def test_a_create_from_something_unknown_is_refused_and_leaves_nothing(world: World, case: Case) -> None:
    check_refusal(world, dataclasses.replace(case, status=404))
