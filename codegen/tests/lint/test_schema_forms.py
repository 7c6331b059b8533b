from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

API = "lifecycle.yaml"
LAST = (
    "    Error:\n      type: object\n      required: [code]\n      properties:\n"
    "        code:\n          type: string\n"
)

CASES = [
    Broken(
        "schema-nullable",
        API,
        "          type: [integer, 'null']\n",
        "          type: integer\n          «nullable: true\n",
        "`nullable` is OpenAPI 3.0; 3.1 ignores it.",
        "Write `type: [integer, 'null']`.",
        also=frozenset({"example-valid"}),
    ),
    Broken(
        "schema-null-union",
        API,
        "          type: [integer, 'null']\n          minimum: 60\n",
        "          oneOf:\n            - {type: integer}\n            - «{type: 'null'}\n",
        "`oneOf` with null; generators make a class of it.",
        "Add 'null' to the list of types of the other schema.",
    ),
    Broken(
        "schema-null-union",
        API,
        "          type: [integer, 'null']\n          minimum: 60\n",
        "          anyOf:\n            - {type: integer}\n            - «{type: ['null']}\n",
        "`anyOf` with null; generators make a class of it.",
        "Add 'null' to the list of types of the other schema.",
    ),
    Broken(
        "schema-exclusive-bound",
        API,
        "          minimum: 60\n",
        "          minimum: 60\n          «exclusiveMinimum: true\n",
        "`exclusiveMinimum: true` is OpenAPI 3.0.",
        "Write the number under `exclusiveMinimum` and remove `minimum`.",
    ),
    Broken(
        "schema-exclusive-bound",
        API,
        "          minimum: 60\n",
        "          maximum: 90\n          «exclusiveMaximum: false\n",
        "`exclusiveMaximum: false` is OpenAPI 3.0.",
        "Write the number under `exclusiveMaximum` and remove `maximum`.",
    ),
    Broken(
        "schema-example",
        API,
        "          minimum: 60\n",
        "          minimum: 60\n          «example: 90\n",
        "`example` in a schema is OpenAPI 3.0.",
        "Write `examples` with a list of values.",
    ),
    Broken(
        "schema-closed-enum",
        API,
        "        since:\n          type: string\n",
        "        since:\n          type: string\n          «enum: ['2026-01-02T03:04:05Z']\n",
        "`enum` in an answer; clients would crash on a new value.",
        "Write `type: string` and list the values under `x-known-values`.",
    ),
    Broken(
        "schema-closed-enum",
        API,
        "        id:\n          type: string\n",
        "        id:\n          type: array\n          items: {«const: sbx-1}\n",
        "`const` in an answer; clients would crash on a new value.",
        "Write `type: string` and list the values under `x-known-values`.",
        also=frozenset({"example-valid"}),
    ),
    Broken(
        "schema-known-values",
        API,
        "        platform:\n          enum: [linux, windows]\n",
        "        platform:\n          type: string\n          «x-known-values: [linux, linux]\n",
        "`x-known-values` is not a list of distinct strings.",
        "List each value once, quoted where needed.",
    ),
    Broken(
        "schema-known-values",
        API,
        "        platform:\n          enum: [linux, windows]\n",
        "        platform:\n          type: string\n          «x-known-values: [linux, 2]\n",
        "`x-known-values` is not a list of distinct strings.",
        "List each value once, quoted where needed.",
    ),
    Broken(
        "schema-known-values",
        API,
        "          minimum: 60\n",
        "          minimum: 60\n          «x-known-values: [short, long]\n",
        "`x-known-values` on something that is not a string.",
        "Set `type: string`.",
    ),
    Broken(
        "schema-mixed-map",
        API,
        LAST,
        f"{LAST}      «additionalProperties: {{type: string}}\n",
        "`properties` mixed with `additionalProperties`.",
        "Make it an object or a map; put the map under a property of its own.",
    ),
    Broken(
        "schema-free-map",
        API,
        "          additionalProperties: {type: string}",
        "          «additionalProperties: true",
        "A map of anything; no generator gives it a usable type.",
        "Give the type of its values under `additionalProperties`.",
    ),
    Broken(
        "schema-free-map",
        API,
        "          additionalProperties: {type: string}",
        "          «additionalProperties: {}",
        "A map of anything; no generator gives it a usable type.",
        "Give the type of its values under `additionalProperties`.",
    ),
    Broken(
        "schema-free-map",
        API,
        "          type: object\n          additionalProperties: {type: string}",
        "          «type: object",
        "An object of anything.",
        "Give its `properties`.",
    ),
    Broken(
        "schema-discriminator",
        API,
        LAST,
        f"{LAST}      «discriminator: {{propertyName: code}}\n",
        "A discriminator without a mapping.",
        "Add `mapping` with the schema of each value; generators guess differently.",
    ),
    Broken(
        "schema-required",
        API,
        "      required: [image]",
        "      required: [image, «imag]",
        "The required property imag is not declared.",
        "Declare it under `properties`, or correct its name.",
        also=frozenset({"example-valid"}),
    ),
    Broken(
        "schema-secret",
        API,
        LAST,
        f"{LAST}        pullPassword:\n          «type: string\n",
        "The property pullPassword is named like a secret, but not marked as one.",
        "Add `x-sandkit-secret: true`, or rename it.",
    ),
    Broken(
        "schema-known-values",
        API,
        "        platform:\n          enum: [linux, windows]\n",
        "        platform:\n          type: string\n          «x-known-values: []\n",
        "`x-known-values` is not a list of distinct strings.",
        "List each value once, quoted where needed.",
    ),
    Broken(
        "schema-nullable",
        API,
        "        platform:\n          enum: [linux, windows]\n",
        "        platform:\n          «nullable: true\n",
        "`nullable` is OpenAPI 3.0; 3.1 ignores it.",
        "Write `type: [string, 'null']`.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_schema_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)
