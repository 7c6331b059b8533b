"""State diagrams as SVG inside the page: no script, no font, colours of the surrounding text.

States stand in rows. A state that nearly every other state leads to (stopping, failing) would bury the
picture in lines; it stands in a row below, and one arrow leads to it from the frame around the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import permutations

from sandkit_codegen.load import StateMachine, Transition

_WIDTH, _HEIGHT, _GAP, _MARGIN = 112, 38, 44, 28
_ARC, _FRAME_PADDING = 24, 18
_HUB_SOURCES = 4
_MAX_PERMUTED = 6


@dataclass(frozen=True, slots=True)
class _Box:
    x: float
    y: float

    @property
    def middle(self) -> float:
        return self.x + _WIDTH / 2


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the states stand; `upper` are inside the frame, `lower` below it, if there are any."""

    upper: tuple[str, ...]
    lower: tuple[str, ...]
    boxes: dict[str, _Box]
    width: float
    height: float
    frame_bottom: float


def state_diagram(machine: StateMachine) -> str:
    """One `<svg>` element on lines without blank ones, so that Markdown takes it as a single block."""
    layout = _layout(machine)
    title = f"States of a {machine.resource} and the transitions between them"
    parts = [
        f'<svg viewBox="0 0 {layout.width:g} {layout.height:g}" role="img" aria-label="{escape(title)}" '
        f'width="{layout.width:g}" style="max-width:100%;height:auto" xmlns="http://www.w3.org/2000/svg">',
        f'<defs><marker id="arrow-{machine.resource}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="currentColor"/>'
        "</marker></defs>",
        '<g fill="none" stroke="currentColor" stroke-width="1.4" font-family="inherit" font-size="14">',
        *_frame(machine, layout),
        *(_arrow(machine, layout, transition) for transition in _drawn(machine, layout)),
        *(_state(machine, layout, name) for name in machine.state_names),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts)


def _layout(machine: StateMachine) -> _Layout:
    lower = _ordered(machine, _below(machine))
    upper = tuple(name for name in _breadth_first(machine) if name not in lower)
    above, below = _arc_room(machine, upper)
    boxes = {name: _Box(_MARGIN + index * (_WIDTH + _GAP), above) for index, name in enumerate(upper)}
    frame_bottom = above + _HEIGHT + below
    row = frame_bottom + 54
    boxes |= {name: _Box(_MARGIN + (index + 1) * (_WIDTH + _GAP), row) for index, name in enumerate(lower)}
    columns = max(len(upper), len(lower) + 1)
    width = 2 * _MARGIN + columns * _WIDTH + (columns - 1) * _GAP
    height = row + _HEIGHT + _ARC + 12 if lower else frame_bottom
    return _Layout(upper, lower, boxes, width, height, frame_bottom)


def _arc_room(machine: StateMachine, row: tuple[str, ...]) -> tuple[float, float]:
    """The space arcs need above and below a row; a curve reaches three quarters of its control points."""
    steps = [
        row.index(each.target) - row.index(each.source)
        for each in machine.transitions
        if each.source in row and each.target in row
    ]
    backward = max((-step for step in steps if step < 0), default=0)
    forward = max((step for step in steps if step > 1), default=0)
    return _MARGIN + 0.75 * _ARC * backward, _FRAME_PADDING + 0.75 * _ARC * forward


def _below(machine: StateMachine) -> tuple[str, ...]:
    """States most others lead to, and those only they lead to."""
    sources: dict[str, set[str]] = {name: set() for name in machine.state_names}
    for transition in machine.transitions:
        sources[transition.target].add(transition.source)
    hubs = {name for name, found in sources.items() if len(found) > _HUB_SOURCES}
    behind = {name for name, found in sources.items() if hubs and found and found <= hubs}
    return tuple(name for name in machine.state_names if name in hubs | behind)


def _ordered(machine: StateMachine, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names so that lines between them are shortest."""
    if len(names) > _MAX_PERMUTED:
        return names
    pairs = [
        (each.source, each.target) for each in machine.transitions if {each.source, each.target} <= set(names)
    ]
    return min(permutations(names), key=lambda row: sum(abs(row.index(a) - row.index(b)) for a, b in pairs))


def _breadth_first(machine: StateMachine) -> tuple[str, ...]:
    reached = list(machine.initial)
    for name in reached:
        reached.extend(
            each.target for each in machine.transitions if each.source == name and each.target not in reached
        )
    return (*reached, *(name for name in machine.state_names if name not in reached))


def _drawn(machine: StateMachine, layout: _Layout) -> tuple[Transition, ...]:
    """The transitions with a line of their own: not those the frame stands for."""
    return tuple(
        each
        for each in machine.transitions
        if not (each.source in layout.upper and each.target in layout.lower)
    )


def _frame(machine: StateMachine, layout: _Layout) -> list[str]:
    if not layout.lower:
        return []
    last = layout.boxes[layout.upper[-1]]
    right = last.x + _WIDTH + _FRAME_PADDING
    left = layout.boxes[layout.upper[0]].x - _FRAME_PADDING
    lines = [
        f'<rect x="{left:g}" y="8" width="{right - left:g}" height="{layout.frame_bottom - 8:g}" rx="10" '
        'stroke-dasharray="5 5" stroke-opacity="0.6"/>'
    ]
    for name in layout.lower:
        causes = {
            each.cause for each in machine.transitions if each.source in layout.upper and each.target == name
        }
        if causes:
            box = layout.boxes[name]
            lines.append(
                f'<path d="M{box.middle:g} {layout.frame_bottom:g}V{box.y - 2:g}" {_marker(machine)}>'
                f"<title>{escape('; '.join(sorted(causes)))}</title></path>"
            )
    return lines


def _arrow(machine: StateMachine, layout: _Layout, transition: Transition) -> str:
    """Neighbours forward: a straight line. Backward: an arc above. Further forward: an arc below."""
    start, end = layout.boxes[transition.source], layout.boxes[transition.target]
    steps = round((end.x - start.x) / (_WIDTH + _GAP))
    if steps == 1:
        path = f"M{start.x + _WIDTH:g} {start.y + _HEIGHT / 2:g}H{end.x - 2:g}"
    elif steps < 0:
        path = _arc(start.middle - 14, end.middle + 14, start.y, -_ARC * -steps)
    else:
        path = _arc(start.middle + 14, end.middle - 14, start.y + _HEIGHT, _ARC * steps)
    label = f"{transition.source} to {transition.target}: {transition.cause}"
    return f'<path d="{path}" {_marker(machine)}><title>{escape(label)}</title></path>'


def _arc(start: float, end: float, base: float, rise: float) -> str:
    tip = base + (-2 if rise < 0 else 2)
    return f"M{start:g} {base:g}C{start:g} {base + rise:g} {end:g} {base + rise:g} {end:g} {tip:g}"


def _state(machine: StateMachine, layout: _Layout, name: str) -> str:
    state = next(each for each in machine.states if each.name == name)
    box = layout.boxes[name]
    dashes = ' stroke-dasharray="4 3"' if state.transitional else ""
    weight = ' stroke-width="2.6"' if state.terminal or name in machine.initial else ""
    return (
        f'<g><title>{escape(state.description)}</title><rect x="{box.x:g}" y="{box.y:g}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="{_HEIGHT / 2:g}"{dashes}{weight}/><text x="{box.middle:g}" '
        f'y="{box.y + _HEIGHT / 2 + 5:g}" text-anchor="middle" fill="currentColor" stroke="none">'
        f"{escape(name)}</text></g>"
    )


def _marker(machine: StateMachine) -> str:
    return f'marker-end="url(#arrow-{machine.resource})"'
