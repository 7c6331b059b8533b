"""A badge for a readme: what was checked, and how it came out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from markupsafe import Markup

_LETTER: Final = 6.7
_PADDING: Final = 12
_COLOURS: Final = {0: "#2d8a4e", 1: "#c9302c", 2: "#9b3fb5", 3: "#b07d12", 4: "#2a7f9e"}


def badge_svg(document: Mapping[str, Any]) -> str:
    """The badge as SVG, with nothing outside it."""
    run, counts = document["run"], document["summary"]["requirements"]
    label = f"sandkit {', '.join(run['selection']) or run['profile']}"
    passed, total = counts.get("pass", 0), sum(counts.values()) - counts.get("not-applicable", 0)
    message = f"{document['outcome']['text']} · {passed} of {total}"
    left, right = (round(len(text) * _LETTER) + _PADDING for text in (label, message))
    return str(
        Markup(
            '<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" '
            'aria-label="{label}: {message}">'
            "<title>{label}: {message}</title>"
            '<clipPath id="r"><rect width="{width}" height="20" rx="4"/></clipPath><g clip-path="url(#r)">'
            '<rect width="{left}" height="20" fill="#3c4046"/>'
            '<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
            '<g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,sans-serif" '
            'font-size="11">'
            '<text x="{middle_left}" y="14">{label}</text>'
            '<text x="{middle_right}" y="14">{message}</text></g></svg>\n'
        ).format(
            width=left + right,
            left=left,
            right=right,
            middle_left=left / 2,
            middle_right=left + right / 2,
            label=label,
            message=message,
            colour=_COLOURS[document["outcome"]["exitCode"]],
        )
    )
