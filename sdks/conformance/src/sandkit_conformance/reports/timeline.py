"""Draws what a scenario's resources went through as an inline SVG: one lane each, time from left to right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    inside = "".join(
        (
            *_axis(scale, height),
            *(_lane(name, changes, index, scale) for index, (name, changes) in enumerate(lanes.items())),
            *_steps(scenario["steps"], scale, height),
        )
    )
    label = f"States over {scenario['seconds']:.2f} seconds"
    return Markup(  # noqa: S704 - every word in it was escaped where it was put in
        f'<svg class="timeline" viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{label}" '
        f'preserveAspectRatio="xMinYMin meet">{inside}</svg>'
    )


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


# A page has thousands of these: plain text, in which every word that a server or a scenario may have chosen
# is escaped where it is put in.
def _axis(scale: _Scale, height: float) -> Iterator[str]:
    for quarter in range(5):
        x = scale.x(scale.began + scale.seconds * quarter / 4)
        yield (
            f'<line class="grid" x1="{x}" x2="{x}" y1="{_TOP - 6}" y2="{height - 14}"/>'
            f'<text class="tick" x="{x}" y="{height - 3}">{scale.seconds * quarter / 4:.2f} s</text>'
        )


def _lane(name: str, changes: list[Mapping[str, Any]], index: int, scale: _Scale) -> str:
    y = _TOP + index * _LANE
    short = name if len(name) <= 21 else f"{name[:9]}…{name[-10:]}"
    parts = [f'<text class="lane" x="0" y="{y + 13}">{escape(short)}<title>{escape(name)}</title></text>']
    ends = [*(change["seconds"] for change in changes[1:]), scale.began + scale.seconds]
    for change, end in zip(changes, ends, strict=True):
        left, right = scale.x(change["seconds"]), scale.x(end)
        width = max(right - left, 2.0)
        state, begin = escape(change["state"]), change["seconds"] - scale.began
        mark, note = ("", "") if change["legal"] else (" illegal", ": not a legal transition")
        parts.append(
            f'<g class="state s-{state}{mark}">'
            f'<rect x="{left}" y="{y}" width="{round(width, 1)}" height="{_BAR}" rx="3"/>'
            f"{_label(change['state'], left, width, y)}<title>{state} from {begin:.3f} s{note}</title></g>"
        )
    return "".join(parts)


def _label(state: str, left: float, width: float, y: float) -> str:
    """The state's name, where it fits into its bar."""
    if width < len(state) * _LETTER + 8:
        return ""
    return f'<text x="{round(left + 5, 1)}" y="{y + 13}">{escape(state)}</text>'


def _steps(steps: Sequence[Mapping[str, Any]], scale: _Scale, height: float) -> Iterator[str]:
    for step in steps:
        if step["verdict"] is None or step["verb"] not in _MARKED:
            continue
        x, verdict = scale.x(step["began"]), step["verdict"]
        yield (
            f'<g class="moment v-{verdict}"><line x1="{x}" x2="{x}" y1="12" y2="{height - 16}"/>'
            f'<circle cx="{x}" cy="10" r="4"/>'
            f"<title>{step['number']}. {escape(step['title'])}: {verdict}</title></g>"
        )
