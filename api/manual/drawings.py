"""Draws the pictures of our documents as SVG: states or parts as boxes, and from each the ways that lead out of it.

The documents hold them as Mermaid's text, which is made from the tables in the code. A repository host draws that by
foreign code in the browser; here it is drawn by ourselves, of the two kinds of diagrams that we have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

_STATES: Final = "stateDiagram"
_PARTS: Final = "flowchart"
_OUTSIDE: Final = "[*]"

_GROUP: Final = re.compile(r"state (\w+) \{")
_CHANGE: Final = re.compile(r"(\S+) --> ([^\s:]+)(?:: (.+))?")
_NODE: Final = r"(\w+)(?:[(\[]+\"([^\"]*)\"[)\]]+)?"
_ARROW: Final = re.compile(rf"{_NODE} (<?-[-.]+->?)(?:\|\"([^\"]*)\"\|)? {_NODE}")
_BREAK: Final = re.compile(r"<br\s*/?>")

Lines = tuple[str, ...]
"""What stands in a box or above an arrow, line by line."""

CHARACTER: Final = 8.0
"""How wide a character is at most on average, in the units of the picture."""
LINE: Final = 18.0
GAP: Final = 26.0
PADDING: Final = 10.0


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way from one box to another, and why it is taken."""

    source: str
    target: str
    labels: Lines
    is_double: bool = False
    is_dashed: bool = False


@dataclass(slots=True)
class Diagram:
    """What is to be drawn."""

    boxes: dict[str, Lines] = field(default_factory=dict)
    arrows: list[Arrow] = field(default_factory=list)
    first: set[str] = field(default_factory=set)
    last: set[str] = field(default_factory=set)

    def sources(self) -> list[str]:
        """The boxes that something leads out of: the first one first, then as they are reached."""
        leaving = {arrow.source for arrow in self.arrows}
        found = [name for name in self.boxes if name in self.first]
        for name in found:
            for arrow in self.arrows:
                if arrow.source == name and arrow.target not in found:
                    found.append(arrow.target)
        return [name for name in [*found, *(name for name in self.boxes if name not in found)] if name in leaving]


def drawn(text: str) -> str | None:
    """The picture with its words beside it, as HTML; `None` for a kind of diagram that isn't drawn here."""
    diagram = read(text)
    return _figure(diagram) if diagram is not None and diagram.arrows else None


def read(text: str) -> Diagram | None:
    """What Mermaid's text says; `None` if it says something that isn't drawn here."""
    kind, *lines = text.strip().splitlines()
    reads = {_STATES: _state, _PARTS: _part}
    take = next((take for name, take in reads.items() if kind.startswith(name)), None)
    diagram, inside = Diagram(), None
    for line in map(str.strip, lines):
        if take is None:
            return None
        if line == "}":
            inside = None
        elif found := _GROUP.fullmatch(line):
            inside = found.group(1)
            diagram.boxes[inside] = (inside,)
        elif inside is not None:
            diagram.boxes[inside] += (f"· {line}",)
        elif not take(diagram, line):
            return None
    return diagram


def _state(diagram: Diagram, line: str) -> bool:
    found = _CHANGE.fullmatch(line)
    if found is None:
        return False
    source, target, label = found.groups()
    for name in (source, target):
        if name != _OUTSIDE:
            diagram.boxes.setdefault(name, (name,))
    if source == _OUTSIDE:
        diagram.first.add(target)
    elif target == _OUTSIDE:
        diagram.last.add(source)
    if label is not None:
        before = next((one for one in diagram.arrows if (one.source, one.target) == (source, target)), None)
        if before is not None:
            diagram.arrows.remove(before)
        diagram.arrows.append(Arrow(source, target, (*(before.labels if before is not None else ()), label)))
        if source == _OUTSIDE:
            diagram.boxes.setdefault(_OUTSIDE, ("something else",))
    return True


def _part(diagram: Diagram, line: str) -> bool:
    found = _ARROW.fullmatch(line)
    if found is None:
        return False
    source, source_words, kind, label, target, target_words = found.groups()
    for name, words in ((source, source_words), (target, target_words)):
        if words is not None or name not in diagram.boxes:
            diagram.boxes[name] = _lines(words or name)
    diagram.first = diagram.first or {source}
    arrow = Arrow(source, target, _lines(label or ""), is_double=kind.startswith("<"), is_dashed="." in kind)
    diagram.arrows.append(arrow)
    return True


def _lines(words: str) -> Lines:
    return tuple(line for line in _BREAK.split(words) if line)


def _figure(diagram: Diagram) -> str:
    width, height, shapes = _shapes(diagram)
    return (
        f'<figure><div class="wide" role="region" aria-label="Picture" tabindex="0">'
        f'<svg class="drawing" role="img" aria-label="The arrows of this picture are listed below it." '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">{"".join(shapes)}</svg></div>'
        f"<details><summary>In words</summary><ul>{''.join(_words(diagram))}</ul></details></figure>\n"
    )


def _words(diagram: Diagram) -> Iterator[str]:
    for source in diagram.sources():
        for arrow in (one for one in diagram.arrows if one.source == source):
            why = f": {'; '.join(arrow.labels)}" if arrow.labels else ""
            ways = [_in_words(diagram, name) for name in (arrow.source, arrow.target)]
            yield f"<li>{escape(f'{ways[0]} → {ways[1]}{why}')}</li>"


def _in_words(diagram: Diagram, name: str) -> str:
    heading, *rest = diagram.boxes[name]
    return f"{heading} ({', '.join(line.removeprefix('· ') for line in rest)})" if rest else heading


def _shapes(diagram: Diagram) -> tuple[float, float, list[str]]:
    """Width, height and all that is drawn: one fan of arrows below the other."""
    sources = diagram.sources()
    left = max(_width(diagram.boxes[name]) for name in sources)
    labels = max((len(label) for arrow in diagram.arrows for label in arrow.labels), default=0) * CHARACTER * 0.85
    right = left + GAP + labels + 2 * GAP
    shapes, y = [], 1.0
    for name in sources:
        fan = [arrow for arrow in diagram.arrows if arrow.source == name]
        drawn_fan, y = _fan(diagram, fan, left, right, y)
        shapes += drawn_fan
    return right + max(_width(diagram.boxes[arrow.target]) for arrow in diagram.arrows) + 2, y, shapes


def _fan(diagram: Diagram, fan: Sequence[Arrow], left: float, right: float, top: float) -> tuple[list[str], float]:
    """The box that these arrows come from, the arrows and where they lead to; and where the next fan may begin."""
    own = diagram.boxes[fan[0].source]
    middle = top + _height(own) / 2
    shapes, y = [_box(diagram, fan[0].source, left - _width(own), top)], top
    for arrow in fan:
        half = _height(diagram.boxes[arrow.target]) / 2
        at = max(y + max(half, LINE * len(arrow.labels) + 4), middle)
        shapes += _way(arrow, left, middle, right, at)
        shapes.append(_box(diagram, arrow.target, right, at - half))
        y = at + half + PADDING
    return shapes, max(y, top + _height(own) + PADDING) + PADDING


def _way(arrow: Arrow, left: float, middle: float, right: float, at: float) -> Iterator[str]:
    """One arrow, from the middle of its box to the height at which its target stands, with its labels above it."""
    classes = "line dashed" if arrow.is_dashed else "line"
    trunk = left + GAP / 2
    yield f'<path class="{classes}" d="M{left:.0f} {middle:.0f}H{trunk:.0f}V{at:.0f}H{right - 8:.0f}"/>{_head(right, at)}'
    if arrow.is_double:
        yield _head(left, middle, back=True)
    for line, label in enumerate(reversed(arrow.labels)):
        yield _label(label, trunk + 8, at - 6 - LINE * line)


def _box(diagram: Diagram, name: str, x: float, y: float) -> str:
    words = diagram.boxes[name]
    kind = "box first" if name in diagram.first else "box last" if name in diagram.last else "box"
    size = f'width="{_width(words):.0f}" height="{_height(words):.0f}"'
    lines = (
        f'<text class="name" x="{x + PADDING:.0f}" y="{y + PADDING + LINE * (index + 0.7):.0f}">{escape(line)}</text>'
        for index, line in enumerate(words)
    )
    return f'<rect class="{kind}" x="{x:.0f}" y="{y:.0f}" rx="6" {size}/>{"".join(lines)}'


def _label(text: str, x: float, y: float) -> str:
    return f'<text class="label" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def _head(x: float, y: float, *, back: bool = False) -> str:
    """The point of an arrow that ends at x."""
    base = x + 8 if back else x - 8
    return f'<path class="head" d="M{x:.0f} {y:.0f}L{base:.0f} {y - 4:.0f}V{y + 4:.0f}Z"/>'


def _width(words: Lines) -> float:
    return max(map(len, words)) * CHARACTER + 2 * PADDING


def _height(words: Lines) -> float:
    return len(words) * LINE + 2 * PADDING - 4
