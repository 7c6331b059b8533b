"""A JSON document out of bytes, strictly.

RFC 8259 leaves corners open in which two parsers read one text differently; they are refused here, as RFC
7493 (I-JSON)
asks: text that is not UTF-8, an object with the same name twice, NaN and the infinities, half a surrogate
    pair.
"""

from __future__ import annotations

import json
from typing import Any, Final, NoReturn

from sandkit_server.core.errors import ErrorCode, SandkitError

__all__ = ["parse"]


_MAX_DEPTH: Final = 100
_TOO_DEEP: Final = f"it is nested deeper than {_MAX_DEPTH} levels"


def parse(body: bytes) -> Any:
    """The document as dicts, lists, strings, numbers, booleans and None.

    Raises:
        SandkitError: REQUEST::MALFORMED_JSON; the message names the byte where parsing stopped, and never
            quotes the text, which may hold secrets.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as wrong:
        raise _malformed(f"it is not UTF-8 at byte {wrong.start}") from None
    if not text.strip():
        raise _malformed("it is empty, and this operation needs one")
    try:
        document = _decoder.decode(text)
        if "\\u" in text:
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except json.JSONDecodeError as wrong:
        at = len(text[: wrong.pos].encode("utf-8"))
        raise _malformed(f"{wrong.msg} at byte {at}") from None
    except UnicodeEncodeError:
        raise _malformed("a \\u escape is half of a surrogate pair") from None
    except RecursionError:
        raise _malformed(_TOO_DEEP) from None
    except ValueError:
        # The interpreter's limit on the digits of an integer.
        raise _malformed("a number has too many digits") from None
    # How deep a parser can go depends on the interpreter; how deep a request may go does not. Nearly all have
    # fewer brackets than that in all.
    if text.count("[") + text.count("{") > _MAX_DEPTH and _depth(document) > _MAX_DEPTH:
        raise _malformed(_TOO_DEEP)
    return document


def _depth(document: Any) -> int:
    """Levels of arrays and objects within each other, counted level by level."""
    depth = 0
    level = [document]
    while level := [each for each in level if isinstance(each, list | dict)]:
        depth += 1
        level = [item for each in level for item in (each if isinstance(each, list) else each.values())]
    return depth


def _malformed(trouble: str) -> SandkitError:
    return SandkitError(ErrorCode.REQUEST_MALFORMED_JSON, f"The body is not a JSON document: {trouble}.")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _malformed("an object has the same name twice")
    return members


def _constant(name: str) -> NoReturn:
    raise _malformed(f"{name} is not a JSON number")


_decoder: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
