"""The wire contract as typed values for the templates, built from the loaded document."""

from __future__ import annotations

from sandkit_codegen.wire.build import build_api
from sandkit_codegen.wire.model import (
    Answer,
    Api,
    ApiOperation,
    Body,
    KnownValues,
    Parameter,
    Place,
    Scalar,
    ScalarKind,
)
from sandkit_codegen.wire.texts import description_of

__all__ = [
    "Answer",
    "Api",
    "ApiOperation",
    "Body",
    "KnownValues",
    "Parameter",
    "Place",
    "Scalar",
    "ScalarKind",
    "build_api",
    "description_of",
]
