"""Draws who says what to whom, one after the other: a line for each of them, and below each other what is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
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

_KIND: Final = "sequenceDiagram"
_WHO: Final = re.compile(r"participant (\w+) as (.+)")
_SAID: Final = re.compile(r"(\w+)(--?)>>(\w+): (.+)")
_NOTE: Final = re.compile(r"Note over (\w+)(?:,(\w+))?: (.+)")


@dataclass(frozen=True, slots=True)
class Message:
    """What one says to another; or a note, which is over both."""

    source: str
    target: str
    words: Lines
    is_dashed: bool = False
    is_note: bool = False


@dataclass(slots=True)
class Sequence:
    """Who there is, by short names, and what they say."""

    names: dict[str, str] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)


def read(text: str) -> Sequence | None:
    """What Mermaid's text says; `None` if it says something that isn't drawn here."""
    kind, *lines = text.strip().splitlines() or [""]
    sequence = Sequence()
    if kind.strip() != _KIND or not all(_take(sequence, said.strip()) for said in lines):
        return None
    return sequence if sequence.messages else None


def _take(sequence: Sequence, said: str) -> bool:
    if found := _WHO.fullmatch(said):
        sequence.names[found.group(1)] = found.group(2)
        return True
    if found := _SAID.fullmatch(said):
        source, dashes, target, words = found.groups()
        message = Message(source, target, lines_of(words), is_dashed=dashes == "--")
    elif found := _NOTE.fullmatch(said):
        source, target, words = found.groups()
        message = Message(source, target or source, lines_of(words), is_note=True)
    else:
        return False
    for name in (message.source, message.target):
        sequence.names.setdefault(name, name)
    sequence.messages.append(message)
    return message.source != message.target or message.is_note


def draw(sequence: Sequence) -> str:
    """The picture with its words beside it, as HTML."""
    places = _places(sequence)
    y = height(("",)) + GAP
    shapes: list[str] = []
    for message in sequence.messages:
        drawn, y = _note(message, places, y) if message.is_note else _arrow(message, places, y)
        shapes += drawn
    heads = [box((name,), places[short] - width((name,)) / 2, 1) for short, name in sequence.names.items()]
    threads = [line(f"M{x:.0f} {height(('',)):.0f}V{y:.0f}", is_dashed=True) for x in places.values()]
    return figure(_wide(sequence, places), y + 2, [*threads, *heads, *shapes], _words(sequence))


def _places(sequence: Sequence) -> dict[str, float]:
    """Where the line of each stands: so far apart that names and words have room."""
    names = list(sequence.names)
    places = {names[0]: width((sequence.names[names[0]],)) / 2 + 1}
    for before, name in pairwise(names):
        room = (width((sequence.names[before],)) + width((sequence.names[name],))) / 2 + GAP
        places[name] = places[before] + room
        for message in sequence.messages:
            ends = {message.source, message.target}
            if name in ends and len(ends) == 2 and ends <= places.keys():
                (other,) = ends - {name}
                places[name] = max(places[name], places[other] + _room(message))
    return places


def _room(message: Message) -> float:
    return width(message.words) - 2 * GAP if message.is_note else label_width(message.words) + GAP


def _wide(sequence: Sequence, places: dict[str, float]) -> float:
    *_, last = sequence.names
    return places[last] + max(width((sequence.names[last],)) / 2, GAP) + 2


def _arrow(message: Message, places: dict[str, float], y: float) -> tuple[list[str], float]:
    start, end = places[message.source], places[message.target]
    at = y + LINE * len(message.words)
    back = end < start
    words = [label(text, min(start, end) + 12, y + LINE * (index + 0.6)) for index, text in enumerate(message.words)]
    shaft = line(f"M{start:.0f} {at:.0f}H{end + (8 if back else -8):.0f}", is_dashed=message.is_dashed)
    return [*words, shaft, head(end, at, leftwards=back)], at + PADDING


def _note(message: Message, places: dict[str, float], y: float) -> tuple[list[str], float]:
    left, right = sorted((places[message.source], places[message.target]))
    drawn = box(
        message.words, left - GAP, y + PADDING, kind="last", wide=max(right - left + 2 * GAP, width(message.words))
    )
    return [drawn], y + PADDING + height(message.words) + PADDING


def _words(sequence: Sequence) -> Iterator[str]:
    for message in sequence.messages:
        source, target, words = sequence.names[message.source], sequence.names[message.target], " ".join(message.words)
        yield f"{source}, {target}: {words}" if message.is_note else f"{source} → {target}: {words}"
