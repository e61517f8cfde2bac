"""Holds what our pictures are made of, as SVG: boxes with words, labels, the points of arrows, and the figure around them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Final, TypeAlias

Lines: TypeAlias = tuple[str, ...]
"""What stands in a box or above an arrow, line by line."""

CHARACTER: Final = 8.0
"""How wide a character of a box is at most on average, in the units of the picture."""
LABEL_CHARACTER: Final = 6.8
"""The same for a label, whose letters are smaller."""
LINE: Final = 18.0
GAP: Final = 26.0
PADDING: Final = 10.0

_BREAK: Final = re.compile(r"<br\s*/?>")


def lines_of(words: str) -> Lines:
    """The lines of a text in which Mermaid breaks them."""
    return tuple(line for line in _BREAK.split(words) if line)


def width(words: Lines) -> float:
    """How wide a box with these words is."""
    return max(map(len, words)) * CHARACTER + 2 * PADDING


def height(words: Lines) -> float:
    """How high it is."""
    return len(words) * LINE + 2 * PADDING - 4


def label_width(labels: Iterable[str]) -> float:
    """How wide the widest of these labels is."""
    return max((len(label) for label in labels), default=0) * LABEL_CHARACTER


def box(words: Lines, x: float, y: float, *, kind: str = "", wide: float | None = None) -> str:
    """A box whose upper left corner is there; `kind` is a class of the style sheet."""
    classes = f"box {kind}".strip()
    size = f'width="{wide or width(words):.0f}" height="{height(words):.0f}"'
    lines = (
        f'<text x="{x + PADDING:.0f}" y="{y + PADDING + LINE * (index + 0.7):.0f}">{escape(line)}</text>'
        for index, line in enumerate(words)
    )
    return f'<rect class="{classes}" x="{x:.0f}" y="{y:.0f}" rx="6" {size}/>{"".join(lines)}'


def label(text: str, x: float, y: float) -> str:
    """Words above an arrow, from x on."""
    return f'<text class="label" x="{x:.0f}" y="{y:.0f}">{escape(text)}</text>'


def line(path: str, *, is_dashed: bool = False) -> str:
    """A line along this path."""
    return f'<path class="line{" dashed" if is_dashed else ""}" d="{path}"/>'


def head(x: float, y: float, *, leftwards: bool = False) -> str:
    """The point of an arrow that ends at x."""
    base = x + 8 if leftwards else x - 8
    return f'<path class="head" d="M{x:.0f} {y:.0f}L{base:.0f} {y - 4:.0f}V{y + 4:.0f}Z"/>'


def figure(wide: float, high: float, shapes: Iterable[str], in_words: Iterable[str]) -> str:
    """The picture of this size, and the same in words, for whoever doesn't see it or searches in it."""
    size = f'width="{wide:.0f}" height="{high:.0f}" viewBox="0 0 {wide:.0f} {high:.0f}"'
    said = "".join(f"<li>{escape(one)}</li>" for one in in_words)
    return (
        '<figure><div class="wide" role="group" aria-label="Picture" tabindex="0">'
        f'<svg class="drawing" role="img" aria-label="What this picture shows is told below it." {size}>'
        f"{''.join(shapes)}</svg></div><details><summary>In words</summary><ul>{said}</ul></details></figure>\n"
    )
