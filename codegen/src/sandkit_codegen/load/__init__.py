"""Position-preserving loading of the specs.

    specs = load_spec_set(Path("specs"))
    specs.openapi.operations        Operation(operation_id, method, path, tags, error_codes, node, …), …
    specs.openapi.bundled()         the document as plain data, for generators that read JSON
    specs.states["sandbox"]         StateMachine(states, transitions, operations[id][state] -> Outcome)
    specs.errors                    ErrorDefinition(code, status, meaning, retryable, remedy), …
    specs.requirements              Requirement(id, level, authority, text, …), …
    requirement_digest(requirement) what a reviewed check is pinned to

Every node knows `file:line:column`. Broken input raises SpecError, whose findings are positioned and say
how to mend it.
"""

from __future__ import annotations

from sandkit_codegen.load.digests import canonical_text, digest, requirement_digest, spec_digest
from sandkit_codegen.load.document import Document, parse_document, read_document
from sandkit_codegen.load.finding import Finding, Position, SpecError
from sandkit_codegen.load.nodes import (
    ListNode,
    MapNode,
    Node,
    PlainValue,
    ScalarNode,
    children,
    follow,
    plain,
    text_of,
    texts_of,
    walk,
)
from sandkit_codegen.load.openapi import (
    METHODS,
    OpenApi,
    Operation,
    check_references,
    pointer_path,
    reference_of,
)
from sandkit_codegen.load.spec_set import SpecSet, load_spec_set
from sandkit_codegen.load.structure import check_structure, schema_of, structure_findings
from sandkit_codegen.load.tables import (
    UNKNOWN,
    ErrorDefinition,
    Outcome,
    Requirement,
    RequirementArea,
    State,
    StateMachine,
    Transition,
    build_errors,
    build_requirement_area,
    build_state_machines,
)

__all__ = [
    "METHODS",
    "UNKNOWN",
    "Document",
    "ErrorDefinition",
    "Finding",
    "ListNode",
    "MapNode",
    "Node",
    "OpenApi",
    "Operation",
    "Outcome",
    "PlainValue",
    "Position",
    "Requirement",
    "RequirementArea",
    "ScalarNode",
    "SpecError",
    "SpecSet",
    "State",
    "StateMachine",
    "Transition",
    "build_errors",
    "build_requirement_area",
    "build_state_machines",
    "canonical_text",
    "check_references",
    "check_structure",
    "children",
    "digest",
    "follow",
    "load_spec_set",
    "parse_document",
    "plain",
    "pointer_path",
    "read_document",
    "reference_of",
    "requirement_digest",
    "schema_of",
    "spec_digest",
    "structure_findings",
    "text_of",
    "texts_of",
    "walk",
]
