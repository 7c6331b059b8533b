from __future__ import annotations

from pathlib import Path

import pytest

from .broken import Broken, check

BOXES = "crds/boxes.yaml"
DEEP = "                  "
SIZE = f"                size:\n{DEEP}description: How large it is.\n{DEEP}type: integer\n"
PHASE = (
    "                phase:\n                  description: How far it is.\n                  type: string\n"
)
RULE = "                - rule: self.size > 0 && self.template.spec != 'a (b'\n"
MESSAGE = "                  message: the size must be positive\n"


def _identity(good: str, bad: str, key: str, value: str, wanted: str) -> Broken:
    return Broken("crd-identity", BOXES, good, bad, f"`{key}` is {value!r}.", f"Write {wanted}.")


def _structural(bad: str, what: str, remedy: str) -> Broken:
    return Broken("crd-structural", BOXES, SIZE, bad, what, remedy)


def _not_allowed(keyword: str, value: str) -> Broken:
    what = f"`{keyword}` is not allowed in a definition."
    return _structural(f"{SIZE}{DEEP}«{keyword}: {value}\n", what, "Remove it.")


CASES = [
    _identity("apiextensions.k8s.io/v1", "«apps/v1", "apiVersion", "apps/v1", "apiextensions.k8s.io/v1"),
    _identity(
        "kind: CustomResourceDefinition",
        "kind: «Definition",
        "kind",
        "Definition",
        "CustomResourceDefinition",
    ),
    _identity("group: sandbox", "group: «box", "group", "box.opensandbox.io", "sandbox.opensandbox.io"),
    _identity("scope: Namespaced", "scope: «Cluster", "scope", "Cluster", "Namespaced"),
    _identity("singular: box", "singular: «bx", "singular", "bx", "box"),
    _identity("listKind: BoxList", "listKind: «Boxes", "listKind", "Boxes", "BoxList"),
    _identity(
        "name: boxes.sandbox",
        "name: «box.sandbox",
        "name",
        "box.sandbox.opensandbox.io",
        "boxes.sandbox.opensandbox.io",
    ),
    Broken(
        "crd-identity",
        BOXES,
        "shortNames: [bx]",
        "shortNames: [«BX]",
        "The short name 'BX' is not a lower-case word.",
        "Mend it.",
    ),
    Broken(
        "crd-identity",
        BOXES,
        "    kind: Box\n    listKind: BoxList\n    plural: boxes\n    singular: box\n    shortNames: [bx]\n",
        "    «kind: Box\n    listKind: BoxList\n    plural: boxes\n    singular: box\n",
        "Box has no short name.",
        "Add `shortNames`.",
    ),
    Broken(
        "crd-versions",
        BOXES,
        "storage: true",
        "storage: false",
        "0 versions are stored.",
        "Set `storage: true` on exactly one version.",
        at=(BOXES, "«apiVersion:"),
    ),
    Broken(
        "crd-versions",
        BOXES,
        "served: true",
        "served: false",
        "The version v1alpha1 is not served.",
        "Add it with `served: true`.",
        at=(BOXES, "«apiVersion:"),
    ),
    Broken(
        "crd-versions",
        BOXES,
        "      subresources:\n        status: {}\n",
        "",
        "The version has no status subresource.",
        "Add `subresources: {status: {}}`, so that only the controller writes it.",
        at=(BOXES, "    - «name: v1alpha1"),
    ),
    Broken(
        "crd-versions",
        BOXES,
        "            status:\n              description: What was done.\n",
        "            state:\n              description: What was done.\n",
        "The schema has no status.",
        "Describe it under `properties`.",
        at=(BOXES, "openAPIV3Schema:\n          «type: object"),
        also=frozenset({"crd-columns"}),
    ),
    Broken(
        "crd-versions",
        BOXES,
        "        openAPIV3Schema:\n",
        "        openAPISchema:\n",
        "The version has no schema.",
        "Add `schema.openAPIV3Schema`.",
        at=(BOXES, "      «schema:"),
    ),
    Broken(
        "crd-columns",
        BOXES,
        "jsonPath: .status.phase",
        "«jsonPath: .status.state",
        "The schema has no field .status.state.",
        "Correct the path, or declare the field.",
    ),
    Broken(
        "crd-columns",
        BOXES,
        "{name: Phase, type: string,",
        "{name: Phase, «type: text,",
        "'text' is not a type of column.",
        "Use one of: boolean, date, integer, number, string.",
    ),
    Broken(
        "crd-columns",
        BOXES,
        "        - {name: Phase, type: string, jsonPath: .status.phase}\n"
        "        - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}\n",
        "        []\n",
        "The version has no printer columns.",
        "Add `additionalPrinterColumns`; they are what `kubectl get` prints.",
        at=(BOXES, "    - «name: v1alpha1"),
    ),
    _structural(
        f"                size:\n{DEEP}«description: How large it is.\n",
        "The field size has no type.",
        "Add `type`.",
    ),
    _structural(
        f"                size:\n{DEEP}«description: How large it is.\n{DEEP}type: array\n"
        f"{DEEP}x-kubernetes-list-type: set\n",
        "The field size does not describe its items.",
        "Add a schema as `items`.",
    ),
    _structural(
        f"                size:\n{DEEP}«description: How large it is.\n{DEEP}type: object\n",
        "The field size keeps nothing: fields that are not described are dropped.",
        "Describe its `properties`.",
    ),
    _not_allowed("readOnly", "true"),
    _not_allowed("$ref", "'#/x'"),
    _not_allowed("patternProperties", "{}"),
    _structural(
        f"                size:\n{DEEP}description: How large it is.\n{DEEP}type: object\n"
        f"{DEEP}properties: {{}}\n{DEEP}«additionalProperties: {{type: string}}\n",
        "`additionalProperties` beside `properties` is not allowed.",
        "Remove one of the two.",
    ),
    _structural(
        f"                size:\n{DEEP}description: How large it is.\n{DEEP}type: object\n"
        f"{DEEP}«additionalProperties: false\n",
        "`additionalProperties: false` is not allowed.",
        "Remove it; unknown fields are dropped anyway.",
    ),
    _structural(
        f"{SIZE}{DEEP}«uniqueItems: true\n",
        "`uniqueItems: true` is not allowed; its cost is not bounded.",
        "Use `x-kubernetes-list-type: set`.",
    ),
    _structural(
        f"{SIZE}{DEEP}anyOf:\n{DEEP}  - {{minimum: 0}}\n{DEEP}  - {{«type: integer}}\n",
        "`type` inside `anyOf` is not allowed.",
        "Move it out to the schema of the value.",
    ),
    Broken(
        "crd-structural",
        BOXES,
        "            metadata:\n              type: object\n",
        "            metadata:\n              type: object\n              properties:\n"
        f"                labels:\n{DEEP}«description: The labels.\n"
        f"{DEEP}type: object\n{DEEP}properties: {{}}\n",
        "metadata.labels is restricted.",
        "Remove it; only names may be.",
    ),
    Broken(
        "crd-described",
        BOXES,
        PHASE,
        "                phase:\n                  «type: string\n",
        "The field phase has no description.",
        "Add it; `kubectl explain` prints it.",
    ),
    Broken(
        "crd-lists",
        BOXES,
        "                  description: What is open.\n                  type: array\n"
        "                  x-kubernetes-list-type: atomic\n",
        "                  «description: What is open.\n                  type: array\n",
        "The list ports does not say how it is merged.",
        "Set `x-kubernetes-list-type` to atomic, set or map; server-side apply needs it.",
    ),
    Broken(
        "crd-lists",
        BOXES,
        "                  description: What holds.\n                  type: array\n"
        "                  x-kubernetes-list-type: map\n",
        "                  «description: What holds.\n                  type: array\n"
        "                  x-kubernetes-list-type: atomic\n",
        "Conditions are not a map by type.",
        "Set `x-kubernetes-list-type: map` and `x-kubernetes-list-map-keys: [type]`.",
    ),
    Broken(
        "crd-lists",
        BOXES,
        "                    required: [type]\n",
        "",
        "The key type of conditions is not a required field of its items.",
        "Require it, or give it a default.",
        at=(BOXES, "x-kubernetes-list-map-keys: [«type]"),
    ),
    Broken(
        "crd-lists",
        BOXES,
        "x-kubernetes-list-type: atomic",
        "«x-kubernetes-list-type: map",
        "The map ports has no keys.",
        "Add `x-kubernetes-list-map-keys`.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        RULE + MESSAGE,
        "                - «message: the size must be positive\n",
        "A validation without a rule.",
        "Add `rule`, a CEL expression.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        RULE + MESSAGE,
        "                - rule: «self.size > 0\n",
        "A validation without a message prints its expression.",
        "Add `message`, saying what is wanted.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        RULE,
        "                - rule: «self.size > 0 && (self.size < 9\n",
        "The brackets of the rule do not match.",
        "Close each one.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        RULE,
        "                - rule: «self.length > 0\n",
        "The rule uses self.length, which is not declared.",
        "Declare it, or correct the rule.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        RULE,
        "                - rule: «oldSelf.width == self.size\n",
        "The rule uses self.width, which is not declared.",
        "Declare it, or correct the rule.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        "fieldPath: .size",
        "«fieldPath: .length",
        "The schema has no field .length.",
        "Correct the path.",
    ),
    Broken(
        "crd-rules",
        BOXES,
        "reason: FieldValueInvalid",
        "«reason: Invalid",
        "The reason Invalid does not exist.",
        "Use one of: FieldValueInvalid, FieldValueForbidden, FieldValueRequired, FieldValueDuplicate.",
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_definition_rule(case: Broken, tmp_path: Path) -> None:
    check(case, tmp_path)


@pytest.mark.parametrize(
    "rule",
    [
        "self.ports.all(p, p > 0)",
        "has(self.size) && self.size in [1, 2]",
        "self.ports.size() > 0 && self == oldSelf",
        "self.template.metadata.labels['x'] == 'self.nothing'",
    ],
)
def test_rules_over_declared_fields_are_taken(rule: str, tmp_path: Path) -> None:
    from sandkit_codegen.lint import lint_specs

    from .broken import replace, write_minimal

    root = write_minimal(tmp_path)
    replace(root / BOXES, RULE, f'                - rule: "{rule}"\n')
    assert lint_specs(root) == []
