"""Draws what a scenario's resources went through as an inline SVG: one lane each, time from left to right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup, escape

_WIDTH: Final = 960
_LEFT: Final = 150
_RIGHT: Final = 22
_LANE: Final = 30
_BAR: Final = 18
_TOP: Final = 26
_LETTER: Final = 6.6
_MARKED: Final = frozenset({"call", "race", "fault", "gate", "advance", "restart", "seed", "remove", "edit"})


def timeline(scenario: Mapping[str, Any]) -> Markup:
    """The scenario's transitions and the moments of its acting steps; empty when no state was ever seen."""
    lanes = _lanes(scenario["transitions"])
    if not lanes:
        return Markup("")
    scale = _Scale(scenario["began"], max(scenario["seconds"], 0.001))
    height = _TOP + len(lanes) * _LANE + 18
    parts = [_axis(scale, height)]
    parts += [_lane(name, changes, index, scale) for index, (name, changes) in enumerate(lanes.items())]
    parts.append(_steps(scenario["steps"], scale, height))
    label = escape(f"States over {scenario['seconds']:.2f} seconds")
    return Markup(
        '<svg class="timeline" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'preserveAspectRatio="xMinYMin meet">{}</svg>'
    ).format(_WIDTH, height, label, Markup("").join(parts))


class _Scale:
    """Seconds of the run to pixels."""

    def __init__(self, began: float, seconds: float) -> None:
        self.began = began
        self.seconds = seconds

    def x(self, moment: float) -> float:
        share = min(max((moment - self.began) / self.seconds, 0.0), 1.0)
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)


def _lanes(transitions: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    lanes: dict[str, list[Mapping[str, Any]]] = {}
    for change in transitions:
        lanes.setdefault(f"{change['resource']} {change['id']}", []).append(change)
    return lanes


def _axis(scale: _Scale, height: float) -> Markup:
    parts = []
    for quarter in range(5):
        moment = scale.began + scale.seconds * quarter / 4
        x = scale.x(moment)
        parts.append(
            Markup(
                '<line class="grid" x1="{0}" x2="{0}" y1="{1}" y2="{2}"/>'
                '<text class="tick" x="{0}" y="{3}">{4}</text>'
            ).format(x, _TOP - 6, height - 14, height - 3, f"{scale.seconds * quarter / 4:.2f} s")
        )
    return Markup("").join(parts)


def _lane(name: str, changes: list[Mapping[str, Any]], index: int, scale: _Scale) -> Markup:
    y = _TOP + index * _LANE
    short = name if len(name) <= 21 else f"{name[:9]}…{name[-10:]}"
    parts = [Markup('<text class="lane" x="0" y="{}">{}<title>{}</title></text>').format(y + 13, short, name)]
    ends = [*(change["seconds"] for change in changes[1:]), scale.began + scale.seconds]
    for change, end in zip(changes, ends, strict=True):
        left, right = scale.x(change["seconds"]), scale.x(end)
        width = max(right - left, 2.0)
        state = change["state"]
        legal = "" if change["legal"] else " illegal"
        parts.append(
            Markup(
                '<g class="state s-{state}{legal}">'
                '<rect x="{x}" y="{y}" width="{width}" height="{bar}" rx="3"/>'
                "{label}<title>{state} from {begin:.3f} s{note}</title></g>"
            ).format(
                state=state,
                legal=legal,
                x=left,
                y=y,
                width=round(width, 1),
                bar=_BAR,
                label=_label(state, left, width, y),
                begin=change["seconds"] - scale.began,
                note="" if change["legal"] else ": not a legal transition",
            )
        )
    return Markup("").join(parts)


def _label(state: str, left: float, width: float, y: float) -> Markup:
    """The state's name, where it fits into its bar."""
    if width < len(state) * _LETTER + 8:
        return Markup("")
    return Markup('<text x="{}" y="{}">{}</text>').format(round(left + 5, 1), y + 13, state)


def _steps(steps: Sequence[Mapping[str, Any]], scale: _Scale, height: float) -> Markup:
    parts = []
    for step in steps:
        if step["verdict"] is None or step["verb"] not in _MARKED:
            continue
        parts.append(
            Markup(
                '<g class="moment v-{verdict}"><line x1="{x}" x2="{x}" y1="12" y2="{bottom}"/>'
                '<circle cx="{x}" cy="10" r="4"/><title>{number}. {title}: {verdict}</title></g>'
            ).format(
                verdict=step["verdict"],
                x=scale.x(step["began"]),
                bottom=height - 16,
                number=step["number"],
                title=step["title"],
            )
        )
    return Markup("").join(parts)
