"""Draws states and parts: boxes, and from each the fan of ways that lead out of it. No arrow crosses another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from api.manual.strokes import (
    GAP,
    LINE,
    PADDING,
    Lines,
    box,
    figure,
    head,
    height,
    label,
    label_width,
    line,
    lines_of,
    width,
)

_STATES: Final = "stateDiagram"
_PARTS: Final = "flowchart"
_OUTSIDE: Final = "[*]"

_GROUP: Final = re.compile(r"state (\w+) \{")
_CHANGE: Final = re.compile(r"(\S+) --> ([^\s:]+)(?:: (.+))?")
_NODE: Final = r"(\w+)(?:[(\[]+\"([^\"]*)\"[)\]]+)?"
_ARROW: Final = re.compile(rf"{_NODE} (<?-\.?->)(?:\|\"([^\"]*)\"\|)? {_NODE}")


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


def draw(diagram: Diagram) -> str:
    """The picture with its words beside it, as HTML."""
    return figure(*_shapes(diagram), _words(diagram))


def read(text: str) -> Diagram | None:
    """What Mermaid's text says; `None` if it says something that isn't drawn here."""
    kind, *lines = text.strip().splitlines() or [""]
    reads = {_STATES: _state, _PARTS: _part}
    take = next((take for name, take in reads.items() if kind.startswith(name)), None)
    diagram, inside = Diagram(), None
    for said in map(str.strip, lines):
        if take is None:
            return None
        if said == "}":
            inside = None
        elif found := _GROUP.fullmatch(said):
            inside = found.group(1)
            diagram.boxes[inside] = (inside,)
        elif inside is not None:
            diagram.boxes[inside] += (f"· {said}",)
        elif not take(diagram, said):
            return None
    return diagram if diagram.arrows else None


def _state(diagram: Diagram, said: str) -> bool:
    found = _CHANGE.fullmatch(said)
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


def _part(diagram: Diagram, said: str) -> bool:
    found = _ARROW.fullmatch(said)
    if found is None:
        return False
    source, source_words, kind, label, target, target_words = found.groups()
    for name, words in ((source, source_words), (target, target_words)):
        if words is not None or name not in diagram.boxes:
            diagram.boxes[name] = lines_of(words or name)
    diagram.first = diagram.first or {source}
    arrow = Arrow(source, target, lines_of(label or ""), is_double=kind.startswith("<"), is_dashed="." in kind)
    diagram.arrows.append(arrow)
    return True


def _words(diagram: Diagram) -> Iterator[str]:
    for source in diagram.sources():
        for arrow in (one for one in diagram.arrows if one.source == source):
            why = f": {'; '.join(arrow.labels)}" if arrow.labels else ""
            ways = [_in_words(diagram, name) for name in (arrow.source, arrow.target)]
            yield f"{ways[0]} → {ways[1]}{why}"


def _in_words(diagram: Diagram, name: str) -> str:
    heading, *rest = diagram.boxes[name]
    return f"{heading} ({', '.join(one.removeprefix('· ') for one in rest)})" if rest else heading


def _shapes(diagram: Diagram) -> tuple[float, float, list[str]]:
    """Width, height and all that is drawn: one fan of arrows below the other."""
    sources = diagram.sources()
    left = max(width(diagram.boxes[name]) for name in sources)
    right = left + 3 * GAP + label_width(each for arrow in diagram.arrows for each in arrow.labels)
    shapes, y = [], 1.0
    for name in sources:
        fan = [arrow for arrow in diagram.arrows if arrow.source == name]
        drawn, y = _fan(diagram, fan, left, right, y)
        shapes += drawn
    return right + max(width(diagram.boxes[arrow.target]) for arrow in diagram.arrows) + 2, y, shapes


def _fan(diagram: Diagram, fan: Sequence[Arrow], left: float, right: float, top: float) -> tuple[list[str], float]:
    """The box that these arrows come from, the arrows and where they lead to; and where the next fan may begin."""
    own = diagram.boxes[fan[0].source]
    middle, y, shapes = 0.0, top, []
    for arrow in fan:
        half = height(diagram.boxes[arrow.target]) / 2
        at = max(y + max(half, LINE * len(arrow.labels) + 4), top + height(own) / 2)
        middle = middle or at
        shapes += [*_way(arrow, left, middle, right, at), _box(diagram, arrow.target, right, at - half)]
        y = at + half + PADDING
    shapes.append(_box(diagram, fan[0].source, left - width(own), middle - height(own) / 2))
    return shapes, max(y, middle + height(own) / 2 + PADDING) + PADDING


def _way(arrow: Arrow, left: float, middle: float, right: float, at: float) -> Iterator[str]:
    """One arrow, from the middle of its box to the height at which its target stands, with its labels above it."""
    trunk = left + GAP / 2
    path = f"M{left:.0f} {middle:.0f}H{trunk:.0f}V{at:.0f}H{right - 8:.0f}"
    yield line(path, is_dashed=arrow.is_dashed) + head(right, at)
    if arrow.is_double:
        yield head(left, middle, leftwards=True)
    for number, text in enumerate(reversed(arrow.labels)):
        yield label(text, trunk + 8, at - 6 - LINE * number)


def _box(diagram: Diagram, name: str, x: float, y: float) -> str:
    kind = "first" if name in diagram.first else "last" if name in diagram.last else ""
    return box(diagram.boxes[name], x, y, kind=kind)
